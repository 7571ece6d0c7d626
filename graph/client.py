"""The one way to the graph: a function that takes a transaction, run with retries."""

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from neo4j import (
    READ_ACCESS,
    Driver,
    GraphDatabase,
    ManagedTransaction,
    NotificationMinimumSeverity,
    Session,
)
from neo4j.exceptions import AuthError, ClientError, DriverError, Neo4jError

from graph.errors import GraphRejected, GraphUnavailable
from graph.settings import GraphSettings

P = ParamSpec("P")
T = TypeVar("T")

_OF_VALUES = (ValueError, TypeError, OverflowError)
"""Kinds of errors by which the driver refuses a value, among others."""

RETRY_AFTER_S = 0.05
"""Before the first new try of a transaction, twice as long before each further one; the driver's
second is long for two writers that met at one item."""


class Graph:
    """
    A Neo4j database, asked by query functions.

    The driver opens on first use, in the process that uses it, since its sockets do not survive
    a fork; a child that was forked from a process with an open one opens its own. Threads share
    it.
    """

    def __init__(
        self,
        settings: GraphSettings,
        *,
        warn_severity: NotificationMinimumSeverity = NotificationMinimumSeverity.OFF,
    ) -> None:
        self._settings = settings
        self._warn_severity = warn_severity
        self._driver: Driver | None = None
        self._opening = threading.Lock()
        _graphs.add(self)

    def read(
        self,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """
        Run a query function in a read transaction.

        Raises:
            GraphUnavailable: the server is away.
            GraphRejected: the server refused the query, or the driver a value in it.
        """
        return self._run("read", query, *args, **kwargs)

    def write(
        self,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As ``read``, in a write transaction; it may run twice, so it must be idempotent."""
        return self._run("write", query, *args, **kwargs)

    def ask(
        self,
        query: Callable[Concatenate[ManagedTransaction | Session, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """
        Run a query function of one reading statement, in auto-commit: a single round trip.

        What fails, such as by a connection that was closed meanwhile, is run again as ``read`` does
        it, which raises what it raises.
        """
        name = self._settings.database
        with (
            suppress(Neo4jError, DriverError, *_OF_VALUES),
            self._open().session(database=name, default_access_mode=READ_ACCESS) as session,
        ):
            return query(session, *args, **kwargs)
        return self.read(query, *args, **kwargs)

    def run_alone(self, statement: str, **parameters: Any) -> None:
        """Run one statement in auto-commit: schema changes and ``IN TRANSACTIONS``."""
        try:
            with self._open().session(database=self._settings.database) as session:
                session.run(statement, parameters).consume()
        except (Neo4jError, DriverError) as error:
            raise _ours(error) from error

    def ping(self) -> None:
        """
        Ask the server for a sign of life.

        Raises:
            GraphUnavailable: there was none.
        """
        self.read(_one)

    def close(self) -> None:
        """Close the driver; the next use opens it again."""
        with self._opening:
            if self._driver is not None:
                self._driver.close()
                self._driver = None

    def _leave_to_parent(self) -> None:
        """Forget a driver whose sockets belong to another process, without a word on them."""
        if self._driver is not None:
            _of_parents.append(self._driver)
            self._driver = None
        self._opening = threading.Lock()  # a thread that is not here may have held it

    def _run(
        self,
        access: str,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        try:
            with self._open().session(database=self._settings.database) as session:
                execute = session.execute_read if access == "read" else session.execute_write
                return execute(query, *args, **kwargs)
        except (Neo4jError, DriverError) as error:
            raise _ours(error) from error
        except _OF_VALUES as error:
            if _is_of_driver(error):
                raise GraphRejected(f"a value cannot be stored: {type(error).__name__}") from error
            raise

    def _open(self) -> Driver:
        with self._opening:
            if self._driver is None:
                settings = self._settings
                password = settings.password
                self._driver = GraphDatabase.driver(
                    settings.uri,
                    auth=None if password is None else (settings.user, password.get_secret_value()),
                    max_connection_pool_size=settings.max_connection_pool_size,
                    connection_acquisition_timeout=settings.connection_acquisition_timeout_s,
                    max_transaction_retry_time=settings.max_transaction_retry_time_s,
                    initial_retry_delay=RETRY_AFTER_S,
                    liveness_check_timeout=60.0,
                    telemetry_disabled=True,
                    warn_notification_severity=self._warn_severity,
                )
            return self._driver


_graphs: "weakref.WeakSet[Graph]" = weakref.WeakSet()
_of_parents: list[Driver] = []
"""Kept, since a driver that is collected says goodbye on sockets that the parent still uses."""


def _after_fork() -> None:
    for graph in list(_graphs):
        graph._leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)


def _one(tx: ManagedTransaction) -> None:
    tx.run("RETURN 1").consume()


def _ours(error: Neo4jError | DriverError) -> GraphUnavailable | GraphRejected:
    if isinstance(error, AuthError):
        return GraphRejected("the graph refused the login")
    if isinstance(error, ClientError) and not error.is_retryable():
        return GraphRejected(str(error))
    if isinstance(error, Neo4jError) and not error.is_retryable():
        return GraphRejected(str(error))
    return GraphUnavailable(type(error).__name__)


def _is_of_driver(error: Exception) -> bool:
    """Whether an error of a built-in kind comes from a value that the driver cannot send."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return name.partition(".")[0] == "neo4j"
