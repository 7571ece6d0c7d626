"""
What is thought of the facts, beside them: purchases that are told again, prices that can hardly be
true, how long a look takes where nobody says it.

Nothing is changed or removed; what counts or learns leaves the flagged edges out. Each run looks at
what came since the last one, and doing it again changes nothing.
"""

import numpy as np
import structlog
from neo4j import ManagedTransaction

from graph import counters, duplicates, dwell, outliers, pulls
from graph.client import Graph
from ml import outliers as rules

log = structlog.get_logger(__name__)

BOOKMARK = "cleaned_seq"
WITHIN_MS = 30 * 60_000
"""Two sources may date a purchase so far apart: one at the order, one at its payment."""

_STRETCH = 50_000
"""Events among which purchases are matched in one transaction."""

_PAGE = 200
"""Items whose prices are read together."""


def clean(graph: Graph, *, within_ms: int = WITHIN_MS) -> dict[str, int]:
    """
    Flag what came since the last time.

    Args:
        within_ms: how far two tellings of a purchase without a common order may be apart.

    Returns:
        What stands now: edges flagged as told again and as outliers, views whose time is a mean,
        and visitors who are joined to a customer.
    """
    after, upper = graph.read(_bounds)
    if upper > after:
        told_again = _match_purchases(graph, after, upper, within_ms)
        for relationship in outliers.PRICED:
            _judge_prices(graph, relationship, after, upper)
        graph.write(_done, after, upper)
        log.info("events_cleaned", after=after, upper=upper, told_again=told_again)
    return graph.read(_counts)


def _match_purchases(graph: Graph, after: int, upper: int, within_ms: int) -> int:
    """Mark purchases that two sources told under two orders; one source alone repeats nothing."""
    new = graph.read(duplicates.sources, after=after, upper=upper)
    if len(graph.write(counters.note_names, BOOKMARK, new)) < 2:
        return 0
    marked = 0
    for start in range(after, upper, _STRETCH):
        end = min(start + _STRETCH, upper)
        found = graph.read(duplicates.find, after=start, upper=end, within_ms=within_ms)
        graph.write(duplicates.mark, found)
        marked += len(found)
    return marked


def _judge_prices(graph: Graph, relationship: str, after: int, upper: int) -> None:
    item_ids = graph.read(outliers.touched, relationship, after=after, upper=upper)
    for start in range(0, len(item_ids), _PAGE):
        page = graph.read(outliers.prices, relationship, item_ids[start : start + _PAGE])
        changed = _changes(page)
        if changed:
            graph.write(outliers.mark, relationship, changed)


def _changes(page: outliers.Prices) -> list[tuple[int, list[str]]]:
    """The edges whose broken rules are others than those that are stored."""
    names = [f"{item} {money}" for item, money in zip(page.item, page.currency, strict=True)]
    _, group = np.unique(names, return_inverse=True)
    found = rules.outliers(group, np.asarray(page.price_minor, np.float64))
    broken = zip(page.seq, page.rules, zip(*found.values(), strict=True), strict=True)
    now = ((seq, old, [n for n, is_ in zip(found, held, strict=True) if is_])
           for seq, old, held in broken)  # fmt: skip
    return [(seq, rules_now) for seq, old, rules_now in now if rules_now != old]


def _bounds(tx: ManagedTransaction) -> tuple[int, int]:
    return counters.current(tx, BOOKMARK), pulls.last_seq(tx)


def _done(tx: ManagedTransaction, after: int, upper: int) -> None:
    """Move the bookmark, and add to sums what must be added once; another run may be ahead."""
    if counters.take(tx, BOOKMARK, 0) == after:
        dwell.add(tx, after=after, upper=upper)
        counters.take(tx, BOOKMARK, upper - after)


def _counts(tx: ManagedTransaction) -> dict[str, int]:
    told_again, wrong_prices = outliers.set_aside(tx)
    return {
        "told_again": len(told_again),
        "price_outliers": len(wrong_prices),
        "dwell_imputed": dwell.imputed(tx),
        "visitors_joined": len(pulls.identities(tx)),
    }
