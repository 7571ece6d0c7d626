"""What is thought of a person: the categories they come back to; and what they forbade to think."""

from dataclasses import dataclass

from neo4j import ManagedTransaction

from graph.domain.ids import UserId
from graph.identities import SAME_PERSON

NOT_FORBIDDEN = "NOT EXISTS { (i)-[:IN_CATEGORY {rank: 0}]->(:Category)<-[:WITHOUT]-(person) }"
"""Part of a query: what ``person`` did with ``i`` may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A main category of items, and how often and when a person last did something with them."""

    category: str
    events: int
    last_ts: int


def tags(tx: ManagedTransaction, user_id: UserId) -> list[Tag]:
    """The tags of a person that are in use, the strongest first."""
    rows = tx.run(
        "MATCH (me:User {user_id: $user_id})"
        + SAME_PERSON
        + f"""
        MATCH (person)-[r]->(i:Item)-[:IN_CATEGORY {{rank: 0}}]->(c:Category)
        WHERE r.event_id IS NOT NULL AND {NOT_FORBIDDEN}
        RETURN c.path AS category, count(r) AS events, max(r.ts) AS last_ts
        ORDER BY events DESC, category
        """,
        user_id=user_id,
    )
    return [Tag(**row) for row in rows]


def forbid(tx: ManagedTransaction, user_id: UserId, category: str) -> list[UserId]:
    """
    Use a tag of a person no more, whatever they do from now on.

    Returns:
        All pseudonyms of the person; none where person or category is not known.
    """
    record = tx.run(
        "MATCH (c:Category {path: $category}) MATCH (me:User {user_id: $user_id})"
        + SAME_PERSON
        + """
        MERGE (person)-[:WITHOUT]->(c)
        RETURN collect(person.user_id) AS user_ids
        """,
        user_id=user_id,
        category=category,
    ).single()
    return [] if record is None else sorted(map(UserId, record["user_ids"]))
