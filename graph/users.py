"""People: who they are, what they agreed to, where they stand in the model's space."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from neo4j import ManagedTransaction

from graph import counters, tombstones
from graph.domain.ids import UserId

PURPOSES = ("collection", "personalisation", "marketing")
STATES = ("granted", "unknown", "denied")
"""What can be said of a purpose; of two that were said at one time the later one here counts."""


class Said(NamedTuple):
    """
    One telling of consent; the greater of two counts.

    Attributes:
        state: place in ``STATES``.
    """

    ts: int
    state: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """
    A person as serving sees them.

    Attributes:
        kind: ``customer`` or ``visitor``.
        consent: ``granted``, ``denied`` or ``unknown`` per purpose that was ever said.
        embedding: vector in the asked slot, where one is stored.
        without: categories that they do not want to be known for.
    """

    user_id: UserId
    kind: str
    consent: dict[str, str]
    embedding: list[float] | None
    is_bot: bool = False
    is_staff: bool = False
    without: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Sighting:
    """What a batch of events says about one person; times in milliseconds UTC."""

    user_id: UserId
    first_ts: int | None = None
    last_ts: int | None = None
    ref: str | None = None
    is_bot: bool = False
    consent: dict[str, "Said"] = field(default_factory=dict)

    def saw(self, ts: int) -> None:
        """Stretch the time between first and last sight."""
        self.first_ts = ts if self.first_ts is None else min(self.first_ts, ts)
        self.last_ts = ts if self.last_ts is None else max(self.last_ts, ts)

    def agreed(self, said: Mapping[str, Any], ts: int, source: str) -> None:
        """Keep what the newest telling says, purpose by purpose."""
        for purpose in PURPOSES:
            state = said.get(purpose)
            if isinstance(state, str):
                told = Said(ts, STATES.index(state), source)
                self.consent[purpose] = max(self.consent.get(purpose, told), told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a person said of one purpose: the state, when (milliseconds UTC), and where."""

    state: str
    at_ms: int
    source: str


def consents(tx: ManagedTransaction, user_id: UserId) -> dict[str, Consent]:
    """What a person said themselves, by purpose; empty for somebody who is not known."""
    record = tx.run(
        """
        MATCH (u:User {user_id: $user_id})
        UNWIND $purposes AS purpose
        RETURN collect([purpose, u['consent_' + purpose], u['consent_' + purpose + '_at'],
                        u['consent_' + purpose + '_source']]) AS said
        """,
        user_id=user_id,
        purposes=list(PURPOSES),
    ).single(strict=True)
    return {
        purpose: Consent(state=state, at_ms=at_ms or 0, source=source or "")
        for purpose, state, at_ms, source in record["said"]
        if state is not None
    }


def denied(tx: ManagedTransaction) -> dict[str, list[UserId]]:
    """Everybody who denied something, by purpose; with the visitors they were before."""
    return {
        purpose: [UserId(row["user_id"]) for row in tx.run(_everybody_who_denied(purpose))]
        for purpose in PURPOSES
    }


def barred(tx: ManagedTransaction) -> dict[str, list[UserId]]:
    """Everybody who denied something, by purpose; under ``erased``, everybody who was erased."""
    return {**denied(tx), tombstones.ERASED: tombstones.every(tx)}


def denials(tx: ManagedTransaction, user_ids: Iterable[UserId]) -> dict[UserId, frozenset[str]]:
    """What is denied for each of these, also by the customer they are; and for their visitors."""
    rows = tx.run(
        """
        UNWIND $user_ids AS user_id
        MATCH (told:User {user_id: user_id})
        USING INDEX SEEK told:User(user_id)
        CALL (told) {
            RETURN told AS u
            UNION
            MATCH (told)<-[:SAME_AS]-(u:User) RETURN u
        }
        OPTIONAL MATCH (u)-[:SAME_AS]->(c:User)
        RETURN DISTINCT u.user_id AS user_id,
               [p IN $purposes WHERE u['consent_' + p] = 'denied' OR c['consent_' + p] = 'denied']
               AS purposes
        """,
        user_ids=sorted(user_ids),
        purposes=list(PURPOSES),
    )
    return {UserId(row["user_id"]): frozenset(row["purposes"]) for row in rows}


def set_flags(
    tx: ManagedTransaction,
    user_id: UserId,
    *,
    is_staff: bool | None = None,
    is_bot: bool | None = None,
) -> None:
    """Say that somebody is (or is not) staff or a bot; what is not said stays."""
    meet(tx, [Sighting(user_id=user_id)])
    tx.run(
        """
        MATCH (u:User {user_id: $user_id})
        SET u.is_staff = coalesce($is_staff, u.is_staff), u.is_bot = coalesce($is_bot, u.is_bot)
        """,
        user_id=user_id,
        is_staff=is_staff,
        is_bot=is_bot,
    ).consume()


def flag_counts(tx: ManagedTransaction) -> dict[str, int]:
    """How many people are bots, and how many are staff."""
    record = tx.run(
        """
        RETURN COUNT { (u:User) WHERE u.is_bot } AS bots,
               COUNT { (u:User) WHERE u.is_staff } AS staff
        """
    ).single(strict=True)
    return {"bots": record["bots"], "staff": record["staff"]}


def refs(tx: ManagedTransaction, user_ids: Iterable[UserId]) -> dict[UserId, str | None]:
    """The shop's own ids, encrypted, of those of the people who are known."""
    rows = tx.run(
        """
        UNWIND $user_ids AS user_id
        MATCH (u:User {user_id: user_id})
        USING INDEX SEEK u:User(user_id)
        RETURN user_id, u.ref AS ref
        """,
        user_ids=list(user_ids),
    )
    return {UserId(row["user_id"]): row["ref"] for row in rows}


def set_consent(
    tx: ManagedTransaction,
    user_id: UserId,
    purposes: dict[str, str],
    *,
    now_ms: int,
    source: str = "api",
) -> None:
    """
    Store what a person agreed to; a purpose that is not named stays as it was.

    What was said at a later time than ``now_ms`` wins. The person need not be known yet.
    """
    sighting = Sighting(user_id=user_id)
    sighting.agreed(purposes, now_ms, source)
    meet(tx, [sighting])


def meet(tx: ManagedTransaction, sightings: Sequence[Sighting]) -> None:
    """Make sure that these people have a node, unless they were erased; note what is new."""
    strangers = _note(tx, sightings)
    erased = tombstones.among(tx, [one.user_id for one in strangers]) if strangers else set()
    welcome = [one for one in strangers if one.user_id not in erased]
    if welcome:
        _welcome(tx, sorted(welcome, key=lambda one: one.user_id))
    _agree(tx, [one for one in sightings if one.consent])


def _note(tx: ManagedTransaction, sightings: Sequence[Sighting]) -> list[Sighting]:
    """Note what is new about those who are known; the others are handed back."""
    record = tx.run(
        """
        UNWIND $rows AS row
        OPTIONAL MATCH (u:User {user_id: row[0]})
        USING INDEX SEEK u:User(user_id)
        WITH row, u, coalesce(
            row[1] < u.first_seen OR row[2] > u.last_seen
            OR (row[1] IS NOT NULL AND u.first_seen IS NULL)
            OR (row[3] IS NOT NULL AND u.ref IS NULL)
            OR (row[4] AND NOT coalesce(u.is_bot, false)), false) AS is_news
        FOREACH (known IN CASE WHEN u IS NOT NULL AND is_news THEN [u] ELSE [] END |
            SET known.first_seen = CASE WHEN known.first_seen <= row[1] THEN known.first_seen
                                        ELSE coalesce(row[1], known.first_seen) END,
                known.last_seen = CASE WHEN known.last_seen >= row[2] THEN known.last_seen
                                       ELSE coalesce(row[2], known.last_seen) END,
                known.ref = coalesce(known.ref, row[3]),
                known.is_bot = CASE WHEN row[4] THEN true ELSE known.is_bot END)
        WITH row, u WHERE u IS NULL
        RETURN collect(row[0]) AS missing
        """,
        rows=_rows(sightings),
    ).single(strict=True)
    missing = set(record["missing"])
    return [one for one in sightings if one.user_id in missing]


def _welcome(tx: ManagedTransaction, strangers: Sequence[Sighting]) -> None:
    """Give people their node and their number."""
    before = counters.take(tx, counters.USER_IDX, len(strangers))
    tx.run(
        """
        UNWIND $rows AS row
        MERGE (u:User {user_id: row[0]})
        ON CREATE SET u.idx = row[5], u.kind = row[6], u.first_seen = row[1],
                      u.last_seen = row[2], u.ref = row[3],
                      u.is_bot = CASE WHEN row[4] THEN true ELSE null END
        """,
        rows=[
            [*row, before + k, "customer" if row[0][:2] == "c_" else "visitor"]
            for k, row in enumerate(_rows(strangers), start=1)
        ],
    ).consume()


def _rows(sightings: Sequence[Sighting]) -> list[list[Any]]:
    # In one order for all writers, so that they lock people in that order.
    ordered = sorted(sightings, key=lambda one: one.user_id)
    return [[s.user_id, s.first_ts, s.last_ts, s.ref, s.is_bot] for s in ordered]


def _agree(tx: ManagedTransaction, sightings: Sequence[Sighting]) -> None:
    for purpose in PURPOSES:
        rows = [
            [one.user_id, said.ts, STATES[said.state], said.source, said.state]
            for one in sightings
            if (said := one.consent.get(purpose)) is not None
        ]
        if rows:
            tx.run(_agreement(purpose), rows=rows, states=list(STATES)).consume()


@lru_cache(maxsize=len(PURPOSES))
def _agreement(purpose: str) -> str:
    # Names of properties cannot be parameters; these come from PURPOSES.
    name = f"u.consent_{purpose}"
    return f"""
        UNWIND $rows AS row
        MATCH (u:User {{user_id: row[0]}})
        USING INDEX SEEK u:User(user_id)
        WITH u, row, coalesce({name}_at, -1) AS at,
             head([k IN range(0, 2) WHERE $states[k] = {name}]) AS state
        WHERE at < row[1] OR (at = row[1] AND (coalesce(state, -1) < row[4]
              OR (state = row[4] AND coalesce({name}_source, '') < row[3])))
        SET {name} = row[2], {name}_at = row[1], {name}_source = row[3]
    """


@lru_cache(maxsize=len(PURPOSES))
def _everybody_who_denied(purpose: str) -> str:
    return f"""
        MATCH (u:User {{consent_{purpose}: 'denied'}})
        CALL (u) {{
            RETURN u AS one
            UNION
            MATCH (u)<-[:SAME_AS]-(one:User) RETURN one
        }}
        RETURN DISTINCT one.user_id AS user_id
    """
