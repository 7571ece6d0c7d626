"""The live model: NumPy arrays from a folder, answering in milliseconds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import Weights, weights_of
from ml.calibration import Platt
from ml.config import DAY_MS
from ml.distinct import distinct, numbered
from ml.errors import ModelBroken
from ml.features.items import ItemCounters
from ml.features.pairs import PairFeatures, Some, Window
from ml.serving.codes import Codes
from ml.serving.head import Head
from ml.serving.history import PastEvents, known_events
from ml.serving.intent import IntentScorer
from ml.serving.session import Scores, by_direction
from ml.serving.short import Scored, Shortlist, ShortRows
from ml.serving.store import read_arrays, read_manifest, read_shortlist
from ml.serving.strangers import Strangers

NEW_DAYS = 30
"""An item without any event is listed this long after it was created."""

FEW = 0.25
"""Up to this share of a catalogue its items are looked at one by one, above it all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingModel:
    """
    Everything that answers need; made by ``load``, never changed.

    Shapes, V items:
        embedding:   (V, 64)  float32, the items' part of the head (q)
        direction:   (V, 128) float32, [item2vec ; graph], each half of length 1; cosine = dot / 2
        category_of: (V,)     int32, position in ``categories``, -1 where unknown
        is_listed:   (V,)     bool, may appear in lists: had events, or is new
        neighbour, neighbour_cosine: (V, k), the edges ``SIMILAR_TO`` of the graph, -1 for none

    Attributes:
        short: the few items that are worth a look; ``None``: nobody could tell.
        codes: of listed items, by likeness; ``None``: few enough to look at all of them.
        intent: the champion for pairs that the person has touched; ``None``: the paper's model.
        strangers: the blend for people without a stored vector; ``None``: a cosine.
        weights: strength of one event by behaviour code.
    """

    version: str
    as_of_ms: int
    item_ids: tuple[str, ...]
    categories: tuple[str, ...]
    category_of: NDArray[np.int32]
    is_listed: NDArray[np.bool_]
    embedding: NDArray[np.float32]
    direction: NDArray[np.float32]
    neighbour: NDArray[np.int32]
    neighbour_cosine: NDArray[np.float32]
    short: ShortRows | None
    codes: Codes | None
    counters: ItemCounters
    head: Head
    touched_calibration: Platt
    new_calibration: Platt
    window_days: int
    metrics: dict[str, float]
    index: dict[str, int]
    intent: IntentScorer | None
    strangers: Strangers | None
    weights: Weights

    @classmethod
    def load(cls, folder: Path | str) -> "ServingModel":
        """
        Read a model folder.

        Raises:
            ModelBroken: a file is missing or changed, or a value is not finite.
        """
        place = Path(folder)
        manifest = read_manifest(place)
        try:
            intent = IntentScorer.of(place, manifest.get("champion"))
            arrays = read_arrays(place)
            strangers = Strangers.of(place, manifest, len(arrays["item_ids"]))
            made = cls._from(manifest, arrays, read_shortlist(place), intent, strangers)
            return replace(made, codes=Codes.load(place))
        except (KeyError, IndexError, TypeError, ValueError) as problem:
            raise ModelBroken(f"the model folder lacks something: {problem}") from problem

    @classmethod
    def _from(
        cls,
        manifest: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        short: Shortlist | None,
        intent: IntentScorer | None,
        strangers: Strangers | None,
    ) -> "ServingModel":
        item_ids = tuple(arrays["item_ids"].tolist())
        has_price = arrays["price"] > 0
        touched, new = arrays["calibration"].tolist()
        return cls(
            version=manifest["version"],
            as_of_ms=int(manifest["as_of_ms"]),
            item_ids=item_ids,
            categories=tuple(arrays["category_names"].tolist()),
            category_of=arrays["category"],
            is_listed=arrays["is_listed"],
            embedding=arrays["embedding"],
            direction=arrays["direction"],
            # Folders of before reasons were given from memory have none.
            neighbour=arrays.get("neighbour", np.zeros((len(item_ids), 0), np.int32)),
            neighbour_cosine=arrays.get("neighbour_cosine", np.zeros((len(item_ids), 0), "f4")),
            codes=None,
            short=ShortRows(short, arrays["category"], arrays["is_listed"]) if short else None,
            counters=ItemCounters(
                price=np.where(has_price, arrays["price"], np.nan).astype(np.float32),
                conversion=arrays["conversion"],
                slope=arrays["slope"],
                week=arrays["week"],
                popularity=arrays["popularity"],
                cart_to_buy=float(manifest["cart_to_buy"]),
            ),
            head=Head.of(arrays),
            touched_calibration=Platt(*touched),
            new_calibration=Platt(*new),
            window_days=int(manifest["window_days"]),
            metrics=manifest["metrics"],
            index={item_id: position for position, item_id in enumerate(item_ids)},
            intent=intent,
            strangers=strangers,
            weights=weights_of(manifest["config"].get("behaviour_weights", {})),
        )

    def score(
        self,
        user_vector: Sequence[float] | NDArray[Any],
        history: PastEvents,
        *,
        now_ms: int,
        items: Sequence[str] | None = None,
        among: NDArray[np.bool_] | None = None,
        is_short: bool = False,
    ) -> Scores | Scored:
        """
        Chance that the person buys each item within the model's horizon.

        Args:
            user_vector: the stored embedding, 64 numbers.
            history: events of the last ``window_days``; more do no harm.
            items: only these, in this order; ``None`` scores the whole catalogue.
            among: (V,) items that come into question, as ``only`` makes it, where they are few.
            is_short: only what is worth a look, where the folder has a shortlist: the items on it,
                those that the person touched, and those next to them.

        Returns:
            (V,) or (len(items),) probabilities. NaN for an unknown item and, without ``items``,
            for items that are not listed. Where not all were looked at, the items and their
            probabilities.
        """
        vector = np.asarray(user_vector, np.float32)
        if vector.shape != self.embedding.shape[1:] or not np.isfinite(vector).all():
            raise ValueError(f"a user vector is {self.embedding.shape[1]} finite numbers")
        window = self.window(history, now_ms)
        rows = self._few(window, among, is_short) if items is None else None
        if rows is not None:
            return Scored(rows, self._chances(vector, window, now_ms, rows))
        if items is None:
            everything = self._chances(vector, window, now_ms, slice(None))
            return np.where(self.is_listed, everything, np.nan)
        found = np.array([self.index.get(item_id, -1) for item_id in items], np.int64)
        wanted, place = numbered(found[found >= 0])
        out = np.full(len(found), np.nan)
        out[found >= 0] = self._chances(vector, window, now_ms, wanted)[place]
        return out

    def _few(
        self, window: Window, among: NDArray[np.bool_] | None, is_short: bool
    ) -> NDArray[np.int64] | None:
        """Where it is enough to look; ``None``: all at once is quicker, or nobody knows better."""
        if among is None:
            if not is_short or self.short is None:
                return None
            return self.short.of(self.categories_of(window), self.around(window))
        rows = np.flatnonzero(among & self.is_listed)
        return rows if len(rows) <= len(among) * FEW else None

    def around(self, window: Window) -> NDArray[np.int64]:
        """What the person touched inside the window, and what is next to that, where listed."""
        touched = distinct(window.item)
        near = self.neighbour[touched]
        found = np.concatenate([touched, near[near >= 0].astype(np.int64)])
        listed: NDArray[np.int64] = found[self.is_listed[found]]
        return listed

    def categories_of(self, window: Window) -> NDArray[np.int32]:
        """The categories that the person touched inside the window."""
        touched = distinct(self.category_of[window.item])
        return touched[touched >= 0]

    def session(self, history: PastEvents, now_ms: int) -> Scores:
        """
        How well each item fits what a person without a stored vector just did.

        Returns:
            (V,) scores that order items and are no chances; NaN where not listed. By the blend
            they are logarithms, mostly below 0; without one, a cosine plus a little popularity.
        """
        events = known_events(history, self.index, start_ms=0, end_ms=now_ms)
        if self.strangers is not None:
            score = self.strangers.scores(events)
        else:
            popularity = self.counters.popularity
            score = by_direction(self.direction, popularity, events, now_ms, self.weights)
        return np.where(self.is_listed, score, np.nan)

    def newcomers(self, category: str | None = None) -> Scores:
        """
        What somebody of whom nothing is known starts with.

        Returns:
            (V,) scores by the blend, NaN outside the category or not listed; what is popular
            where there is no blend.
        """
        if self.strangers is None:
            return self.popular(category)
        wanted = self.is_listed if category is None else self.is_listed & self._within(category)
        return np.where(wanted, self.strangers.start, np.nan)

    def popular(self, category: str | None = None) -> Scores:
        """(V,) weighted events, halved every 30 days; NaN outside the category or not listed."""
        wanted = self.is_listed & (self.counters.popularity > 0)
        if category is not None:
            wanted = wanted & self._within(category)
        return np.where(wanted, self.counters.popularity.astype(np.float64), np.nan)

    def similar(self, item_id: str, limit: int) -> list[tuple[str, float]]:
        """The nearest items by cosine, best first; empty for an item that is not known."""
        row = self.index.get(item_id)
        if row is None or not self.direction[row].any():
            return []
        if self.codes is not None:
            near = self.codes.near(self.direction[row], self.direction)
            if len(near.rows) > limit:
                return self.top(Scored(near.rows, near.values / 2), limit, exclude=(item_id,))
        cosine = (self.direction @ self.direction[row]).astype(np.float64) / 2
        return self.top(np.where(self.is_listed, cosine, np.nan), limit, exclude=(item_id,))

    def links(self, item_ids: Sequence[str], others: Sequence[str]) -> list[tuple[str, str, float]]:
        """Which of the others are next to which of the items in the graph, with their cosines."""
        rows = np.array([self.index[one] for one in item_ids if one in self.index], np.int64)
        wanted = np.array([self.index[one] for one in others if one in self.index], np.int64)
        near = self.neighbour[rows]
        at, place = np.nonzero(_is_among(near, np.sort(wanted)))
        columns = rows[at], near[at, place], self.neighbour_cosine[rows[at], place]
        return [
            (self.item_ids[row], self.item_ids[other], cosine)
            for row, other, cosine in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def only(self, item_ids: Collection[str]) -> NDArray[np.bool_]:
        """(V,) whether each item is one of these; those that are not known are left out."""
        found = np.zeros(len(self.item_ids), bool)
        found[[self.index[item_id] for item_id in item_ids if item_id in self.index]] = True
        return found

    def top(
        self,
        scores: NDArray[Any] | Scored,
        limit: int,
        exclude: Collection[str] = (),
        among: NDArray[np.bool_] | None = None,
    ) -> list[tuple[str, float]]:
        """
        The best items, in a total order: score falling, then item id rising.

        Scores that are not finite are left out.

        Args:
            among: (V,) items that come into question, as ``only`` makes it; ``None``: all.
        """
        out = [self.index[item_id] for item_id in exclude if item_id in self.index]
        if isinstance(scores, Scored):
            rows, wanted = scores.rows, np.isfinite(scores.values)
            if among is not None:
                wanted &= among[rows]
            values = np.where(wanted, scores.values, -np.inf)
            values[_is_among(rows, np.sort(np.array(out, np.int64)))] = -np.inf
        else:
            wanted = np.isfinite(scores) if among is None else np.isfinite(scores) & among
            rows, values = np.arange(len(scores)), np.where(wanted, scores, -np.inf)
            values[out] = -np.inf
        places = _best(values, limit)
        found = zip(rows[places].tolist(), values[places].tolist(), strict=True)
        named = [(self.item_ids[row], value) for row, value in found]
        return sorted(named, key=lambda one: (-one[1], one[0]))[: max(limit, 0)]

    def _chances(
        self, vector: NDArray[np.float32], window: Window, now_ms: int, rows: Some
    ) -> Scores:
        """(P,) chances of all items, or of some different ones, ascending."""
        features = PairFeatures(window, self.counters, now_ms)
        values = features.of_items(rows)
        logit = self.head.logits(vector, self.embedding[rows], values)
        chance = self.new_calibration.apply(logit)
        at, spot = features.touched_among(rows)
        touched = window.pairs[0][spot]
        chance[at] = self._of_touched(logit[at], touched, features, values[at], now_ms)
        return chance

    def _of_touched(
        self,
        logit: NDArray[Any],
        rows: NDArray[Any],
        features: PairFeatures,
        values: NDArray[np.float32],
        now_ms: int,
    ) -> Scores:
        """Chances of items that the person has touched, by the champion where there is one."""
        if self.intent is None or not len(rows):
            return self.touched_calibration.apply(logit)
        person = np.zeros(len(rows), np.int64)
        values = features.by(self.intent.side.counters, values, person, rows)
        return self.intent.probability(features.window, rows, now_ms, values)

    def window(self, history: PastEvents, now_ms: int) -> Window:
        """What a person did with known items in the last ``window_days``."""
        start = now_ms - self.window_days * DAY_MS
        events = known_events(history, self.index, start_ms=start, end_ms=now_ms)
        return Window(
            np.zeros(len(events.item), np.int32),
            events.item,
            events.code,
            events.ts,
            events.price,
            1,
            self.category_of,
            self.window_days,
            self.weights,
        )

    def _within(self, category: str) -> NDArray[np.bool_]:
        """(V,) items whose category is this one or lies below it."""
        below = (f"{category}/", f"{category} > ")
        inside = [name == category or name.startswith(below) for name in self.categories]
        return np.append(np.array(inside, bool), False)[self.category_of]


def _is_among(rows: NDArray[Any], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows are among a few sorted ones; for so few ``numpy.isin`` takes far longer."""
    if not len(wanted):
        return np.zeros(rows.shape, bool)
    spot = np.minimum(np.searchsorted(wanted, rows), len(wanted) - 1)
    found: NDArray[np.bool_] = wanted[spot] == rows
    return found


def _best(values: NDArray[Any], limit: int) -> NDArray[np.int64]:
    """Where the ``limit`` highest values stand, and what equals the last of them; no -inf."""
    if limit <= 0:
        return np.zeros(0, np.int64)
    if limit >= len(values):
        return np.flatnonzero(values > -np.inf)
    border = np.partition(values, -limit)[-limit]
    return np.flatnonzero((values >= border) & (values > -np.inf))
