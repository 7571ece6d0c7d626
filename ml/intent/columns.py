"""All columns of purchase intent, in groups that can be switched off."""

from collections.abc import Callable, Sequence

import numpy as np

from ml.calibration import sigmoid
from ml.intent.graph_scores import graph_scores
from ml.intent.hazards import hazards
from ml.intent.history import History
from ml.intent.household import household
from ml.intent.item_columns import item_columns
from ml.intent.moment import Columns, Moment
from ml.intent.need import need
from ml.intent.promoted import promotion
from ml.intent.spells import Numbers, Rows
from ml.intent.sub_models import SUB_MODELS, Lines, SubModels
from ml.intent.table import Table
from ml.intent.timing import timing

SUB = "sub"
"""Name of the group of sub-models, which is made from fitted models and so apart."""

GROUPS: dict[str, Callable[[Moment], Columns]] = {
    "timing": timing,
    "hazards": hazards,
    "household": household,
    "need": need,
    "item": item_columns,
    "promotion": promotion,
    "graph": graph_scores,
}
"""Every group of columns but the sub-models."""


USUAL = 8.0
"""One over the mean root of how likely pairs are, in the shops that were looked at."""


class IntentColumns:
    """
    Walks through a history period by period and makes the tables of any of its periods.

    Rates and sub-models of a period come from the periods that were walked through before it.
    """

    def __init__(
        self,
        history: History,
        *,
        groups: Sequence[str] = (*GROUPS, SUB),
        sub_models: SubModels | None = None,
        seed: int = 0,
    ) -> None:
        """Nothing has been walked yet; given sub-models are used as they are."""
        self.history, self.groups, self._seed = history, tuple(groups), seed
        self.members: dict[str, tuple[str, ...]] = {}
        self._lines: dict[str, list[Lines]] = {model.name: [] for model in SUB_MODELS}
        self._subs, self._are_given = sub_models, sub_models is not None
        self._fitted_at = -1

    def walk(self, period: int) -> Moment:
        """Note what a period shows; to be called for each period in turn, oldest first."""
        at = Moment(self.history, period)
        _ = at.state
        if SUB in self.groups and not self._are_given:
            for model in SUB_MODELS:
                self._lines[model.name].append(model.lines(at))
        return at

    def table(
        self, period: int, pairs: Rows | None = None, *, rng: np.random.Generator | None = None
    ) -> Table:
        """
        The pairs of a period, from what was walked through before it.

        Args:
            pairs: numbers person * V + item; without it all that were touched in the window.
            rng: thins out the unbought pairs, for training; the likelier one was to be bought,
                the likelier it stays, and the less it weighs.
        """
        history = self.history
        at = Moment(history, period, pairs)
        weight = np.ones(len(at.pairs), np.float32)
        ready = self._ready(at, is_thinned=rng is not None)
        if rng is not None:
            chance = np.where(at.label, 1.0, self._kept(ready))
            kept = rng.random(len(at.pairs)) < chance
            weight = (1.0 / chance[kept]).astype(np.float32)
            at.choose(kept)
            ready = {
                name: {column: values[kept] for column, values in part.items()}
                for name, part in ready.items()
            }
        parts = {
            name: ready[name] if name in ready else make(at)
            for name, make in GROUPS.items()
            if name in self.groups
        }
        if SUB in self.groups:
            parts[SUB] = ready[SUB]
        self.members = {name: tuple(columns) for name, columns in parts.items()}
        columns = {name: one for part in parts.values() for name, one in part.items()}
        values = np.empty((len(at.pairs), len(columns)), np.float32)
        for k, one in enumerate(columns.values()):
            values[:, k] = one
        values[~np.isfinite(values)] = np.nan
        return Table(
            cutoff=np.full(len(at.pairs), history.begins(period), np.int64),
            user=at.user.astype(np.int32),
            item=at.item.astype(np.int32),
            label=at.label,
            weight=weight,
            values=values,
            names=tuple(columns),
        )

    def _ready(self, at: Moment, *, is_thinned: bool) -> dict[str, Columns]:
        """The groups that thinning goes by, of all pairs, so that they are made once."""
        ready: dict[str, Columns] = {}
        if is_thinned or {"hazards", SUB} & set(self.groups):
            ready["hazards"] = hazards(at)
        if SUB in self.groups:
            ready[SUB] = self.sub_models(at.period).columns(at, ready["hazards"])
        return ready

    def _kept(self, ready: dict[str, Columns]) -> Numbers:
        """
        (P,) chance to be learned from, were it not bought.

        What an unbought pair teaches goes with the root of how likely it was to be bought. On
        average about ``negative_share`` of them stay where three in a hundred pairs are bought.
        """
        if SUB in ready:
            likely = sigmoid(ready[SUB]["sub_hazard_phase"])
        else:
            likely = np.nan_to_num(ready["hazards"]["hazard_phase"], nan=0.02)
        share = self.history.config.negative_share
        chance: Numbers = np.clip(USUAL * share * np.sqrt(likely), share / 4, 1.0)
        return chance

    def sub_models(self, period: int, *, anew: bool = False) -> SubModels:
        """Fitted on what was walked through before a period; anew once a block is over."""
        if self._are_given and self._subs is not None:
            return self._subs
        if self._subs is None or anew or period - self._fitted_at >= self.history.config.block:
            self._subs = SubModels.fit(self._lines, self._seed)
            self._fitted_at = period
        return self._subs
