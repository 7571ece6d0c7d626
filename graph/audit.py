"""Who took data of people out, or away: by the name of a key, never by the name of a person."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from neo4j import ManagedTransaction

from graph.domain.ids import UserId


class Act(StrEnum):
    """What is written down."""

    ERASURE = "erasure"
    RETURN = "return"
    PERSON_EXPORT = "person_export"
    TAG_DELETION = "tag_deletion"
    KEY_ROTATION = "key_rotation"
    RETENTION = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One act.

    Attributes:
        by: name of the key, or of the command.
        about: pseudonym, or the id of a receipt; ``None`` where it was about nobody.
    """

    at: int
    act: Act
    by: str
    about: str | None


def note(tx: ManagedTransaction, entry: Entry, counts: Mapping[str, int] | None = None) -> None:
    """
    Write an act down; one about somebody who was erased names the receipt.

    Args:
        counts: how much the act took away, by what it was.
    """
    tx.run(
        """
        OPTIONAL MATCH (t:Tombstone {user_id: $about})
        CREATE (:Audit {at: $at, kind: $act, by: $by, about: coalesce(t.receipt_id, $about),
                        counts: $counts})
        """,
        at=entry.at,
        act=entry.act,
        by=entry.by,
        about=entry.about,
        counts=None if counts is None else json.dumps(counts, sort_keys=True),
    ).consume()


def forget(tx: ManagedTransaction, user_ids: Iterable[UserId], receipt_id: str) -> None:
    """Have earlier entries about a person name the receipt of their erasure."""
    tx.run(
        """
        UNWIND $user_ids AS user_id
        MATCH (a:Audit {about: user_id})
        USING INDEX SEEK a:Audit(about)
        SET a.about = $receipt_id
        """,
        user_ids=sorted(user_ids),
        receipt_id=receipt_id,
    ).consume()


def latest(tx: ManagedTransaction, limit: int, *, before_ms: int | None = None) -> list[Entry]:
    """The newest acts, newest first."""
    rows = tx.run(
        """
        MATCH (a:Audit) WHERE a.at < $before
        RETURN a.at AS at, a.kind AS act, a.by AS by, a.about AS about
        ORDER BY at DESC, act, about LIMIT $limit
        """,
        before=(1 << 62) if before_ms is None else before_ms,
        limit=limit,
    )
    return [
        Entry(at=row["at"], act=Act(row["act"]), by=row["by"], about=row["about"]) for row in rows
    ]
