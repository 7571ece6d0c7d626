"""Small stand-ins and made-up things for tests."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from backend.acquaintances import Acquaintances
from backend.app import create_app
from backend.auth import Keys
from backend.counted import PopularCount
from backend.kept import Kept
from backend.live import LiveModel
from backend.serving import Columns, ModelUnusable, ServingModel
from backend.settings import WebSettings
from backend.shelf import Shelf
from backend.wiring import Parts
from graph import (
    items,
    models,
    pulls,
    quality_reports,
    recommendations,
    tombstones,
    training_runs,
)
from graph.domain.erasures import ErasureState, Receipt, ReceiptId
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, ModelVersion, UserId
from graph.domain.models import Model, ModelStatus, Slot
from graph.events import PastEvent
from graph.known_people import Known, look_up
from graph.pulls import UserPage
from graph.shelf import OnShelf, on_shelf
from graph.users import Person
from workers.intake.bookmarks import Bookmarks
from workers.intake.changes import Stamp
from workers.intake.deadletters import DeadLetters
from workers.intake.deliveries import Deliveries, Webhook
from workers.intake.door import Door
from workers.intake.errors import QuotaExceeded, StreamUnavailable
from workers.intake.online import Recent
from workers.intake.pages import Listed
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.replay import Replay
from workers.intake.rows import Caller, RowResult

NOW_MS = 1_760_000_000_000
ORIGIN = "https://shop.example"
BROWSER = {"X-API-Key": "browser-secret", "Origin": ORIGIN, "User-Agent": "Mozilla/5.0 Firefox/140"}
SERVER = {"X-API-Key": "server-secret"}
ADMIN = {"X-API-Key": "admin-secret"}
KEYS = "browser:web:browser-secret,server:shop:server-secret,admin:ops:admin-secret"
NOWHERE = "redis://127.0.0.1:1/0"
ANNA = UserId("c_anna")
PSEUDONYMS = Pseudonyms(b"p" * 32, b"e" * 64)


def told(event_id: str, type_: EventType = EventType.VIEW, **changes: Any) -> Event:
    """A checked event of Anna's about item A, changed."""
    values: dict[str, Any] = {
        "event_id": EventId(event_id),
        "type": type_,
        "user_id": ANNA,
        "ts": 1000,
        "received_ts": 1001,
        "source": "web",
        "item_id": ItemId("A"),
    }
    return Event(**(values | changes))


class FakeGraph:
    """
    A graph that answers per query function: with a value, a function of the call, or an error.

    Attributes:
        asked: the calls, in order: query function, arguments, named arguments.
        is_away: every call fails while it is set.
    """

    def __init__(self, answers: dict[Callable[..., Any], Any] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self.is_away = False

    def read(self, query: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """The answer for a query function."""
        from graph.errors import GraphUnavailable

        if self.is_away:
            raise GraphUnavailable("away")
        self.asked.append((query, args, kwargs))
        if query not in self.answers:
            raise AssertionError(f"nobody told the fake graph about {query.__qualname__}")
        answer = self.answers[query]
        if isinstance(answer, Exception):
            raise answer
        return answer(*args, **kwargs) if callable(answer) else answer

    write = ask = read

    def ping(self) -> None:
        """A sign of life."""
        from graph.errors import GraphUnavailable

        if self.is_away:
            raise GraphUnavailable("away")


@dataclass
class FakeModel:
    """A model with fixed scores; items in ``similar_to`` are near each other."""

    scores: dict[str, float]
    version: str = "m-1"
    as_of_ms: int = NOW_MS
    near: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    category: dict[str, str] = field(default_factory=dict)
    first: dict[str, float] | None = None

    @property
    def item_ids(self) -> Sequence[str]:
        """The items it knows."""
        return tuple(self.scores)

    def score(
        self,
        user_vector: Any,
        history: Columns,
        *,
        now_ms: int,
        items: Sequence[str] | None = None,
        among: Any = None,
        is_short: bool = False,
    ) -> list[float]:
        """The fixed scores."""
        wanted = self.item_ids if items is None else items
        return [self.scores.get(item, float("nan")) for item in wanted]

    def session(self, history: Columns, now_ms: int) -> list[float]:
        """The fixed scores, the other way round."""
        return [-score for score in self.scores.values()]

    def popular(self, category: str | None = None) -> list[float]:
        """The fixed scores within a category."""
        return [
            score if category in (None, self.category.get(item)) else float("nan")
            for item, score in self.scores.items()
        ]

    def newcomers(self, category: str | None = None) -> list[float]:
        """What was said to come first, else what is popular."""
        if self.first is None:
            return self.popular(category)
        return [self.first[item] for item in self.scores]

    def similar(self, item_id: str, limit: int) -> list[tuple[str, float]]:
        """What was said to be near."""
        return self.near.get(item_id, [])[:limit]

    def links(self, item_ids: Sequence[str], others: Sequence[str]) -> list[tuple[str, str, float]]:
        """What was said to be near."""
        return [
            (item_id, other, cosine)
            for item_id in item_ids
            for other, cosine in self.near.get(item_id, [])
            if other in others
        ]

    def only(self, item_ids: Collection[str]) -> frozenset[str]:
        """These items."""
        return frozenset(item_ids)

    def top(
        self,
        scores: Sequence[float],
        limit: int,
        exclude: Collection[str] = (),
        among: Collection[str] | None = None,
    ) -> list[tuple[str, float]]:
        """Best first; what is not finite is left to the caller, as a broken model would."""
        pairs = [
            (item, score)
            for item, score in zip(self.scores, scores, strict=True)
            if item not in exclude and (among is None or item in among)
        ]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:limit]


@dataclass
class FakeStream:
    """Keeps what it accepted; is away when told so."""

    taken: list[Any] = field(default_factory=list)
    is_away: bool = False
    quota_s: int | None = None

    def take(
        self,
        rows: Sequence[object],
        caller: Caller,
        *,
        received_ms: int,
        body_bytes: int | None = None,
    ) -> list[RowResult]:
        """Keep the events of the good rows."""
        self.ping()
        if self.quota_s is not None:
            raise QuotaExceeded(self.quota_s)
        checked = Door(PSEUDONYMS).check(
            rows,
            default_source=caller.name,
            received_ms=received_ms,
            body_bytes=body_bytes,
            caller=caller,
        )
        self.taken.extend(checked.events)
        return checked.rows

    def ping(self) -> None:
        """A sign of life."""
        if self.is_away:
            raise StreamUnavailable

    def depth(self) -> int:
        """Events that wait."""
        self.ping()
        return len(self.taken)


@dataclass
class FakeChanges:
    """Counts the changes of items; is away when told so."""

    changed: list[tuple[int, ItemId]] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)
    version: int = 0
    epoch: str = "e-1"
    is_away: bool = False

    def stamp(self) -> Stamp:
        """How far it has come."""
        self._answer()
        return Stamp(self.epoch, self.version, 0, frozenset(self.pending))

    def since(self, version: int) -> list[ItemId] | None:
        """What changed after a version."""
        self._answer()
        return [item_id for number, item_id in self.changed if number > version]

    def begin(self, item_ids: Iterable[ItemId]) -> None:
        """Items are about to change."""
        self._answer()
        self.pending |= set(item_ids)

    def done(self, item_ids: Sequence[ItemId]) -> None:
        """They have changed."""
        self._answer()
        self.version += 1
        self.pending -= set(item_ids)
        self.changed += [(self.version, item_id) for item_id in item_ids]

    def settle(self) -> int:
        """Nothing is old here."""
        self._answer()
        return 0

    def _answer(self) -> None:
        if self.is_away:
            raise StreamUnavailable


@dataclass
class FakeOnline:
    """The last steps of people, by pseudonym; each step raises the person's state."""

    changes: FakeChanges
    held: dict[str, list[PastEvent]] = field(default_factory=dict)
    denials: dict[str, frozenset[str]] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)

    @property
    def is_away(self) -> bool:
        """Whether Valkey is away, for everybody who asks it."""
        return self.changes.is_away

    @is_away.setter
    def is_away(self, is_away: bool) -> None:
        self.changes.is_away = is_away

    def note(self, denials: Mapping[UserId, Iterable[str]]) -> None:
        """What people deny."""
        self.denials |= {user_id: frozenset(purposes) for user_id, purposes in denials.items()}

    def denied(self, purpose: str, user_ids: Iterable[UserId]) -> set[UserId]:
        """Who denied a purpose."""
        if self.is_away:
            raise StreamUnavailable
        return {one for one in user_ids if purpose in self.denials.get(one, ())}

    def recent(self, user_id: str) -> Recent:
        """What is held."""
        if self.is_away:
            raise StreamUnavailable
        is_denied = "personalisation" in self.denials.get(user_id, ())
        state = self.states.get(user_id, 0)
        return Recent(self.held.get(user_id), state, is_denied, self.changes.stamp())

    def remember(self, events: Iterable[Event], *, changed: Iterable[UserId] = ()) -> None:
        """These people are other ones now."""
        for user_id in changed:
            self.states[user_id] = self.states.get(user_id, 0) + 1
            self.held.pop(user_id, None)

    def fill(self, user_id: str, events: Sequence[PastEvent], state: int) -> bool:
        """Hold it."""
        self.held[user_id] = list(events)
        return True


@dataclass
class FakePages:
    """Lists by name; away with the rest of Valkey."""

    changes: FakeChanges
    held: dict[str, Listed] = field(default_factory=dict)

    def keep(self, listed: Listed) -> str:
        """Keep a list."""
        self.changes.stamp()
        name = f"{len(self.held):032x}"
        self.held[name] = listed
        return name

    def find(self, name: str) -> Listed | None:
        """The list."""
        self.changes.stamp()
        return self.held.get(name)


@dataclass
class FakeJobs:
    """Remembers what was asked for."""

    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    fails: Exception | None = None

    def train(self, run_id: str, options: dict[str, Any]) -> None:
        """Remember it."""
        if self.fails is not None:
            raise self.fails
        self.asked.append((run_id, options))


@dataclass
class FakeErasures:
    """Remembers whom it was told to erase."""

    erased: list[UserId] = field(default_factory=list)

    def erase(self, user_id: UserId, *, by: str) -> Receipt:
        """An empty receipt."""
        self.erased.append(user_id)
        return self.get(ReceiptId("e-1"))

    def get(self, receipt_id: ReceiptId) -> Receipt:
        """An empty receipt."""
        return Receipt(
            receipt_id=receipt_id,
            state=ErasureState.DONE,
            requested_at=NOW_MS,
            finished_at=NOW_MS,
            retrain_by=NOW_MS,
            by="ops",
        )

    def reopen(self, first: UserId, current: UserId, *, by: str) -> int | None:
        """Nobody was erased."""
        return None


@dataclass
class World:
    """An application on stand-ins, and the stand-ins."""

    app: Flask
    graph: FakeGraph
    stream: FakeStream
    online: FakeOnline
    jobs: FakeJobs
    models: LiveModel
    shelf: Shelf
    versions: dict[str, ServingModel]
    changes: FakeChanges
    pages: FakePages

    @property
    def client(self) -> FlaskClient:
        """A client of the application."""
        return self.app.test_client()

    def hide(self, *item_ids: str) -> None:
        """The shop takes items away, as another process would."""
        self.graph.answers[on_shelf] = showing(*item_ids)
        self.changes.done([ItemId(item_id) for item_id in item_ids])


def web_settings(**changes: Any) -> WebSettings:
    """Settings that need no environment."""
    return WebSettings(api_keys=KEYS, model_store="models", **changes)


def stored_model(version: str = "m-1", **changes: Any) -> Model:
    """A model as the graph knows it."""
    told: dict[str, Any] = {
        "version": ModelVersion(version),
        "status": ModelStatus.LIVE,
        "slot": Slot.BLUE,
        "profile": "paper",
        "as_of_ms": NOW_MS,
        "data_seq": 1,
        "created_at": NOW_MS,
    }
    return Model(**{**told, **changes})


def known(
    *past: PastEvent,
    embedding: list[float] | None = None,
    pointer: str | None = "m-1",
    consent: dict[str, str] | None = None,
) -> Known:
    """What the graph knows of a customer."""
    person = Person(
        user_id=PSEUDONYMS.customer("u-1")[0],
        kind="customer",
        consent=consent or {},
        embedding=embedding,
    )
    return Known(pointer=ModelVersion(pointer) if pointer else None, person=person, past=past)


def viewed(item_id: str, *, ts: int = NOW_MS - 1000, kind: EventType = EventType.VIEW) -> PastEvent:
    """A step of a person."""
    return PastEvent(kind, ItemId(item_id), ts, None)


def showing(*hidden: str, categories: Mapping[str, str] | None = None) -> Callable[..., Any]:
    """A shelf on which everything but these may be shown."""
    filed = categories or {}

    def answer(item_ids: Sequence[ItemId]) -> dict[ItemId, OnShelf]:
        return {
            item_id: OnShelf(
                is_away=item_id in hidden,
                categories=(filed[item_id],) if item_id in filed else (),
            )
            for item_id in item_ids
        }

    return answer


def everybody(*, after_idx: int, page: int) -> UserPage:
    """The people of the graph: the shop's customers u-0 to u-9."""
    ids = [PSEUDONYMS.customer(f"u-{number}")[0] for number in range(10)] if not after_idx else []
    return UserPage(idx=list(range(len(ids))), user_id=list(ids), n=len(ids), last=len(ids))


def world(
    model: FakeModel | None = None,
    answers: dict[Callable[..., Any], Any] | None = None,
    verify_schema: Callable[[], None] = lambda: None,
    webhooks: Mapping[str, Webhook] | None = None,
    deliveries: Any = None,
    **settings: Any,
) -> World:
    """An application on stand-ins; with a model, it is live."""
    versions: dict[str, ServingModel] = {} if model is None else {model.version: model}
    graph = FakeGraph(
        {
            models.live: None if model is None else stored_model(model.version),
            on_shelf: showing(categories=model.category if model else None),
            recommendations.reasons: {},
            pulls.users: everybody,
            items.popular: [],
            training_runs.latest: [],
            tombstones.among: set(),
            quality_reports.latest: None,
            look_up: Known(pointer=None, person=None, past=()),
            **(answers or {}),
        }
    )

    def load(version: ModelVersion) -> ServingModel:
        if version not in versions:
            raise ModelUnusable("no such folder")
        return versions[version]

    changes = FakeChanges()
    pages = FakePages(changes)
    stream, online, jobs = FakeStream(), FakeOnline(changes), FakeJobs()
    shelf, acquaintances = Shelf(graph, changes, now_ms=lambda: NOW_MS), Acquaintances()
    live = LiveModel(graph, load, shelf, acquaintances)
    app = create_app(
        Parts(
            graph=graph,
            intake=stream,
            online=online,
            jobs=jobs,
            denials=online,
            erasures=FakeErasures(),
            letters=DeadLetters(NOWHERE),
            replay=Replay(NOWHERE, PSEUDONYMS),
            pseudonyms=PSEUDONYMS,
            models=live,
            shelf=shelf,
            acquaintances=acquaintances,
            kept=Kept(now_ms=lambda: NOW_MS),
            met=Kept(now_ms=lambda: NOW_MS),
            pages=pages,
            bookmarks=Bookmarks(NOWHERE),
            deliveries=deliveries or Deliveries(NOWHERE),
            webhooks=webhooks or {},
            counted=PopularCount(graph, now_ms=lambda: NOW_MS, window_ms=30 * 86_400_000),
            keys=Keys.parse(KEYS, origins=ORIGIN),
            settings=web_settings(**settings),
            clock_ms=lambda: NOW_MS,
            verify_schema=verify_schema,
        )
    )
    if model is not None:
        live.refresh()
    return World(app, graph, stream, online, jobs, live, shelf, versions, changes, pages)


def view_row(event_id: str, at: str, **changes: Any) -> dict[str, Any]:
    """A good view as a shop sends it, changed; ``...`` takes a field away."""
    good = {
        "event_id": event_id,
        "event_type": "view",
        "user_id": "u-17",
        "device_id": "phone",
        "item_id": "SKU-1",
        "event_time": at,
    } | changes
    return {name: value for name, value in good.items() if value is not ...}
