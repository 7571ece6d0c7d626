"""One Neo4j server process of ours: start it, wait for it, end it."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from neo4j import Driver, GraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from graph.server import process
from graph.server.config import ServerPlan, configuration
from graph.server.errors import StartFailed
from graph.server.java import Java
from graph.server.process import Launch, Running

log = structlog.get_logger(__name__)

READY_WITHIN_S = 120.0
STOP_WITHIN_S = 60.0

_FLAGS = (
    "-Xms256m",
    "-XX:+UseG1GC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:+TrustFinalNonStaticFields",
    "-XX:+DisableExplicitGC",
    "-Djdk.nio.maxCachedBufferSize=1024",
    "-Dio.netty.tryReflectionSetAccessible=true",
    # Without java.nio a vector index may never finish.
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Dlog4j2.disable.jmx=true",
    "-Dfile.encoding=UTF-8",
)


@dataclass(frozen=True)
class Neo4jServer:
    """A local server, described by its plan and the Java that it runs on."""

    plan: ServerPlan
    java: Java

    def start(self, *, ends_with_parent: bool) -> Running:
        """
        Start the process; it is not ready yet.

        Args:
            ends_with_parent: whether the server stops when this process dies, however it dies;
                call it from the main thread then.

        Raises:
            StartFailed: the password could not be set.
        """
        home = self.plan.home
        (home / "conf").mkdir(parents=True, exist_ok=True)
        (home / "conf" / "neo4j.conf").write_text(configuration(self.plan))
        self._set_password()
        self.plan.console.write_bytes(b"")
        return process.spawn(
            Launch(
                command=self._command(),
                folder=home,
                output=self.plan.console,
                environment=_environment(),
                ends_with_parent=ends_with_parent,
            )
        )

    def wait_until_ready(self, running: Running, *, timeout_s: float = READY_WITHIN_S) -> None:
        """
        Wait until the database answers.

        Raises:
            StartFailed: the process ended, it is no Community server, it refuses the password,
                or the time is over; the message tells the end of its log.
        """
        password = self.plan.password
        auth = None if password is None else ("neo4j", password.get_secret_value())
        deadline = time.monotonic() + timeout_s
        with GraphDatabase.driver(
            self.plan.uri, auth=auth, connection_timeout=5.0, telemetry_disabled=True
        ) as driver:
            while not _answers(driver):
                if not process.is_running(running):
                    raise StartFailed(f"Neo4j ended while starting: {self._last_words()}")
                if time.monotonic() > deadline:
                    raise StartFailed(
                        f"Neo4j did not answer within {timeout_s:.0f} s: {self._last_words()}"
                    )
                time.sleep(0.25)

    def _command(self) -> tuple[str, ...]:
        home, lib = self.plan.home, self.plan.lib
        vector = ("--add-modules=jdk.incubator.vector",) if self.java.has_vector_module else ()
        return (
            str(self.java.path),
            f"-Xmx{self.plan.heap_max}",
            *_FLAGS,
            *vector,
            "-cp",
            os.pathsep.join((f"{home}/plugins/*", f"{lib}/*")),
            "org.neo4j.server.CommunityEntryPoint",
            f"--home-dir={home}",
            f"--config-dir={home}/conf",
            "--console-mode",
        )

    def _set_password(self) -> None:
        # It only counts before the first start; later the server keeps the one that it has.
        if self.plan.password is None or (self.plan.home / "data" / "databases").exists():
            return
        environment = _environment()
        environment["NEO4J_HOME"] = str(self.plan.home)
        environment["NEO4J_CONF"] = str(self.plan.home / "conf")
        result = subprocess.run(
            [
                str(self.java.path),
                "-cp",
                f"{self.plan.lib}/*",
                "org.neo4j.cli.AdminTool",
                "dbms",
                "set-initial-password",
                self.plan.password.get_secret_value(),
            ],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.plan.home,
            timeout=READY_WITHIN_S,
        )
        if result.returncode != 0:
            raise StartFailed(f"the first password could not be set: {_tail(result.stderr)}")

    def _last_words(self) -> str:
        texts = [_read(self.plan.console)]
        debug = _read(self.plan.home / "logs" / "debug.log")
        texts += [line for line in debug.splitlines() if " ERROR " in line][-3:]
        return _tail("\n".join(texts)) or "it printed nothing"


def _answers(driver: Driver) -> bool:
    try:
        driver.verify_connectivity()
        records, _, _ = driver.execute_query(
            "CALL dbms.components() YIELD name, edition RETURN edition", database_="neo4j"
        )
    except AuthError as error:
        raise StartFailed(
            "Neo4j refuses the password kept in the data folder; was secrets.json replaced?"
        ) from error
    except (Neo4jError, DriverError):
        # Bolt is up before the database is; both are a matter of seconds.
        return False
    edition = records[0]["edition"]
    if edition != "community":
        raise StartFailed(f"expected Neo4j Community and found the {edition} edition")
    return True


def _environment() -> dict[str, str]:
    # A NEO4J_HOME that names a distribution would mislead the server and its tools.
    return {name: value for name, value in os.environ.items() if not name.startswith("NEO4J_")}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _tail(text: str) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-6:])
