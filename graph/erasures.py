"""Takes a person out of the graph, in small transactions that count what they take."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from neo4j import ManagedTransaction

from graph import counters, identities, tombstones
from graph.domain.erasures import Case, ErasureState, Receipt, ReceiptId
from graph.domain.ids import DeviceId, UserId
from graph.errors import UnknownReceipt

EDGES_AT_ONCE = 5_000


def begin(tx: ManagedTransaction, user_id: UserId, receipt: Receipt) -> Case:
    """
    Mark the person, under every pseudonym that is theirs, and open the receipt.

    Events are stored under the same lock: what was stored before is there to be taken away, and
    nothing is stored after. Somebody who was erased before keeps the receipt of that time.
    """
    counters.take(tx, counters.EVENT_SEQ, 0)
    counters.take(tx, tombstones.ERASURES, 1)
    earlier = _earlier(tx, user_id)
    people = identities.one_person(tx, [user_id]) | {user_id}
    _open(tx, receipt if earlier is None else get(tx, earlier), _devices_of_nobody_else(tx, people))
    receipt_id = receipt.receipt_id if earlier is None else earlier
    tombstones.lay(tx, people, receipt_id, now_ms=receipt.requested_at)
    return case(tx, receipt_id)


def case(tx: ManagedTransaction, receipt_id: ReceiptId) -> Case:
    """
    Whom an erasure is about, as long as it has not ended.

    Raises:
        UnknownReceipt: there is no such erasure.
    """
    record = tx.run(
        """
        MATCH (e:Erasure {receipt_id: $receipt_id})
        OPTIONAL MATCH (t:Tombstone {receipt_id: $receipt_id})
        RETURN coalesce(e.devices, []) AS devices, collect(t.user_id) AS user_ids
        """,
        receipt_id=receipt_id,
    ).single()
    if record is None:
        raise UnknownReceipt("no erasure has that receipt")
    return Case(
        receipt=get(tx, receipt_id),
        user_ids=frozenset(map(UserId, record["user_ids"])),
        device_ids=frozenset(map(DeviceId, record["devices"])),
    )


def get(tx: ManagedTransaction, receipt_id: ReceiptId) -> Receipt:
    """
    A receipt.

    Raises:
        UnknownReceipt: there is none of that id.
    """
    record = tx.run(
        "MATCH (e:Erasure {receipt_id: $receipt_id}) RETURN e", receipt_id=receipt_id
    ).single()
    if record is None:
        raise UnknownReceipt("no erasure has that receipt")
    return _receipt(dict(record["e"]))


def marked_and_there(tx: ManagedTransaction) -> list[UserId]:
    """People who were erased and are in the graph all the same."""
    rows = tx.run(
        """
        MATCH (t:Tombstone)
        MATCH (u:User {user_id: t.user_id})
        RETURN u.user_id AS user_id ORDER BY user_id
        """
    )
    return [UserId(row["user_id"]) for row in rows]


def unfinished(tx: ManagedTransaction) -> list[ReceiptId]:
    """Erasures that were cut short, or are at work right now."""
    rows = tx.run(
        "MATCH (e:Erasure {state: 'running'}) RETURN e.receipt_id AS id ORDER BY e.requested_at"
    )
    return [ReceiptId(row["id"]) for row in rows]


def forget_edges(tx: ManagedTransaction, receipt_id: ReceiptId, user_id: UserId) -> int:
    """
    Take away some edges of a person, and what hung on them alone; says how many edges.

    Searches, lists that were shown, returned orders and devices go with the last edge to them.
    """
    rows = tx.run(
        """
        MATCH (u:User {user_id: $user_id})-[r]-(other)
        WITH r, other, type(r) AS type LIMIT $most
        WITH type, count(r) AS n, collect(r) AS edges,
             [one IN collect(DISTINCT other)
              WHERE one:Query OR one:Impression OR one:Order OR one:Device] AS ends
        FOREACH (edge IN edges | DELETE edge)
        WITH type, n, ends
        CALL (ends) {
            UNWIND ends AS end
            WITH end WHERE NOT EXISTS { (end)--() }
            WITH end, labels(end)[0] AS label
            DELETE end
            RETURN collect(label) AS labels
        }
        RETURN type, n, labels
        """,
        user_id=user_id,
        most=EDGES_AT_ONCE,
    )
    taken: Counter[str] = Counter()
    gone = 0
    for row in rows:
        gone += row["n"]
        taken[f"edges.{row['type']}"] += row["n"]
        taken.update(f"nodes.{label}" for label in row["labels"])
    note(tx, receipt_id, taken)
    return gone


def forget_node(tx: ManagedTransaction, receipt_id: ReceiptId, user_id: UserId) -> None:
    """Take away the node of a person who has no edges any more, with its vectors."""
    record = tx.run(
        """
        MATCH (u:User {user_id: $user_id})
        WITH u, u.embedding_blue IS NOT NULL AS is_blue, u.embedding_green IS NOT NULL AS is_green
        DELETE u
        RETURN is_blue, is_green
        """,
        user_id=user_id,
    ).single()
    if record is None:
        return
    vectors = {f"vectors.{slot}": int(record[f"is_{slot}"]) for slot in ("blue", "green")}
    note(tx, receipt_id, {"nodes.User": 1, **vectors})


def note(tx: ManagedTransaction, receipt_id: ReceiptId, taken: Mapping[str, int]) -> None:
    """Add to what a receipt says was taken away."""
    found = Counter(get(tx, receipt_id).counts)
    found.update({name: n for name, n in taken.items() if n})
    tx.run(
        "MATCH (e:Erasure {receipt_id: $receipt_id}) SET e.counts = $counts",
        receipt_id=receipt_id,
        counts=json.dumps(found, sort_keys=True),
    ).consume()


def finish(tx: ManagedTransaction, receipt_id: ReceiptId, *, now_ms: int) -> Receipt:
    """Close a receipt; it names no device any more."""
    tx.run(
        """
        MATCH (e:Erasure {receipt_id: $receipt_id})
        SET e.state = 'done', e.finished_at = coalesce(e.finished_at, $now_ms), e.devices = null
        """,
        receipt_id=receipt_id,
        now_ms=now_ms,
    ).consume()
    return get(tx, receipt_id)


def _earlier(tx: ManagedTransaction, user_id: UserId) -> ReceiptId | None:
    record = tx.run(
        "MATCH (t:Tombstone {user_id: $user_id}) RETURN t.receipt_id AS id", user_id=user_id
    ).single()
    return None if record is None else ReceiptId(record["id"])


def _open(tx: ManagedTransaction, receipt: Receipt, devices: Iterable[DeviceId]) -> None:
    tx.run(
        """
        MERGE (e:Erasure {receipt_id: $receipt_id})
        ON CREATE SET e.requested_at = $requested_at, e.retrain_by = $retrain_by, e.by = $by,
                      e.counts = '{}'
        SET e.state = 'running', e.devices = $devices
        """,
        receipt_id=receipt.receipt_id,
        requested_at=receipt.requested_at,
        retrain_by=receipt.retrain_by,
        by=receipt.by,
        devices=sorted(devices),
    ).consume()


def _devices_of_nobody_else(tx: ManagedTransaction, people: Iterable[UserId]) -> set[DeviceId]:
    record = tx.run(
        """
        UNWIND $people AS user_id
        MATCH (u:User {user_id: user_id})-[:USES]->(d:Device)
        USING INDEX SEEK u:User(user_id)
        WHERE NOT EXISTS { (d)<-[:USES]-(other) WHERE NOT other.user_id IN $people }
        RETURN collect(DISTINCT d.device_id) AS found
        """,
        people=sorted(people),
    ).single(strict=True)
    return {DeviceId(device_id) for device_id in record["found"]}


def _receipt(stored: dict[str, Any]) -> Receipt:
    return Receipt(
        receipt_id=ReceiptId(stored["receipt_id"]),
        state=ErasureState(stored["state"]),
        requested_at=stored["requested_at"],
        retrain_by=stored["retrain_by"],
        by=stored["by"],
        finished_at=stored.get("finished_at"),
        counts=json.loads(stored["counts"]),
    )
