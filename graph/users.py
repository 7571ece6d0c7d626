"""People: who they are, what they agreed to, where they stand in the model's space."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from neo4j import ManagedTransaction

from graph import counters
from graph.domain.ids import UserId
from graph.domain.models import Slot

PURPOSES = ("collection", "personalisation", "marketing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """
    A person as serving sees them.

    Attributes:
        kind: ``customer`` or ``visitor``.
        consent: ``granted``, ``denied`` or ``unknown`` per purpose that was ever said.
        embedding: vector in the asked slot, where one is stored.
    """

    user_id: UserId
    kind: str
    consent: dict[str, str]
    embedding: list[float] | None
    is_bot: bool = False


@dataclass(slots=True, kw_only=True)
class Sighting:
    """What a batch of events says about one person; times in milliseconds UTC."""

    user_id: UserId
    first_ts: int | None = None
    last_ts: int | None = None
    ref: str | None = None
    is_bot: bool = False
    consent: dict[str, str] = field(default_factory=dict)
    consent_ts: int = -1

    def saw(self, ts: int) -> None:
        """Stretch the time between first and last sight."""
        self.first_ts = ts if self.first_ts is None else min(self.first_ts, ts)
        self.last_ts = ts if self.last_ts is None else max(self.last_ts, ts)

    def agreed(self, consent_json: str, ts: int) -> None:
        """Keep what the newest event says about consent."""
        if ts >= self.consent_ts:
            said = json.loads(consent_json)
            self.consent |= {p: said[p] for p in PURPOSES if isinstance(said.get(p), str)}
            self.consent_ts = ts


def person(tx: ManagedTransaction, user_id: UserId, *, slot: Slot | None) -> Person | None:
    """A person, with their vector in ``slot``; ``None`` if nobody has that id."""
    record = tx.run(
        """
        MATCH (u:User {user_id: $user_id})
        RETURN u.kind AS kind, coalesce(u.is_bot, false) AS is_bot,
               u.consent_collection AS collection,
               u.consent_personalisation AS personalisation,
               u.consent_marketing AS marketing,
               CASE $slot WHEN 'blue' THEN u.embedding_blue
                          WHEN 'green' THEN u.embedding_green END AS embedding
        """,
        user_id=user_id,
        slot=slot,
    ).single()
    if record is None:
        return None
    return Person(
        user_id=user_id,
        kind=record["kind"],
        consent={p: record[p] for p in PURPOSES if record[p] is not None},
        embedding=record["embedding"],
        is_bot=record["is_bot"],
    )


def refs(tx: ManagedTransaction, user_ids: Iterable[UserId]) -> dict[UserId, str | None]:
    """The shop's own ids, encrypted, of those of the people who are known."""
    rows = tx.run(
        """
        UNWIND $user_ids AS user_id
        MATCH (u:User {user_id: user_id})
        RETURN user_id, u.ref AS ref
        """,
        user_ids=list(user_ids),
    )
    return {UserId(row["user_id"]): row["ref"] for row in rows}


def set_consent(
    tx: ManagedTransaction, user_id: UserId, purposes: dict[str, str], *, now_ms: int
) -> None:
    """
    Store what a person agreed to; a purpose that is not named stays as it was.

    What was said at a later time than ``now_ms`` wins. The person need not be known yet.
    """
    meet(tx, [Sighting(user_id=user_id, consent=dict(purposes), consent_ts=now_ms)])


def meet(tx: ManagedTransaction, sightings: Sequence[Sighting]) -> None:
    """Make sure that these people have a node each, and note what is new about them."""
    known = _known(tx, [one.user_id for one in sightings])
    new = sorted(
        (one for one in sightings if one.user_id not in known), key=lambda one: one.user_id
    )
    if new:
        before = counters.take(tx, counters.USER_IDX, len(new))
        tx.run(
            """
            UNWIND $rows AS row
            MERGE (u:User {user_id: row[0]})
            ON CREATE SET u.idx = row[1], u.kind = row[2]
            """,
            rows=[
                [one.user_id, before + k, "customer" if one.user_id[:2] == "c_" else "visitor"]
                for k, one in enumerate(new, start=1)
            ],
        ).consume()
    _note(tx, [one for one in sightings if _is_news(one, known.get(one.user_id))])
    _agree(tx, [one for one in sightings if one.consent])


def _known(tx: ManagedTransaction, user_ids: Sequence[UserId]) -> dict[UserId, dict[str, Any]]:
    record = tx.run(
        """
        UNWIND $ids AS id
        MATCH (u:User {user_id: id})
        RETURN collect({id: id, first_ts: u.first_seen, last_ts: u.last_seen, ref: u.ref,
                        is_bot: coalesce(u.is_bot, false)}) AS people
        """,
        ids=sorted(user_ids),
    ).single(strict=True)
    return {UserId(one["id"]): one for one in record["people"]}


def _is_news(one: Sighting, known: dict[str, Any] | None) -> bool:
    if known is None:
        return True
    if (one.ref is not None and known["ref"] is None) or (one.is_bot and not known["is_bot"]):
        return True
    if one.first_ts is None or one.last_ts is None:
        return False
    return (
        known["first_ts"] is None
        or one.first_ts < known["first_ts"]
        or one.last_ts > known["last_ts"]
    )


def _note(tx: ManagedTransaction, sightings: Sequence[Sighting]) -> None:
    if not sightings:
        return
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (u:User {user_id: row[0]})
        SET u.first_seen = CASE WHEN u.first_seen <= row[1] THEN u.first_seen
                                ELSE coalesce(row[1], u.first_seen) END,
            u.last_seen = CASE WHEN u.last_seen >= row[2] THEN u.last_seen
                               ELSE coalesce(row[2], u.last_seen) END,
            u.ref = coalesce(u.ref, row[3]),
            u.is_bot = CASE WHEN row[4] THEN true ELSE u.is_bot END
        """,
        rows=[[s.user_id, s.first_ts, s.last_ts, s.ref, s.is_bot] for s in sightings],
    ).consume()


def _agree(tx: ManagedTransaction, sightings: Sequence[Sighting]) -> None:
    if not sightings:
        return
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (u:User {user_id: row[0]}) WHERE coalesce(u.consent_at, -1) <= row[1]
        SET u.consent_at = row[1],
            u.consent_collection = coalesce(row[2], u.consent_collection),
            u.consent_personalisation = coalesce(row[3], u.consent_personalisation),
            u.consent_marketing = coalesce(row[4], u.consent_marketing)
        """,
        rows=[
            [s.user_id, s.consent_ts, *(s.consent.get(purpose) for purpose in PURPOSES)]
            for s in sightings
        ],
    ).consume()
