"""
What the stored events say about themselves: one pass over the edges of a type, by source.

Rows are those whose receipt lies in a window. Refunds that were derived from the return of an order
were never sent, and are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from neo4j import ManagedTransaction

from graph import identities
from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.quality import Window
from graph.edges import COLUMNS, EDGES, RETURNED
from graph.refunds import DERIVED

WHOLE_RETURN = "return"
"""Stands for refunds of whole orders, which are edges of a type of their own."""

KINDS: dict[str, str] = {
    **{kind.value: edge.relationship for kind, edge in EDGES.items()},
    WHOLE_RETURN: RETURNED.relationship,
}
"""Types of event, and of their edges."""

SKEWED_MS = 3_600_000
"""A clock that is off by more is wrong, not just badly set."""

SEEN = "CLICKED|VIEWED|CARTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """
    Events of one source and type in a window.

    Attributes:
        live: those that were not imported as history.
        orphans: that name an item or an order which nothing else tells of; ``None`` where no
            catalogue was ever stored.
        wrong: orphans, outliers and tellings that disagree with another source; each row once.
        filled: how many have a field, by field.
        lag_ms, clock_ms: 95th percentiles of receipt after event, and of what clocks were off.
        skewed_devices: whose clock was off by more than an hour.
        last_ms: the newest receipt of a live one.
    """

    source: str
    rows: int
    live: int
    bots: int
    late: int
    future: int
    told_again: int
    disagreeing: int
    priced: int
    outliers: int
    orphans: int
    wrong: int
    lag_ms: int | None
    clock_ms: int | None
    devices: int
    skewed_devices: int
    last_ms: int | None
    filled: dict[str, int] = field(default_factory=dict)


def has_catalogue(tx: ManagedTransaction) -> bool:
    """Whether the shop ever stored an item, so that unknown ones can be told."""
    row = tx.run("RETURN EXISTS { MATCH (i:Item) WHERE i.updated_at IS NOT NULL } AS found").single(
        strict=True
    )
    return bool(row["found"])


def tallies(
    tx: ManagedTransaction, kind: str, window: Window, *, fields: Sequence[str], catalogue: bool
) -> list[Tally]:
    """
    The events of a type in a window, source by source.

    Args:
        fields: properties whose presence is counted.
        catalogue: whether an item without a catalogue entry is an orphan.
    """
    known = tuple(name for name in COLUMNS if name in fields)
    rows = tx.run(
        _tally_query(kind, known),
        **window._asdict(),
        derived=DERIVED,
        catalogue=catalogue,
        skewed_ms=SKEWED_MS,
    )
    found = []
    for row in rows:
        values = dict(row)
        filled = {name: values.pop(f"filled_{name}") for name in known}
        found.append(Tally(**values, filled=filled))
    return found


def counts_by_day(
    tx: ManagedTransaction, kind: str, window: Window, *, day_ms: int
) -> list[tuple[str, int, int, int]]:
    """
    How many events of a type came on each day before ``window.end_ms``, by source.

    Returns:
        Source, days back (0 is the last one), events, and the newest receipt, for live events.
    """
    rows = tx.run(
        f"""
        MATCH ()-[r:{KINDS[kind]}]->()
        WHERE {IN_WINDOW} AND r.received_ts <> r.ts
        RETURN r.source AS source, ($end_ms - 1 - r.received_ts) / $day_ms AS day,
               count(*) AS n, max(r.received_ts) AS last
        """,
        **window._asdict(),
        day_ms=day_ms,
        derived=DERIVED,
    )
    return [(row["source"], row["day"], row["n"], row["last"]) for row in rows]


def price_classes(tx: ManagedTransaction, kind: str, window: Window) -> list[tuple[str, int, int]]:
    """
    How prices of a type are spread, by source: the class is half the power of two.

    What is set aside is not counted.
    """
    rows = tx.run(
        f"""
        MATCH ()-[r:{KINDS[kind]}]->()
        WHERE {IN_WINDOW} AND r.price_minor > 0 AND r.received_ts <> r.ts
          AND r.duplicate_of IS NULL AND r.outlier IS NULL
        RETURN r.source AS source, toInteger(floor(2 * log(r.price_minor) / log(2))) AS class,
               count(*) AS n
        """,
        **window._asdict(),
        derived=DERIVED,
    )
    return [(row["source"], row["class"], row["n"]) for row in rows]


def funnel(tx: ManagedTransaction, window: Window) -> list[tuple[str, int, int]]:
    """
    Purchases by source, and how many were of an item that the buyer had not looked at before.

    What bots did and what is told again is left out.
    """
    rows = tx.run(
        f"""
        MATCH (me:User)-[r:PURCHASED]->(i:Item)
        WHERE {IN_WINDOW} AND r.duplicate_of IS NULL
          AND (r.flags IS NULL OR NOT 'bot' IN r.flags)
        CALL (me, r, i) {{
            {identities.SAME_PERSON}
            WITH r, i, person
            RETURN sum(COUNT {{
                MATCH (person)-[s:{SEEN}]->(i) WHERE s.ts <= r.ts }}) AS looks
        }}
        RETURN r.source AS source, count(*) AS bought, sum(CASE looks WHEN 0 THEN 1 ELSE 0 END) AS n
        """,
        **window._asdict(),
        derived=DERIVED,
    )
    return [(row["source"], row["bought"], row["n"]) for row in rows]


IN_WINDOW = """r.seq > $after_seq AND r.received_ts >= $begin_ms AND r.received_ts < $end_ms
          AND (r.flags IS NULL OR NOT $derived IN r.flags)"""

IS_ORPHAN = {
    **dict.fromkeys(KINDS.values(), "false"),
    **{
        one.relationship: "$catalogue AND end.updated_at IS NULL"
        for one in ITEM_BEHAVIOURS.values()
    },
    RETURNED.relationship: "NOT EXISTS { ()-[:PURCHASED {order_id: r.order_id}]->() }",
}


@lru_cache(maxsize=64)
def _tally_query(kind: str, fields: tuple[str, ...]) -> str:
    # Types and names cannot be parameters; all come from our own tables.
    relationship = KINDS[kind]
    filled = "".join(f", count(r.{name}) AS filled_{name}" for name in fields)
    return f"""
        MATCH (u)-[r:{relationship}]->(end)
        WHERE {IN_WINDOW}
        WITH r, coalesce(r.flags, []) AS flags, {IS_ORPHAN[relationship]} AS orphan,
             r.outlier IS NOT NULL AS outlier, r.disagrees_on IS NOT NULL AS disagrees,
             r.received_ts <> r.ts OR coalesce('future_clamped' IN r.flags, false) AS live,
             abs(coalesce(r.device_ts, r.ts) - r.ts) AS off_ms
        RETURN r.source AS source, count(*) AS rows,
               sum(toInteger(live)) AS live,
               sum(toInteger('bot' IN flags)) AS bots,
               sum(toInteger('late' IN flags)) AS late,
               sum(toInteger('future_clamped' IN flags)) AS future,
               count(r.duplicate_of) AS told_again,
               sum(toInteger(disagrees)) AS disagreeing,
               count(coalesce(r.price_minor, r.amount_minor)) AS priced,
               sum(toInteger(outlier)) AS outliers,
               sum(toInteger(orphan)) AS orphans,
               sum(toInteger(orphan OR outlier OR disagrees)) AS wrong,
               percentileDisc(CASE WHEN live THEN r.received_ts - r.ts END, 0.95) AS lag_ms,
               percentileDisc(CASE WHEN live THEN off_ms END, 0.95) AS clock_ms,
               count(DISTINCT r.device_id) AS devices,
               count(DISTINCT CASE WHEN off_ms > $skewed_ms THEN r.device_id END)
                   AS skewed_devices,
               max(CASE WHEN live THEN r.received_ts END) AS last_ms{filled}
        ORDER BY source
    """
