"""The weeks of Complete Journey as tables: thinned to learn from, complete to be asked about."""

from dataclasses import dataclass

import numpy as np

from ml.intent.columns import IntentColumns
from ml.intent.history import History, IntentConfig
from ml.intent.table import Table
from ml.studies import Tell
from ml.studies.journey_data import Journey, week_start

FIRST, VALIDATION, TESTS = 27, 45, (46, 47, 48)
"""First week that is learned from (its window is whole), and the weeks that are asked about."""

WARM_UP = 12
"""Weeks before the first one that is learned from, whose outcomes feed rates and sub-models."""

CONFIG = IntentConfig(block=3, negative_share=0.2)


@dataclass(frozen=True, slots=True)
class Weeks:
    """
    Tables by week number.

    Attributes:
        learn: thinned and weighted, ``FIRST`` up to the week before the last test.
        ask: complete, validation and tests.
        members: names of the columns by group.
    """

    learn: dict[int, Table]
    ask: dict[int, Table]
    members: dict[str, tuple[str, ...]]

    def before(self, week: int, *, first: int = FIRST) -> Table:
        """What may be learned from when ``week`` is asked about: weeks that are closed by then."""
        return Table.join([self.learn[one] for one in sorted(self.learn) if first <= one < week])

    def asked(self, *weeks: int) -> Table:
        """All pairs of some weeks."""
        return Table.join([self.ask[week] for week in weeks])


def make_weeks(data: Journey, tell: Tell, *, first: int = FIRST, seed: int = 0) -> Weeks:
    """Walk through the year once; every table comes from what was walked through before it."""
    history = History.of(
        data.interactions,
        week_start(TESTS[-1]),
        CONFIG,
        promotions=data.promotions,
        receipts=data.receipts,
        asked=data.asked,
    )
    columns = IntentColumns(history, seed=seed)
    learn, ask = {}, {}
    begin = first - WARM_UP
    for week in range(begin, TESTS[-1] + 1):
        tell(f"week {week}", (week - begin) / (TESTS[-1] + 1 - begin))
        period = history.period_of(week_start(week))
        if first <= week < TESTS[-1]:
            learn[week] = columns.table(period, rng=np.random.default_rng((seed, week)))
        if week >= VALIDATION:
            ask[week] = columns.table(period)
        if week < TESTS[-1]:
            columns.walk(period)
    return Weeks(learn, ask, columns.members)
