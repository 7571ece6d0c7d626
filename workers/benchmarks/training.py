"""How fast behaviour becomes a model, stage by stage, and how the cost grows."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.domain.events import ITEM_BEHAVIOURS, EventType
from ml import training
from ml.cold.cases import lives
from ml.config import DAY_MS, PaperConfig, Progress
from ml.dataset import Catalogue, Interactions
from ml.fusion import Content, Fusion, FusionConfig
from workers.benchmarks.figures import Bar, Figure, exponent

STEPS = (16, 4, 1)
"""The log is cut to a sixteenth and a quarter of its size, then taken whole."""

CONFIG = PaperConfig(max_epochs=1, min_positives=1)
DAYS = 120
MILLION = 1_000_000
SHELVES = 50
FAVOURITES = 3
VIEW = ITEM_BEHAVIOURS[EventType.VIEW].code
SHARES = {EventType.VIEW: 0.90, EventType.CART: 0.06, EventType.PURCHASE: 0.04}
"""How often each behaviour happens in the made-up log."""


@dataclass(slots=True)
class Stages:
    """Seconds by stage, from the reports of a run."""

    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = "split"
    _since: float = field(default_factory=time.perf_counter)

    def tell(self, said: Progress) -> None:
        """A report came: the time since the last one belongs to the stage before it."""
        now = time.perf_counter()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = said.stage, now


def training_figures(
    events: int,
    report: Callable[[str], None],
    steps: Sequence[int] = STEPS,
    config: PaperConfig = CONFIG,
) -> Iterator[Figure]:
    """
    Train on a made-up shop, one epoch.

    Args:
        events: size of the largest log.
        steps: what the size is divided by, largest first; the last one is 1.
        report: told what is being measured.
    """
    costs = list[tuple[float, float]]()
    stages = Stages()
    for step in steps:
        size = events // step
        report(f"{size:,} events, one epoch")
        log, began = made_up_log(size), time.perf_counter()
        stages = Stages()
        with tempfile.TemporaryDirectory() as folder:
            training.train(
                log,
                config,
                folder=Path(folder) / "m",
                version="m-benchmark",
                report=stages.tell,
            )
        costs.append((float(size), time.perf_counter() - began))
    yield _towers(made_up_log(events), report)
    for stage, seconds in stages.seconds.items():
        yield Figure(f"stage {stage}", events / max(seconds, 1e-9), "events/s", detail=_s(seconds))
    whole = costs[-1][1]
    yield Figure("whole run, one epoch", events / whole, "events/s", detail=_s(whole))
    small = ", ".join(f"{int(n):,} events {_s(cost)}" for n, cost in costs)
    yield Figure("growth exponent", exponent(costs), "", 1.1, Bar.AT_MOST, small)


def _towers(log: Interactions, report: Callable[[str], None]) -> Figure:
    """One epoch of the two towers, scaled to a million events."""
    report(f"{len(log):,} events, one epoch of the two towers")
    catalogue = log.catalogue
    content = Content(category=catalogue.category.astype(np.int64))
    towers, past = Fusion(FusionConfig(epochs=1), content), lives(log)
    began = time.perf_counter()
    towers.fit(past)
    million = (time.perf_counter() - began) * MILLION / len(log)
    detail = f"{MILLION / million:,.0f} events/s"
    return Figure("1 M events, one epoch of the towers", million, "s", 60, Bar.AT_MOST, detail)


def made_up_log(
    events: int, seed: int = 1, *, people: int | None = None, goods: int | None = None
) -> Interactions:
    """
    A shop with favourites: people have a taste, goods have a rank, purchases follow views, and
    each person comes back to a few things, to look at them and more often to buy them again.

    Where nothing else is said there are 50 events a person and 10 an item, as in the shops we know.
    """
    rng = np.random.default_rng(seed)
    people, goods = people or max(events // 50, 20), goods or max(events // 10, 100)
    user = np.sort(rng.integers(0, people, events))
    taste = rng.integers(0, SHELVES, people)
    # Half of what somebody does is on goods of their taste; low numbers are sought after.
    ranked = np.minimum(rng.zipf(1.3, events) - 1, goods // SHELVES - 1)
    shelf = np.where(rng.random(events) < 0.5, taste[user], rng.integers(0, SHELVES, events))
    item = ranked * SHELVES + shelf
    code = _codes(rng, events)
    ts = rng.integers(0, DAYS * DAY_MS, events)
    by_time = np.lexsort((ts, user))
    # What is bought is what the same person touched just before.
    bought = np.flatnonzero((code[1:] != VIEW) & (user[1:] == user[:-1])) + 1
    item[bought] = item[bought - 1]
    again = np.flatnonzero(rng.random(events) < np.where(code == VIEW, 0.2, 0.5))
    favourites = rng.integers(0, goods, (people, FAVOURITES))
    item[again] = favourites[user[again], rng.integers(0, FAVOURITES, len(again))]
    return Interactions.of(
        user=user,
        item=item,
        code=code,
        ts=1_700_000_000_000 + ts[by_time],
        price=100.0 + item % SHELVES,
        user_ids=[f"c_{row}" for row in range(people)],
        catalogue=Catalogue.of(
            [f"item-{row}" for row in range(goods)],
            categories=[f"shelf {row % SHELVES}" for row in range(goods)],
        ),
    )


def _codes(rng: np.random.Generator, events: int) -> NDArray[np.int8]:
    codes = [ITEM_BEHAVIOURS[kind].code for kind in SHARES]
    return rng.choice(codes, events, p=list(SHARES.values())).astype(np.int8)


def _s(seconds: float) -> str:
    return f"{seconds:,.1f} s"
