"""Reads all that a report is made from: the graph by type, the counts of the door by the hour."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from graph import quality, quality_reports
from graph.client import Graph
from graph.domain.quality import Window
from workers.intake.bookmarks import Bookmarks
from workers.intake.deadletters import DeadLetters
from workers.intake.stream import EventStream
from workers.intake.tally import HOUR_MS, Counts, Place, Tally
from workers.quality.settings import QualitySettings

DAY_MS = 86_400_000


@dataclass(slots=True)
class Source:
    """
    What is known of a source from the window and the days before it.

    Attributes:
        last_ms: the newest receipt.
        before: events of the days before, by type.
        days: on how many of them it sent anything.
    """

    last_ms: int = 0
    before: Counter[str] = field(default_factory=Counter)
    days: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What the figures are made from.

    Attributes:
        tallies: by source and type, from the graph.
        counts: from the door and the ingest, over the same hours.
        waiting: accepted events on the stream; ``None`` where they are too many to be counted.
        prices, prices_before: rows by class of price, by source and type.
        funnel: by source, purchases, and those of things never looked at.
    """

    window: Window
    tallies: dict[Place, quality.Tally]
    counts: Counts
    waiting: Counter[Place] | None
    sources: dict[str, Source]
    prices: dict[Place, Counter[int]]
    prices_before: dict[Place, Counter[int]]
    funnel: dict[str, tuple[int, int]]
    letters: int
    connectors: dict[str, int]
    catalogue: bool

    @property
    def as_of_ms(self) -> int:
        """The end of the window."""
        return self.window.end_ms


def window_at(as_of_ms: int, hours: int) -> Window:
    """The running hour and those before it, as the door counts by whole hours."""
    first = as_of_ms // HOUR_MS - (hours - 1)
    return Window(first * HOUR_MS, as_of_ms)


def read_facts(graph: Graph, redis_url: str, settings: QualitySettings, as_of_ms: int) -> Facts:
    """
    Everything as of a moment.

    Raises:
        GraphUnavailable, StreamUnavailable: a store is away.
    """
    tally, stream = Tally(redis_url), EventStream(redis_url)
    window = window_at(as_of_ms, settings.window_hours)
    # The door first: what it accepts meanwhile may be in the graph, and is not missed there.
    counts, waiting = tally.read(window.begin_ms, window.end_ms), stream.waiting()
    before = Window(window.begin_ms - settings.compare_days * DAY_MS, window.begin_ms)
    window = window._replace(after_seq=graph.read(quality_reports.seq_at, window.begin_ms))
    before = before._replace(after_seq=graph.read(quality_reports.seq_at, before.begin_ms))
    catalogue = graph.read(quality.has_catalogue)
    tallies = _tallies(graph, window, settings, catalogue=catalogue)
    return Facts(
        window=window,
        tallies=tallies,
        counts=counts,
        waiting=None if waiting is None else Counter((one.source, one.type) for one in waiting),
        sources=_sources(graph, before, tallies),
        prices=_prices(graph, window),
        prices_before=_prices(graph, before),
        funnel={source: (n, odd) for source, n, odd in graph.read(quality.funnel, window)},
        letters=DeadLetters(redis_url).depth(),
        connectors={name: one.until_ms for name, one in Bookmarks(redis_url).all().items()},
        catalogue=catalogue,
    )


def _tallies(
    graph: Graph, window: Window, settings: QualitySettings, *, catalogue: bool
) -> dict[Place, quality.Tally]:
    return {
        (one.source, kind): one
        for kind in quality.KINDS
        for one in graph.read(
            quality.tallies,
            kind,
            window,
            fields=settings.expected.get(kind, ()),
            catalogue=catalogue,
        )
    }


def _sources(
    graph: Graph, before: Window, tallies: dict[Place, quality.Tally]
) -> dict[str, Source]:
    """Sources that send by themselves; one whose rows were all imported is none."""
    found: defaultdict[str, Source] = defaultdict(Source)
    for kind in quality.KINDS:
        for source, day, n, last in graph.read(quality.counts_by_day, kind, before, day_ms=DAY_MS):
            one = found[source]
            one.before[kind] += n
            one.days.add(day)
            one.last_ms = max(one.last_ms, last)
    for (source, _), tally in tallies.items():
        if tally.last_ms is not None:
            found[source].last_ms = max(found[source].last_ms, tally.last_ms)
    return dict(found)


def _prices(graph: Graph, window: Window) -> dict[Place, Counter[int]]:
    found: defaultdict[Place, Counter[int]] = defaultdict(Counter)
    for kind in quality.KINDS:
        for source, price_class, n in graph.read(quality.price_classes, kind, window):
            found[source, kind][price_class] += n
    return dict(found)
