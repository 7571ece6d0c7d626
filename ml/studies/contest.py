"""Several rankers on the same questions: learn, rank, and lay out what was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.evaluation.groups import Masks
from ml.evaluation.meter import Meter
from ml.evaluation.ranking import Cases, Ranked, rank_cases
from ml.evaluation.ranking_metrics import part, ranking_gain, ranking_row
from ml.evaluation.records import Gain, Row
from ml.ranking.sequences import Ranker, Sequences
from ml.studies import Tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """
    A model by the name of its row.

    Attributes:
        make: a ranker for a seed; called once where nothing about it is by chance.
        past: what it learns from, where that is not the same for all.
        is_fitted: whether ``make`` gives rankers that have learned already.
    """

    name: str
    make: Callable[[int], Ranker]
    is_random: bool = False
    is_fitted: bool = False
    past: Sequences | None = None
    note: str = ""


@dataclass(slots=True)
class Contest:
    """The answers of all contenders; ``cost`` holds seconds and peak MiB."""

    past: Sequences
    cases: Cases
    seeds: tuple[int, ...]
    draws: int
    figures: tuple[str, ...]
    ranked: dict[str, list[Ranked]] = field(default_factory=dict)
    cost: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def enter(self, one: Contender) -> list[Ranker]:
        """Learn and rank with each seed; returns the fitted rankers."""
        seeds = self.seeds if one.is_random else self.seeds[:1]
        rankers = []
        with Meter() as meter:
            for seed in seeds:
                ranker = one.make(seed)
                if not one.is_fitted:
                    ranker.fit(self.past if one.past is None else one.past)
                self.ranked.setdefault(one.name, []).append(rank_cases(ranker, self.cases))
                rankers.append(ranker)
        self.cost[one.name] = meter.seconds, meter.peak_mb
        self.notes[one.name] = one.note
        return rankers

    def enter_all(self, contenders: Sequence[Contender], tell: Tell, until: float) -> None:
        """Enter one after the other; ``until`` is the share that is done after the last."""
        for done, one in enumerate(contenders):
            tell(f"learn and rank {one.name}", until * done / len(contenders))
            self.enter(one)

    def rows(self, models: Sequence[str] | None = None) -> list[Row]:
        """A row for each, in the order in which they entered."""
        popularity = np.bincount(self.past.item, minlength=self.past.n_items)
        return [
            ranking_row(
                model,
                self.ranked[model],
                self.cases,
                self.figures,
                draws=self.draws,
                rng=self._rng(),
                popularity=popularity,
                seconds=self.cost[model][0],
                peak_mb=self.cost[model][1],
                note=self.notes[model],
            )
            for model in models or self.ranked
        ]

    def groups(self, masks: Masks, models: Sequence[str]) -> dict[str, list[Row]]:
        """Rows of some models for some of the cases."""
        found = {}
        for name, mask in masks.items():
            rows = []
            for model in models:
                parts = [part(one, self.cases, mask) for one in self.ranked[model]]
                answers = [answer for answer, _ in parts]
                rows.append(
                    ranking_row(
                        model,
                        answers,
                        parts[0][1],
                        self.figures,
                        draws=self.draws,
                        rng=self._rng(),
                    )
                )
            found[name] = rows
        return found

    def gain(self, ours: str, theirs: str, figure: str, *, first_seed: bool = False) -> Gain:
        """What ours is worth over theirs; with the first seed only, where theirs has one."""
        ranked: Mapping[str, Sequence[Ranked]] = {
            name: self.ranked[name][: 1 if first_seed else None] for name in (ours, theirs)
        }
        return ranking_gain(
            ours, theirs, ranked, self.cases, figure, draws=self.draws, rng=self._rng()
        )

    def best(self, figure: str, among: Sequence[str]) -> str:
        """Whose figure is the highest."""
        rows = {row.model: row.figures[figure].value for row in self.rows(among)}
        return max(rows, key=lambda model: rows[model])

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seeds[0])
