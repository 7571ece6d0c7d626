"""A connector at work: wired to the intake, and run by one process at a time."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import httpx
import structlog

from graph import leases, users
from graph.client import Graph
from workers.connectors import registry
from workers.connectors.calls import TIMEOUT_S
from workers.connectors.connector import DAY_MS, MINUTE_MS, Clock
from workers.connectors.errors import ConnectorBusy, PlatformError
from workers.connectors.pulling import Pull, Pulled, Rules
from workers.connectors.refused import Refused
from workers.connectors.settings import ConnectorSettings
from workers.connectors.tokens import SealedTokens
from workers.intake.bookmarks import Bookmarks
from workers.intake.consent import ConsentCopy
from workers.intake.door import Door
from workers.intake.intake import Intake
from workers.intake.settings import IntakeSettings
from workers.leases import HeldLease, now_ms

log = structlog.get_logger(__name__)

LEASE_TTL_S = 30.0


@contextmanager
def at_work(
    name: str,
    graph: Graph,
    settings: ConnectorSettings,
    intake: IntakeSettings,
    clock: Clock | None = None,
) -> Iterator[Pull]:
    """
    A connector that nobody else runs until the block ends.

    Raises:
        UnknownConnector: it is not set up.
        ConnectorBusy: another process runs it.
    """
    clock = clock or Clock()
    pseudonyms = intake.pseudonyms()
    store = SealedTokens(intake.redis_url, pseudonyms)
    rows = Intake(
        Door(pseudonyms),
        intake.stream(pseudonyms),
        consent=ConsentCopy(intake.redis_url),
        load_denied=partial(graph.read, users.denied),
    )
    rules = Rules(
        overlap_ms=settings.pull_overlap_minutes * MINUTE_MS,
        begin_ms=settings.pull_begin_days * DAY_MS,
    )
    bookmarks, refused = Bookmarks(intake.redis_url), Refused(intake.redis_url)
    with httpx.Client(timeout=TIMEOUT_S) as http:
        connector = registry.build(name, settings, registry.Means(http, store, clock))
        with _alone(graph, name):
            yield Pull(connector, rows, bookmarks, refused, rules, clock)


def pull_if_due(
    name: str,
    graph: Graph,
    settings: ConnectorSettings,
    intake: IntakeSettings,
    clock: Clock | None = None,
) -> Pulled | None:
    """
    Run a connector, unless it is to be left alone or somebody runs it; a failure is noted.

    Raises:
        StreamUnavailable, GraphUnavailable: nothing could be stored; the next run begins anew.
    """
    clock = clock or Clock()
    progress = Bookmarks(intake.redis_url).get(name)
    if progress is not None and clock.now_ms() < progress.not_before_ms:
        log.info("connector_left_alone", connector=name, problem=progress.problem)
        return None
    try:
        with at_work(name, graph, settings, intake, clock) as pull:
            return pull.run()
    except (ConnectorBusy, PlatformError) as error:
        log.warning("connector_not_pulled", connector=name, reason=str(error))
        return None


@contextmanager
def _alone(graph: Graph, name: str) -> Iterator[None]:
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    lease = graph.write(
        leases.acquire,
        f"connector:{name}",
        owner,
        now_ms=now_ms(),
        ttl_ms=int(LEASE_TTL_S * 1_000),
    )
    if lease is None:
        raise ConnectorBusy(f"another process runs the connector {name}")
    with HeldLease(graph, lease, ttl_s=LEASE_TTL_S):
        yield
