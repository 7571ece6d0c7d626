"""Who answers people without a stored vector: the blend, where it is no worse than the cosine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray

from ml.behaviours import Weights, usual_weights
from ml.cold.blend import COUNTS, ColdBlend, ColdConfig
from ml.cold.cases import Arrival, before, lives
from ml.config import DAY_MS, PaperConfig
from ml.dataset import Catalogue, Interactions
from ml.evaluation.ranking import Cases, rank_cases
from ml.evaluation.ranking_metrics import per_case
from ml.ranking.sequences import Ranker, Sequences
from ml.serving.history import KnownEvents
from ml.serving.session import by_direction

log = structlog.get_logger(__name__)

FIGURE, DEEPEST = "ndcg@20", 20
HELD_OUT = 0.2
"""Share of people whom the blend does not count, so that they are strangers to it."""

MOST_CASES, FEWEST_CASES = 200, 50
"""Questions per number of known events, in a small shop and in one of very many items."""

MOST_SCORES = 20_000_000
"""Items scored per number of known events, where that leaves enough questions."""

MOST_EVENTS = 2_000_000
"""Only so many of the newest events are counted; this bounds time and memory of a run."""

BLOCK = 32
UNLISTED = np.float32(-1e30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """
    What the cosine knows of the items at a cutoff.

    Shapes, V items:
        direction:  (V, 128) float32; popularity: (V,) float32; is_listed: (V,) bool
        weights: strength of one event by behaviour code
    """

    direction: NDArray[np.float32]
    popularity: NDArray[np.float32]
    is_listed: NDArray[np.bool_]
    weights: Weights = field(default_factory=usual_weights)


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    The blend, where it is to answer, and the figures it was judged by.

    Attributes:
        figures: mean NDCG@20 of both over the numbers of known events, all numbers alike.
    """

    blend: ColdBlend | None
    figures: dict[str, float] = field(default_factory=dict)


def judge_strangers(
    data: Interactions, cutoff: int, end: int, shelf: Shelf, config: PaperConfig
) -> Verdict:
    """
    Learn before ``cutoff``, then ask both about people held out who arrive before ``end``.

    The blend answers only where it is not worse; without a single question nothing speaks for it.
    The cosine has seen what these people did before the cutoff, and so has the small advantage.
    """
    everybody = _newest(data.before(end))
    is_stranger = np.random.default_rng(config.seed).random(len(everybody)) < HELD_OUT
    past = before(everybody, cutoff).take(~is_stranger)
    if not len(past.item):
        return Verdict(None, {"strangers_by_blend": 0.0})
    blend = _blend(data.catalogue, config)
    blend.fit(past)
    arrival = Arrival(cutoff=cutoff, horizon=config.horizon_days * DAY_MS)
    strangers = everybody.take(is_stranger)
    most = most_cases(data.n_items)
    asked = {k: arrival.cases(strangers, k, most)[0] for k in COUNTS}
    asked = {k: cases for k, cases in asked.items() if len(cases)}
    ours, theirs = _gains(blend, asked, shelf), _gains(_Cosine(shelf), asked, shelf)
    figures = _figures(ours, theirs, sum(map(len, asked.values())))
    log.info("strangers_judged", **figures, by_count_blend=ours, by_count_session=theirs)
    return Verdict(blend if figures["strangers_by_blend"] else None, figures)


def most_cases(items: int) -> int:
    """How many questions per number of known events a shop of so many items is asked."""
    return min(MOST_CASES, max(FEWEST_CASES, MOST_SCORES // max(items, 1)))


def recounted(blend: ColdBlend, data: Interactions, config: PaperConfig) -> ColdBlend:
    """The same weights with everybody in ``data`` counted; raises ``NotEnoughData``."""
    fresh = _blend(data.catalogue, config)
    fresh.weights = blend.weights
    fresh.recount(_newest(data))
    return fresh


def _figures(
    ours: Mapping[int, float], theirs: Mapping[int, float], cases: int
) -> dict[str, float]:
    if not cases:
        return {"strangers_by_blend": 0.0}
    blend, session = float(np.mean(list(ours.values()))), float(np.mean(list(theirs.values())))
    return {
        "validation_strangers_cases": float(cases),
        "validation_strangers_blend_ndcg20": blend,
        "validation_strangers_session_ndcg20": session,
        "strangers_by_blend": float(blend >= session),
    }


def _gains(model: Ranker, asked: Mapping[int, Cases], shelf: Shelf) -> dict[int, float]:
    """Mean NDCG@20 by number of known events."""
    shown = _Shown(model, shelf.is_listed)
    found = {}
    for k, cases in asked.items():
        ranked = rank_cases(shown, cases, block=BLOCK, deepest=DEEPEST)
        found[k] = float(per_case(ranked, cases, FIGURE).mean())
    return found


def _blend(catalogue: Catalogue, config: PaperConfig) -> ColdBlend:
    """One that learns quickly; what is unknown about an item is a group of its own."""
    groups = {"category": catalogue.category, "brand": catalogue.brand}
    return ColdBlend(
        {name: code.astype(np.int64) + 1 for name, code in groups.items()},
        ColdConfig(
            horizon_days=config.horizon_days,
            arrivals=(0.7, 0.9),
            people=300,
            candidates=300,
            ahead=50,
            neighbours=100,
            seed=config.seed,
        ),
    )


def _newest(data: Interactions) -> Sequences:
    """One row per person, of the newest events alone."""
    if len(data) > MOST_EVENTS:
        data = data.between(int(data.ts[-MOST_EVENTS]), data.end_ms)
    return lives(data)


class _Shown:
    """A ranker whose unlisted items come last, as no answer has them."""

    def __init__(self, ranker: Ranker, is_listed: NDArray[np.bool_]) -> None:
        self._ranker = ranker
        self._is_listed = is_listed

    def fit(self, past: Sequences) -> None:
        """It is fitted already."""

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) those of the ranker."""
        return np.where(self._is_listed, self._ranker.scores(prefixes), UNLISTED)


class _Cosine:
    """The answer by directions, asked at the moment of the last known event."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def fit(self, past: Sequences) -> None:
        """Its vectors come from the paper's model."""

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V), one row after the other, as they are served."""
        return np.stack([self._row(prefixes, k) for k in range(len(prefixes))])

    def _row(self, prefixes: Sequences, k: int) -> NDArray[np.float32]:
        part = slice(prefixes.start[k], prefixes.start[k + 1])
        assert prefixes.code is not None
        assert prefixes.ts is not None
        item, ts = prefixes.item[part].astype(np.int64), prefixes.ts[part]
        events = KnownEvents(item, prefixes.code[part], ts, np.zeros(len(item), np.float32))
        now_ms = int(ts[-1]) if len(ts) else 0
        shelf = self._shelf
        found = by_direction(shelf.direction, shelf.popularity, events, now_ms, shelf.weights)
        return found.astype(np.float32)
