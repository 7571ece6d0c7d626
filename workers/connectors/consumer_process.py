"""An ingest process for as long as an import needs one, if none is active."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from graph import leases
from graph.client import Graph
from workers.ingest.writer import LEASE_NAME
from workers.local.children import ending

_STOP_S = 60.0


@contextmanager
def while_ingesting(graph: Graph) -> Iterator[None]:
    """
    Make sure that an ingest process runs; one that was started for this ends with the block.

    It ends, too, when this process is killed.
    """
    if is_ingesting(graph):
        yield
        return
    command = [sys.executable, "-m", "workers.ingest", str(os.getpid())]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    with ending(child, patience_s=_STOP_S):
        yield


def is_ingesting(graph: Graph) -> bool:
    """Whether some process holds the lease of the ingest worker."""
    owner = f"import:{socket.gethostname()}:{os.getpid()}"
    now_ms = time.time_ns() // 1_000_000
    lease = graph.write(leases.acquire, LEASE_NAME, owner, now_ms=now_ms, ttl_ms=1_000)
    if lease is None:
        return True
    graph.write(leases.release, LEASE_NAME, owner)
    return False
