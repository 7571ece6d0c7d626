"""What runs for a data folder, and the environment that its processes need."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graph.server.process import Running, is_running
from workers.local.errors import ServicesNotRunning, StateUnreadable
from workers.local.secrets import load_secrets, write_private
from workers.local.settings import LocalSettings

# In a checkout; an installation elsewhere names the folder itself.
BROWSER_FILES = Path(__file__).parents[2] / "docs" / "browser"

_KEYS = ("SHOPGRAPH_PSEUDONYM_KEY", "SHOPGRAPH_ENCRYPTION_KEY", "SHOPGRAPH_API_KEYS")


@dataclass(frozen=True)
class Service:
    """One server process and the port it listens on."""

    running: Running
    port: int


@dataclass(frozen=True)
class LocalState:
    """
    The services that were started for a data folder.

    A part is none when ``NEO4J_URI`` or ``REDIS_URL`` named a server that runs elsewhere.
    """

    neo4j: Service | None
    valkey: Service | None
    http_port: int | None
    api_port: int
    has_login: bool
    started_by: str
    started_ms: int

    @property
    def services(self) -> dict[str, Service]:
        """The services of ours by name."""
        named = {"Neo4j": self.neo4j, "Valkey": self.valkey}
        return {name: service for name, service in named.items() if service is not None}

    @property
    def alive(self) -> dict[str, Service]:
        """Those whose process runs."""
        return {n: s for n, s in self.services.items() if is_running(s.running)}


def home() -> Path:
    """The data folder: ``SHOPGRAPH_HOME``, else ``.shopgraph`` in the working folder."""
    return LocalSettings().shopgraph_home.expanduser().absolute()


def read_state(folder: Path) -> LocalState | None:
    """
    The services that were last started for a data folder.

    Raises:
        StateUnreadable: the file is damaged.
    """
    path = folder / "services.json"
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        values = json.loads(text)
        return LocalState(
            neo4j=_service(values["neo4j"]),
            valkey=_service(values["valkey"]),
            http_port=values["http_port"],
            api_port=values["api_port"],
            has_login=values["has_login"],
            started_by=values["started_by"],
            started_ms=values["started_ms"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StateUnreadable(
            f"{path} is damaged; end what still runs by hand and remove the file"
        ) from error


def write_state(folder: Path, state: LocalState) -> None:
    """Keep what runs, for the owner's eyes."""
    write_private(folder / "services.json", json.dumps(asdict(state), indent=2) + "\n")


def forget_state(folder: Path) -> None:
    """Nothing runs any more."""
    (folder / "services.json").unlink(missing_ok=True)


def environment(folder: Path) -> dict[str, str]:
    """
    The variables that every process needs and that are not set already.

    Raises:
        ServicesNotRunning: no graph or no stream is named, and none was started.
        StateUnreadable: a file in the data folder is damaged.
    """
    found = {"SHOPGRAPH_HOME": str(folder), "SHOPGRAPH_MODEL_STORE": str(folder / "models")}
    if BROWSER_FILES.is_dir():
        found["SHOPGRAPH_BROWSER_FILES"] = str(BROWSER_FILES)
    if not all(os.environ.get(name) for name in _KEYS):
        secrets = load_secrets(folder)
        found |= dict(
            zip(
                _KEYS,
                (secrets.pseudonym_key, secrets.encryption_key, secrets.api_keys),
                strict=True,
            )
        )
    if not os.environ.get("NEO4J_URI"):
        found |= _graph(folder)
    if not os.environ.get("REDIS_URL"):
        found |= _stream(folder)
    return {name: value for name, value in found.items() if not os.environ.get(name)}


def _graph(folder: Path) -> dict[str, str]:
    state = read_state(folder)
    if state is None or state.neo4j is None or not is_running(state.neo4j.running):
        raise _not_running("Neo4j", folder, "NEO4J_URI")
    found = {"NEO4J_URI": f"bolt://127.0.0.1:{state.neo4j.port}"}
    if state.has_login:
        password = load_secrets(folder).neo4j_password
        found |= {"NEO4J_USER": "neo4j", "NEO4J_PASSWORD": password}
    return found


def _stream(folder: Path) -> dict[str, str]:
    state = read_state(folder)
    if state is None or state.valkey is None or not is_running(state.valkey.running):
        raise _not_running("Valkey", folder, "REDIS_URL")
    password = load_secrets(folder).valkey_password
    return {"REDIS_URL": f"redis://:{password}@127.0.0.1:{state.valkey.port}/0"}


def _not_running(name: str, folder: Path, variable: str) -> ServicesNotRunning:
    return ServicesNotRunning(
        f"{name} does not run for {folder}; start it with `shopgraph services start` "
        f"or set {variable}"
    )


def _service(values: Any) -> Service | None:
    if values is None:
        return None
    running = values["running"]
    return Service(Running(int(running["pid"]), float(running["started"])), int(values["port"]))
