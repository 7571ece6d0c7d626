"""What every layout of a log says of itself, and what it makes of one record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from graph.domain.catalogue import Item
from workers.connectors.errors import SourceUnreadable
from workers.intake.times import EpochMs

Event = dict[str, Any]
"""A raw event of our own schema."""

LINES = 1_000_000
"""Line numbers of an order are below it; records of one order stand close together."""

Form = Literal["table", "json", "words"]


class Unusable(Exception):
    """A record that says nothing we could store; the text is the reason, without its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    What a file does not say about itself.

    Attributes:
        currency: ISO-4217 code of its prices.
        zone: IANA name of the zone of its times.
        year: of its days.
        begin: when its first event happened, milliseconds UTC, for files without times.
        behaviours: its own names of behaviours, as our event types.
    """

    currency: str | None = None
    zone: str | None = None
    year: int | None = None
    begin: int | None = None
    behaviours: Mapping[str, str] = field(default_factory=dict)

    def over(self, usual: "Options") -> "Options":
        """These, and those of ``usual`` where nothing was said."""
        said = {
            name: value
            for name in ("currency", "zone", "year", "begin")
            if (value := getattr(self, name)) is not None
        }
        return replace(usual, **said, behaviours={**usual.behaviours, **self.behaviours})


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a record stands; what has no id of its own is known by it.

    Attributes:
        file: name of the file without its endings, the same whether packed or not.
        line: of its first character, from 1.
    """

    file: str
    line: int

    @property
    def event_id(self) -> str:
        """Of an event without an id."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a record says: events, and what it knows about items."""

    events: Sequence[Event] = ()
    items: Sequence[Item] = ()


Read = Callable[[Mapping[str, Any], Place, Options], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """
    One kind of file.

    Attributes:
        name: on the command line, and the source of its events.
        title: what it is, in a few words.
        columns: those that ``read`` looks at, by our names for them.
        places: of a file without a heading, all columns in order; empty where it always has one.
        names: other headings of a column.
        delimiter: between cells; more than one character means that nothing is quoted.
        encodings: in the order in which they are tried.
    """

    name: str
    title: str
    read: Read
    columns: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    form: Form = "table"
    delimiter: str = ","
    encodings: tuple[str, ...] = ("utf-8-sig",)
    usual: Options = field(default_factory=Options)
    needs: tuple[str, ...] = ()

    def options(self, said: Options) -> Options:
        """
        With those that are usual for this layout.

        Raises:
            SourceUnreadable: the file does not say what is needed, and nobody else did.
        """
        whole = said.over(self.usual)
        missing = [f"--{name.removesuffix('s')}" for name in self.needs if not getattr(whole, name)]
        if missing:
            raise SourceUnreadable(f"a file of layout {self.name} needs {', '.join(missing)}")
        return whole


def event(kind: str, place: Place, item_id: str, when: EpochMs, **more: Any) -> Event:
    """An event of one item; fields without a value are left out."""
    found = {
        "event_id": place.event_id, "event_type": kind, "item_id": item_id, "event_time": when
    }  # fmt: skip
    found.update((name, value) for name, value in more.items() if value is not None)
    if kind == "purchase":
        # A log that knows no orders: each purchase is one of its own.
        found.setdefault("order_id", place.event_id)
    return found


def ordered(bought: Event, order_id: str, place: Place, **more: Any) -> Event:
    """A purchase as one line of an order whose other lines stand in other records."""
    line = {"line": place.line % LINES, "item_id": bought["item_id"]} | more
    return bought | {"order_id": order_id, "lines": [line]}


def behaviour(text: str, known: Mapping[str, str]) -> str:
    """Our event type for a name in the file; raises ``Unusable`` for one that is not known."""
    try:
        return known[text]
    except KeyError:
        raise Unusable("unknown_event_type") from None
