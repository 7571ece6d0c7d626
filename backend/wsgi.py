"""The web door: reads the environment, wires the real parts, serves ``app``."""

import logging
import sys
from collections.abc import Iterable, Mapping
from functools import cache, partial
from typing import Any

import structlog
from flask import Flask
from threadpoolctl import threadpool_limits

from backend.acquaintances import Acquaintances
from backend.app import create_app
from backend.auth import Keys
from backend.breaker import Breaker
from backend.counted import PopularCount
from backend.forgetting import Forgetting
from backend.kept import Kept
from backend.live import LiveModel
from backend.people import DAY_MS
from backend.serving import LoadModel, ModelUnusable, ServingModel
from backend.settings import SettingsMissing, WebSettings, read
from backend.shelf import Shelf
from backend.wiring import Parts, now_ms
from graph import key_ring, migrations, users
from graph.client import Graph
from graph.domain.ids import ModelVersion, UserId
from graph.errors import GraphUnavailable, RestoreUnfinished, SchemaMissing
from graph.settings import GraphSettings
from ml.errors import ModelBroken
from ml.serving.model import ServingModel as TrainedModel
from workers.connectors.errors import ConnectorError
from workers.connectors.settings import ConnectorSettings
from workers.connectors.webhooks import webhooks
from workers.intake.bookmarks import Bookmarks
from workers.intake.changes import CatalogueChanges
from workers.intake.consent import ConsentCopy
from workers.intake.deadletters import DeadLetters
from workers.intake.deliveries import Deliveries, Webhook
from workers.intake.door import Door
from workers.intake.intake import Intake
from workers.intake.online import OnlineState
from workers.intake.pages import Pages
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.replay import Replay
from workers.intake.settings import IntakeSettings
from workers.jobs import Jobs
from workers.privacy.build import erasures_of

log = structlog.get_logger(__name__)


def configure_logs() -> None:
    """One JSON object a line, with the request's id; nothing below INFO."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


def build(graph: Graph | None = None) -> Flask:
    """
    The application of this process, from its environment.

    Args:
        graph: the graph to ask; by default the one that the environment names.

    Raises:
        SettingsMissing: the environment lacks something.
    """
    settings, intake = read(WebSettings), read(IntakeSettings)
    try:
        keys = Keys.parse(settings.api_keys.get_secret_value(), origins=settings.allowed_origins)
    except ValueError as error:
        raise SettingsMissing(f"SHOPGRAPH_API_KEYS: {error}") from None
    store = graph or Graph(_impatient(read(GraphSettings)))
    schema = Schema(store)
    _refuse_without(schema)
    port = Breaker(store)
    pseudonyms = intake.pseudonyms()
    consent = ConsentCopy(intake.redis_url)
    load_denied = partial(_barred, port, pseudonyms)
    letters = DeadLetters(intake.redis_url, intake.keeping(), pseudonyms=pseudonyms)
    changes = CatalogueChanges(intake.redis_url)
    shelf = Shelf(port, changes, now_ms=now_ms)
    acquaintances = Acquaintances()
    kept: Kept[Any] = Kept(now_ms=now_ms)
    met: Kept[Any] = Kept(now_ms=now_ms, most=1_000)
    forgetting = Forgetting(port, changes, pseudonyms, [kept, met])
    live = LiveModel(port, loader(settings), shelf, acquaintances, on_look=forgetting.keep_in_step)
    parts = Parts(
        graph=port,
        intake=Intake(
            Door(pseudonyms),
            intake.stream(pseudonyms),
            consent=consent,
            load_denied=load_denied,
            quotas=intake.quotas(),
            look_for_returned=forgetting.look_for_returned,
        ),
        denials=consent,
        erasures=erasures_of(store, intake.redis_url, pseudonyms, settings.model_store),
        letters=letters,
        replay=Replay(intake.redis_url, pseudonyms, load_denied=load_denied),
        online=OnlineState(intake.redis_url),
        jobs=Jobs(intake.redis_url),
        pseudonyms=pseudonyms,
        models=live,
        shelf=shelf,
        acquaintances=acquaintances,
        kept=kept,
        met=met,
        pages=Pages(intake.redis_url),
        bookmarks=Bookmarks(intake.redis_url),
        deliveries=Deliveries(intake.redis_url),
        webhooks=senders(read(ConnectorSettings)),
        counted=PopularCount(port, now_ms=now_ms, window_ms=settings.popular_days * DAY_MS),
        keys=keys,
        settings=settings,
        verify_schema=schema.verify,
    )
    web = create_app(parts)
    live.watch()
    return web


def _barred(graph: Breaker, pseudonyms: Pseudonyms) -> Mapping[str, Iterable[UserId]]:
    """
    Who denied what, as long as this process goes by the key that the graph goes by.

    Raises:
        KeysChanged: they were rotated since this process began.
    """
    if graph.write(key_ring.settle, pseudonyms.key_ids[-1]) != pseudonyms.key_ids[-1]:
        raise KeysChanged("the pseudonyms go by another key; start this process again")
    return graph.read(users.barred)


class KeysChanged(Exception):
    """The keys of this process are not those of the graph."""


class Schema:
    """Whether a graph has its constraints and indexes; once it has, it is not asked again."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._is_there = False

    def verify(self) -> None:
        """Raises ``SchemaMissing`` while a migration has not been applied."""
        if not self._is_there:
            migrations.verify(self._graph)
            self._is_there = True


def _refuse_without(schema: Schema) -> None:
    """
    Go on if the graph has been migrated; one that is away is looked at again by ``/readyz``.

    Raises:
        SettingsMissing: it answers, and lacks a migration or a part of what is being put back.
    """
    try:
        schema.verify()
    except RestoreUnfinished as unfinished:
        raise SettingsMissing(str(unfinished)) from None
    except SchemaMissing as missing:
        raise SettingsMissing(f"{missing}; run `shopgraph migrate` first") from None
    except GraphUnavailable:
        log.warning("schema_not_checked")


def senders(settings: ConnectorSettings) -> dict[str, Webhook]:
    """
    Who may send webhooks.

    Raises:
        SettingsMissing: a connector file makes no sense, or a secret is missing.
    """
    try:
        return webhooks(settings)
    except ConnectorError as error:
        raise SettingsMissing(str(error)) from None


def loader(settings: WebSettings) -> LoadModel:
    """Loads versions from the model store."""

    def load(version: ModelVersion) -> ServingModel:
        try:
            return TrainedModel.load(settings.model_store / version)
        except (ModelBroken, OSError) as error:
            raise ModelUnusable(str(error)) from error

    return load


def _impatient(settings: GraphSettings) -> GraphSettings:
    # A shopper waits: rather an answer from memory now than one from the graph in 3 seconds.
    return settings.model_copy(
        update={
            "connection_acquisition_timeout_s": min(1.0, settings.connection_acquisition_timeout_s),
            "max_transaction_retry_time_s": min(1.0, settings.max_transaction_retry_time_s),
        }
    )


@cache
def _served() -> Flask:
    configure_logs()
    # The other cores have other requests; sums in parallel wait for each other more than they help.
    threadpool_limits(limits=1)
    try:
        return build()
    except SettingsMissing as missing:
        sys.exit(f"shopgraph api: {missing}")


def __getattr__(name: str) -> Flask:
    # Servers ask for ``app``. Built on that first look, so that importing this file opens nothing.
    if name == "app":
        return _served()
    raise AttributeError(name)
