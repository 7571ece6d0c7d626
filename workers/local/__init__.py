"""The services and processes of one machine."""

from graph.server.ports import free_port
from workers.local.services import Starting
from workers.local.services import start as start_local
from workers.local.services import status as local_status
from workers.local.services import stop as stop_local
from workers.local.settings import Ports
from workers.local.state import LocalState, environment, home

__all__ = [
    "LocalState",
    "Ports",
    "Starting",
    "environment",
    "free_port",
    "home",
    "local_status",
    "start_local",
    "stop_local",
]
