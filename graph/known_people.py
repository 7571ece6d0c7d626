"""What is known of a person who asks, in one statement, since somebody waits for the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from sys import intern

from neo4j import ManagedTransaction, Record, Session

from graph import identities
from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId, ModelVersion, UserId
from graph.domain.models import Slot
from graph.events import PastEvent
from graph.users import PURPOSES, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    A person, their past, and the model that was live after both were read.

    Attributes:
        person: ``None`` if nobody has that id.
        past: their latest behaviours on items, newest first, also as the visitor they were before.
    """

    pointer: ModelVersion | None
    person: Person | None
    past: tuple[PastEvent, ...]

    @property
    def is_restricted(self) -> bool:
        """Whether some of what they did, and what was learnt from it, may not be used."""
        return self.person is not None and bool(self.person.without)


def look_up(
    tx: ManagedTransaction | Session,
    user_id: UserId,
    *,
    slot: Slot | None,
    since_ms: int,
    limit: int,
    wants_past: bool = True,
) -> Known:
    """
    Person, past and model pointer; the pointer last, so a swap in between is noticed.

    What the customer denied whom a visitor turned out to be, is denied for the visitor as well.

    Args:
        slot: where their vector is read.
        since_ms: nothing older than this, milliseconds UTC.
        limit: most events.
        wants_past: without it only the past of whom not all may be used is read.
    """
    record = tx.run(
        _LOOK_UP,
        user_id=user_id,
        slot=slot,
        since_ms=since_ms,
        limit=limit,
        wants_past=wants_past,
    ).single(strict=True)
    live = record["live"]
    return Known(
        pointer=None if live is None else ModelVersion(live),
        person=None if record["kind"] is None else _person(user_id, record),
        past=tuple(
            # A thousand steps of one person are held for a minute: one string for each item.
            PastEvent(_TYPE_OF[kind], ItemId(intern(item_id)), ts, price)
            for kind, item_id, ts, price in record["past"]
        ),
    )


_TYPE_OF = {behaviour.relationship: type_ for type_, behaviour in ITEM_BEHAVIOURS.items()}

# An id may be nobody's, and then a row is wanted all the same, for the pointer.
_LOOK_UP = (
    """
    OPTIONAL MATCH (u:User {user_id: $user_id})
    OPTIONAL MATCH (u)-[:SAME_AS]->(c:User)
    WITH u,
         [(u)-[:WITHOUT]->(one:Category) | one.path]
             + coalesce([(c)-[:WITHOUT]->(one:Category) | one.path], []) AS without,
         coalesce(u.is_bot, false) OR coalesce(c.is_bot, false) AS is_bot,
         coalesce(u.is_staff, false) OR coalesce(c.is_staff, false) AS is_staff,
         [u.consent_collection, c.consent_collection] AS collection,
         [u.consent_personalisation, c.consent_personalisation] AS personalisation,
         [u.consent_marketing, c.consent_marketing] AS marketing,
         CASE $slot WHEN 'blue' THEN u.embedding_blue
                    WHEN 'green' THEN u.embedding_green END AS embedding
    LIMIT 1
    CALL (u, without) {
        WITH u AS me, without WHERE $wants_past OR size(without) > 0
    """
    + identities.SAME_PERSON
    + """
        MATCH (person)-[r:CLICKED|VIEWED|CARTED|UNCARTED|FAVORITED|UNFAVORITED|PURCHASED
                         |REFUNDED|REVIEWED|INQUIRED|SHARED]->(i:Item)
        WHERE r.ts >= $since_ms AND r.duplicate_of IS NULL AND (size(without) = 0 OR NOT EXISTS {
            MATCH (i)-[:IN_CATEGORY {rank: 0}]->(c:Category) WHERE c.path IN without })
        WITH r, i ORDER BY r.ts DESC, r.seq DESC LIMIT $limit
        RETURN collect([type(r), i.item_id, r.ts, r.price_minor]) AS past
    }
    OPTIONAL MATCH (m:Model {status: 'live'})
    RETURN u.kind AS kind, is_bot, is_staff, without, collection, personalisation, marketing,
           embedding, past, m.version AS live
    LIMIT 1
    """
)


def _person(user_id: UserId, record: Record) -> Person:
    return Person(
        user_id=user_id,
        kind=record["kind"],
        consent={p: _strictest(record[p]) for p in PURPOSES if any(record[p])},
        embedding=record["embedding"],
        is_bot=record["is_bot"],
        is_staff=record["is_staff"],
        without=tuple(sorted(set(record["without"]))),
    )


def _strictest(said: Sequence[str | None]) -> str:
    if "denied" in said:
        return "denied"
    return next(state for state in said if state is not None)
