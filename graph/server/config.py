"""What is written into a local server's neo4j.conf."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr


@dataclass(frozen=True)
class ServerPlan:
    """
    One local server: where it lives and how it is reached.

    Without a password the login is off, and then HTTP must be off as well: with both open any web
    page could send it Cypher. Such a server is for tests with made-up data.
    """

    home: Path
    lib: Path
    bolt_port: int
    http_port: int | None = None
    api_port: int | None = None
    password: SecretStr | None = None
    is_durable: bool = True
    page_cache: str = "512m"
    heap_max: str = "1g"

    @property
    def uri(self) -> str:
        """The address for drivers."""
        return f"bolt://127.0.0.1:{self.bolt_port}"

    @property
    def console(self) -> Path:
        """What the server prints."""
        return self.home / "console.log"


def configuration(plan: ServerPlan) -> str:
    """The text of ``neo4j.conf``; the server refuses to start on an unknown or a repeated key."""
    keys = _common(plan) | _login(plan)
    if not plan.is_durable:
        keys |= _throw_away()
    return "".join(f"{key}={value}\n" for key, value in keys.items())


def _common(plan: ServerPlan) -> dict[str, str]:
    folders = ("data", "logs", "run", "plugins", "import")
    return {f"server.directories.{name}": str(plan.home / name) for name in folders} | {
        "server.directories.lib": str(plan.lib),
        "server.default_listen_address": "127.0.0.1",
        "server.bolt.listen_address": f"127.0.0.1:{plan.bolt_port}",
        "server.bolt.advertised_address": f"127.0.0.1:{plan.bolt_port}",
        "dbms.usage_report.enabled": "false",
        "client.allow_telemetry": "false",
        "server.memory.pagecache.size": plan.page_cache,
        "db.transaction.timeout": "120s",
        "db.lock.acquisition.timeout": "20s",
    }


def _login(plan: ServerPlan) -> dict[str, str]:
    if plan.password is None or plan.http_port is None:
        return {
            "server.http.enabled": "false",
            "dbms.security.auth_enabled": "false" if plan.password is None else "true",
        }
    address = f"127.0.0.1:{plan.http_port}"
    keys = {
        "server.http.enabled": "true",
        "server.http.listen_address": address,
        "server.http.advertised_address": address,
        "dbms.security.auth_enabled": "true",
        "dbms.security.http_access_control_allow_origin": f"http://localhost:{plan.http_port}",
        "browser.remote_content_hostname_whitelist": "localhost,127.0.0.1",
    }
    if plan.api_port is not None:
        pages = f"http://localhost:{plan.api_port}/browser"
        keys["browser.post_connect_cmd"] = f"style {pages}/graph.grass; play {pages}/guide.html"
    return keys


def _throw_away() -> dict[str, str]:
    # Otherwise each database reserves 256 MiB for its transaction logs.
    return {
        "db.tx_log.preallocate": "false",
        "db.tx_log.rotation.size": "16m",
        "db.tx_log.rotation.retention_policy": "keep_none",
    }
