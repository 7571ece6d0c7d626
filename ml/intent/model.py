"""Columns and stack together: from a shop's log to log-odds of buying within the horizon."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.dataset import Interactions
from ml.errors import ModelBroken, NotEnoughData
from ml.intent.columns import SUB, IntentColumns
from ml.intent.fit_stack import StackSettings, fit_stack
from ml.intent.history import History, IntentConfig
from ml.intent.promotions import Promotions
from ml.intent.receipts import Receipts
from ml.intent.stack import Stack
from ml.intent.sub_models import SubModels
from ml.intent.table import Table

FILE = "intent.json"
PRODUCT_GROUPS = ("timing", "hazards", "household", "need", "item", "promotion", SUB)
"""Every group but the graph scores, whose worth does not show."""


@dataclass(slots=True)
class IntentModel:
    """A fitted stack with the sub-models that make some of its columns."""

    stack: Stack
    sub_models: SubModels
    config: IntentConfig
    groups: tuple[str, ...] = field(default=PRODUCT_GROUPS)

    @classmethod
    def fit(
        cls,
        interactions: Interactions,
        *,
        promotions: Promotions | None = None,
        receipts: Receipts | None = None,
        config: IntentConfig | None = None,
        settings: StackSettings | None = None,
        groups: tuple[str, ...] = PRODUCT_GROUPS,
        seed: int = 0,
    ) -> Self:
        """
        Learn from all closed periods; the last one chooses rounds and shares.

        Raises:
            NotEnoughData: fewer than four closed periods, or no pair was bought again.
        """
        config = config or IntentConfig()
        cutoff = interactions.settled_end_ms
        history = History.of(
            interactions.before(cutoff), cutoff, config, promotions=promotions, receipts=receipts
        )
        last = history.period_of(cutoff)
        columns = IntentColumns(history, groups=groups, seed=seed)
        if last < 4:
            raise NotEnoughData("too few periods to learn from", periods=last, needed=4)
        begin = max(last - config.training, (last + 1) // 2)
        for period in range(max(begin - config.warm_up, 1), begin):
            columns.walk(period)
        tables = []
        for period in range(begin, last):
            rng = np.random.default_rng((seed, period)) if period < last - 1 else None
            tables.append(columns.table(period, rng=rng))
            columns.walk(period)
        stack = fit_stack(
            Table.join(tables[:-1]),
            validation=tables[-1],
            kinds=interactions.catalogue.category,
            settings=settings,
            seed=seed,
        )
        return cls(stack, columns.sub_models(last, anew=True), config, groups)

    def table_at(
        self,
        interactions: Interactions,
        cutoff: int,
        pairs: NDArray[np.int64] | None = None,
        *,
        promotions: Promotions | None = None,
        receipts: Receipts | None = None,
    ) -> Table:
        """
        The columns of pairs (person * V + item; without, all touched in the window) at a cutoff.

        Events at or after the cutoff are not looked at; the labels of the table are all False.
        """
        past = interactions.before(cutoff)
        if receipts is not None:
            receipts = receipts.take(slice(0, len(past)))
        history = History.of(past, cutoff, self.config, promotions=promotions, receipts=receipts)
        columns = IntentColumns(history, groups=self.groups, sub_models=self.sub_models)
        last = history.period_of(cutoff)
        for period in range(max(last - self.config.warm_up - 4, 1), last):
            columns.walk(period)
        return columns.table(last, pairs)

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds of being bought within the horizon, at the natural rate."""
        return self.stack.logits(table)

    def save(self, folder: Path) -> None:
        """Write what ``load`` reads: text, JSON and npz."""
        self.stack.save(folder)
        for name, booster in self.sub_models.boosters.items():
            (folder / f"sub-{name}.txt").write_text(booster.model_to_string(), encoding="utf-8")
        facts = {
            "config": asdict(self.config),
            "groups": list(self.groups),
            "sub_models": sorted(self.sub_models.boosters),
        }
        (folder / FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote, without torch; raises ``ModelBroken``."""
        stack = Stack.load(folder)
        try:
            facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
            boosters = {
                name: lightgbm.Booster(
                    model_str=(folder / f"sub-{name}.txt").read_text(encoding="utf-8")
                )
                for name in facts["sub_models"]
            }
            config = IntentConfig(**facts["config"])
            return cls(stack, SubModels(boosters), config, tuple(facts["groups"]))
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise ModelBroken(f"the intent model cannot be read: {problem}") from problem
