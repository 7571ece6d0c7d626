"""What an application is made of, and how its views get at it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Flask, current_app

from backend.acquaintances import Acquaintances
from backend.auth import Keys
from backend.breaker import GraphPort
from backend.counted import PopularCount
from backend.kept import Kept
from backend.live import LiveModel
from backend.settings import WebSettings
from backend.shelf import Shelf
from graph.domain.erasures import Receipt, ReceiptId
from graph.domain.events import Event
from graph.domain.ids import UserId
from graph.events import PastEvent
from workers.intake.bookmarks import Bookmarks
from workers.intake.deadletters import DeadLetters
from workers.intake.deliveries import Deliveries, Webhook
from workers.intake.online import Recent
from workers.intake.pages import Listed
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.replay import Replay
from workers.intake.rows import Caller, RowResult


class Rows(Protocol):
    """Where event rows are checked, and kept safe until they are in the graph."""

    def take(
        self,
        rows: Sequence[object],
        caller: Caller,
        *,
        received_ms: int,
        body_bytes: int | None = None,
    ) -> list[RowResult]:
        """Keep the good rows on disk; raises ``StreamUnavailable`` when that cannot be done."""
        ...

    def ping(self) -> None:
        """Ask for a sign of life; raises ``StreamUnavailable``."""
        ...

    def depth(self) -> int:
        """Entries that are not in the graph yet; raises ``StreamUnavailable``."""
        ...


class Denials(Protocol):
    """Who denied what, for every process at once."""

    def note(self, denials: Mapping[UserId, Iterable[str]]) -> object:
        """Note all that these people deny now; raises ``StreamUnavailable``."""
        ...

    def denied(self, purpose: str, user_ids: Iterable[UserId]) -> set[UserId]:
        """Those of these people who denied a purpose; raises ``StreamUnavailable``."""
        ...


class RecentEvents(Protocol):
    """The last steps of each person, a moment old at most."""

    def recent(self, user_id: UserId) -> Recent:
        """What is held of a person; raises ``StreamUnavailable``."""
        ...

    def remember(self, events: Iterable[Event], *, changed: Iterable[UserId] = ()) -> None:
        """Have the list of some people read from the graph again."""
        ...

    def fill(self, user_id: UserId, events: Sequence[PastEvent], state: int) -> bool:
        """Hold what the graph knows of a person."""
        ...


class KeptPages(Protocol):
    """Where the rest of a list waits; raises ``StreamUnavailable``."""

    def keep(self, listed: Listed) -> str:
        """Keep a list and give its name."""
        ...

    def find(self, name: str) -> Listed | None:
        """The list, if it is still kept."""
        ...


class Erasing(Protocol):
    """Takes people out of every store."""

    def erase(self, user_id: UserId, *, by: str) -> Receipt:
        """Erase a person; raises ``GraphUnavailable`` or ``StreamUnavailable``."""
        ...

    def get(self, receipt_id: ReceiptId) -> Receipt:
        """A receipt; raises ``UnknownReceipt``."""
        ...

    def reopen(self, first: UserId, current: UserId, *, by: str) -> int | None:
        """Let somebody who was erased in again as somebody new."""
        ...


class TrainingJobs(Protocol):
    """The door to the workers."""

    def train(self, run_id: str, options: dict[str, Any]) -> None:
        """Have a training run done."""
        ...


def now_ms() -> int:
    """The time of this machine, milliseconds UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class Parts:
    """
    Everything an application is put together from.

    Attributes:
        kept: answers that are still true.
        met: people who were looked up a moment ago.
        verify_schema: raises ``SchemaMissing`` while the graph has not been migrated.
    """

    graph: GraphPort
    intake: Rows
    online: RecentEvents
    jobs: TrainingJobs
    denials: Denials
    erasures: Erasing
    letters: DeadLetters
    replay: Replay
    pseudonyms: Pseudonyms
    models: LiveModel
    shelf: Shelf
    counted: PopularCount
    acquaintances: Acquaintances
    kept: Kept[Any]
    met: Kept[Any]
    pages: KeptPages
    bookmarks: Bookmarks
    deliveries: Deliveries
    webhooks: Mapping[str, Webhook]
    keys: Keys
    settings: WebSettings
    clock_ms: Callable[[], int] = now_ms
    verify_schema: Callable[[], None] = lambda: None


def wire(app: Flask, parts: Parts) -> None:
    """Put the parts where the views find them."""
    app.extensions["shopgraph"] = parts


def parts() -> Parts:
    """The parts of the application that answers."""
    found = current_app.extensions["shopgraph"]
    assert isinstance(found, Parts)
    return found


def graph() -> GraphPort:
    """The graph."""
    return parts().graph


def models() -> LiveModel:
    """The live model."""
    return parts().models


def pseudonyms() -> Pseudonyms:
    """The makers of pseudonyms."""
    return parts().pseudonyms


def clock_ms() -> int:
    """The time, milliseconds UTC."""
    return parts().clock_ms()
