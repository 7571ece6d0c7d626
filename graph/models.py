"""Models on the graph: their figures, their vectors, and which one is live."""

import json
from collections.abc import Sequence

from neo4j import ManagedTransaction, Record

from graph import counters
from graph.client import Graph
from graph.domain.ids import ItemId, ModelVersion, UserId
from graph.domain.models import Model, ModelStatus, Slot, is_overwritten
from graph.errors import GraphRejected, UnknownModel

_SWAPS = "model_swaps"


def create(tx: ManagedTransaction, model: Model) -> None:
    """Store a model; one that comes again is replaced."""
    tx.run(
        """
        MERGE (m:Model {version: $version})
        SET m += $about
        """,
        version=model.version,
        about={
            "status": model.status,
            "slot": model.slot,
            "profile": model.profile,
            "as_of_ms": model.as_of_ms,
            "data_seq": model.data_seq,
            "created_at": model.created_at,
            "metrics": json.dumps(model.metrics, sort_keys=True),
            "reason": model.reason,
            "champion": model.champion,
            "vectors_seq": model.vectors_seq,
            "erasures": model.erasures,
        },
    ).consume()


def get(tx: ManagedTransaction, version: ModelVersion) -> Model:
    """
    A model by its version.

    Raises:
        UnknownModel: there is none.
    """
    record = tx.run("MATCH (m:Model {version: $version}) RETURN m", version=version).single()
    if record is None:
        raise UnknownModel("no model has that version")
    return _model(record)


def live(tx: ManagedTransaction) -> Model | None:
    """The model that answers now; ``None`` before the first."""
    record = tx.run("MATCH (m:Model {status: 'live'}) RETURN m LIMIT 1").single()
    return None if record is None else _model(record)


def all_models(tx: ManagedTransaction) -> list[Model]:
    """All models, newest first."""
    return [
        _model(record)
        for record in tx.run("MATCH (m:Model) RETURN m ORDER BY m.created_at DESC, m.version DESC")
    ]


def idle_slot(tx: ManagedTransaction) -> Slot:
    """The slot that no answer comes from, for the next model to be written to."""
    now = live(tx)
    return Slot.BLUE if now is None else now.slot.other


def activate(tx: ManagedTransaction, version: ModelVersion, *, now_ms: int) -> None:
    """
    Move the pointer: this model is live, the one before is retired.

    Raises:
        UnknownModel: there is no such model.
        GraphRejected: its vectors are no longer in its slot, or it has failed.
    """
    counters.take(tx, _SWAPS, 1)  # two swaps at once take turns here
    model = get(tx, version)
    if model.status is ModelStatus.LIVE:
        return
    if model.status is ModelStatus.FAILED:
        raise GraphRejected("a model that failed cannot be made live")
    if is_overwritten(model, all_models(tx)):
        raise GraphRejected("the vectors of this model have been overwritten by a newer one")
    tx.run(
        """
        OPTIONAL MATCH (old:Model {status: 'live'})
        SET old.status = 'retired'
        WITH count(old) AS retired
        MATCH (new:Model {version: $version})
        SET new.status = 'live', new.activated_at = $now_ms
        """,
        version=version,
        now_ms=now_ms,
    ).consume()


def fail(tx: ManagedTransaction, version: ModelVersion, reason: str) -> None:
    """Keep a model as failed, with the reason; the live one cannot fail."""
    tx.run(
        """
        MATCH (m:Model {version: $version}) WHERE m.status <> 'live'
        SET m.status = 'failed', m.reason = $reason
        """,
        version=version,
        reason=reason,
    ).consume()


def clear_slot(graph: Graph, slot: Slot) -> None:
    """
    Take all vectors out of a slot.

    Raises:
        GraphRejected: answers come from that slot.
    """
    now = graph.read(live)
    if now is not None and now.slot is slot:
        raise GraphRejected("the live slot is not cleared")
    for label in ("User", "Item"):
        graph.run_alone(
            f"MATCH (n:{label}) WHERE n.embedding_{slot} IS NOT NULL "
            f"CALL (n) {{ REMOVE n.embedding_{slot} }} IN TRANSACTIONS OF 5000 ROWS"
        )


def write_user_embeddings(
    tx: ManagedTransaction, slot: Slot, rows: Sequence[tuple[UserId, list[float]]]
) -> None:
    """Store vectors of people in a slot; unknown people are passed over."""
    tx.run(
        f"""
        UNWIND $rows AS row
        MATCH (u:User {{user_id: row[0]}})
        USING INDEX SEEK u:User(user_id)
        SET u.embedding_{slot} = row[1]
        """,
        rows=[list(row) for row in rows],
    ).consume()


def write_item_embeddings(
    tx: ManagedTransaction, slot: Slot, rows: Sequence[tuple[ItemId, list[float]]]
) -> None:
    """Store vectors of items in a slot; unknown items are passed over."""
    tx.run(
        f"""
        UNWIND $rows AS row
        MATCH (i:Item {{item_id: row[0]}})
        USING INDEX SEEK i:Item(item_id)
        SET i.embedding_{slot} = row[1]
        """,
        rows=[list(row) for row in rows],
    ).consume()


def write_similar(
    tx: ManagedTransaction,
    version: ModelVersion,
    rows: Sequence[tuple[ItemId, ItemId, float]],
) -> None:
    """Store the nearest neighbours of items; an edge that is there already gets the new score."""
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (a:Item {item_id: row[0]})
        USING INDEX SEEK a:Item(item_id)
        MATCH (b:Item {item_id: row[1]})
        USING INDEX SEEK b:Item(item_id)
        MERGE (a)-[near:SIMILAR_TO]->(b)
        SET near.score = row[2], near.version = $version
        """,
        version=version,
        rows=[list(row) for row in sorted(rows)],
    ).consume()


def prune_similar(graph: Graph, version: ModelVersion) -> None:
    """Take away neighbours that this model did not name."""
    graph.run_alone(
        "MATCH (:Item)-[near:SIMILAR_TO]->() WHERE near.version <> $version "
        "CALL (near) { DELETE near } IN TRANSACTIONS OF 10000 ROWS",
        version=version,
    )


def _model(record: Record) -> Model:
    stored = dict(record["m"])
    return Model(
        version=ModelVersion(stored["version"]),
        status=ModelStatus(stored["status"]),
        slot=Slot(stored["slot"]),
        profile=stored["profile"],
        as_of_ms=stored["as_of_ms"],
        data_seq=stored["data_seq"],
        created_at=stored["created_at"],
        metrics=json.loads(stored["metrics"]),
        reason=stored.get("reason"),
        champion=stored.get("champion", "paper"),
        vectors_seq=stored.get("vectors_seq"),
        erasures=stored.get("erasures") or 0,
    )
