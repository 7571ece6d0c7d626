"""Puts a trained model into the graph: embeddings into the idle slot, neighbours, then the swap."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import structlog
from neo4j import ManagedTransaction
from numpy.typing import NDArray

from graph import models, tombstones
from graph.client import Graph
from graph.domain.ids import ItemId, ModelVersion, UserId
from graph.domain.models import Model, Slot
from workers.leases import HeldLease, now_ms

log = structlog.get_logger(__name__)

BATCH = 2_000
"""Nodes per transaction: 64 numbers each, about 1 MB."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """
    What a model stores on the nodes.

    Shapes:
        users: (U, 64) float32, beside ``user_ids``
        items: (V, 64) float32, beside ``item_ids``
        similar: (item, neighbour, cosine), best first per item
    """

    user_ids: Sequence[str]
    users: NDArray[Any]
    item_ids: Sequence[str]
    items: NDArray[Any]
    similar: Sequence[tuple[str, str, float]]


def write_back(
    graph: Graph,
    held: HeldLease,
    model: Model,
    vectors: Vectors,
    *,
    report: Callable[[float], None],
) -> None:
    """
    Write everything into the model's slot; readers keep the other one until ``swap``.

    Running it again from the start does no harm.

    Raises:
        LeaseLost: somebody else trains by now; what was written is only in the idle slot.
    """
    held.check()
    models.clear_slot(graph, model.slot)
    total = len(vectors.user_ids) + len(vectors.item_ids) + len(vectors.similar)
    done = 0
    for write, rows in _writes(vectors, model.slot, model.version):
        while batch := list(islice(rows, BATCH)):
            write(held, batch)
            done += len(batch)
            report(done / max(total, 1))
    held.check()
    models.prune_similar(graph, model.version)
    log.info("model_written", version=model.version, slot=model.slot, rows=done)


def swap(held: HeldLease, version: ModelVersion, erasures: int) -> bool:
    """
    Make the model the one that answers; one small transaction.

    Args:
        erasures: how many erasures its files know of.

    Returns:
        Whether it answers now; it does not where somebody else was erased meanwhile.
    """
    is_live = held.write(_activate, version, erasures)
    if is_live:
        log.info("model_live", version=version)
    return is_live


def _activate(tx: ManagedTransaction, version: ModelVersion, erasures: int) -> bool:
    if tombstones.number(tx) != erasures:
        return False
    models.activate(tx, version, now_ms=now_ms())
    return True


Write = Callable[[HeldLease, list[Any]], None]


def _writes(
    vectors: Vectors, slot: Slot, version: ModelVersion
) -> Iterator[tuple[Write, Iterator[Any]]]:
    yield (
        lambda held, rows: held.write(models.write_user_embeddings, slot, rows),
        _rows(UserId, vectors.user_ids, vectors.users),
    )
    yield (
        lambda held, rows: held.write(models.write_item_embeddings, slot, rows),
        _rows(ItemId, vectors.item_ids, vectors.items),
    )
    yield (
        lambda held, rows: held.write(models.write_similar, version, rows),
        iter(vectors.similar),
    )


def _rows(
    kind: Callable[[str], Any], ids: Sequence[str], array: NDArray[Any]
) -> Iterator[tuple[Any, list[float]]]:
    for name, vector in zip(ids, array, strict=True):
        yield kind(name), vector.tolist()
