"""How often what was shown was clicked, answer by answer."""

from dataclasses import dataclass

from neo4j import ManagedTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickThrough:
    """
    What became of one answer; bots are left out.

    Attributes:
        shown: lists shown; an answer may be shown more than once.
        places: items shown, over all lists.
        clicks: clicks that name the answer; ``clicked_items`` counts each item once.
        clicks_by_position: clicks by the position they name.
    """

    recommendation_id: str
    shown: int
    places: int
    clicks: int
    clicked_items: int
    clicks_by_position: dict[int, int]

    @property
    def rate(self) -> float | None:
        """Clicked items per place shown; none where nothing was shown."""
        return self.clicked_items / self.places if self.places else None


def click_through(
    tx: ManagedTransaction,
    *,
    recommendation_id: str | None = None,
    since_ms: int = 0,
    until_ms: int | None = None,
    limit: int = 100,
) -> list[ClickThrough]:
    """
    The newest answers that were shown, newest first.

    Args:
        recommendation_id: this answer only.
        since_ms, until_ms: shown in this time, the end not included.
    """
    rows = tx.run(
        _SHOWN_ONE if recommendation_id is not None else _SHOWN_ALL,
        recommendation_id=recommendation_id,
        since_ms=since_ms,
        until_ms=until_ms if until_ms is not None else _FOR_EVER,
        limit=limit,
    )
    return [
        ClickThrough(
            recommendation_id=row["recommendation_id"],
            shown=row["shown"],
            places=row["places"],
            clicks=row["clicks"],
            clicked_items=row["clicked_items"],
            clicks_by_position=_by_position(row["positions"]),
        )
        for row in rows
    ]


def _by_position(positions: list[int]) -> dict[int, int]:
    return {position: positions.count(position) for position in sorted(set(positions))}


_FOR_EVER = 1 << 62
_COUNTED = """
    AND n.ts >= $since_ms AND n.ts < $until_ms
    MATCH (:User)-[saw:SAW]->(n) WHERE NOT coalesce('bot' IN saw.flags, false)
    WITH n.recommendation_id AS recommendation_id, count(n) AS shown,
         sum(size(n.item_ids)) AS places, max(n.ts) AS newest
    ORDER BY newest DESC, recommendation_id LIMIT $limit
    CALL (recommendation_id) {
        MATCH ()-[c:CLICKED {recommendation_id: recommendation_id}]->(i)
        WHERE NOT coalesce('bot' IN c.flags, false)
        RETURN count(c) AS clicks, count(DISTINCT i) AS clicked_items,
               collect(c.position) AS positions
    }
    RETURN recommendation_id, shown, places, clicks, clicked_items, positions
    ORDER BY newest DESC, recommendation_id
"""
_SHOWN_ONE = "MATCH (n:Impression) WHERE n.recommendation_id = $recommendation_id" + _COUNTED
_SHOWN_ALL = "MATCH (n:Impression) WHERE n.recommendation_id IS NOT NULL" + _COUNTED
