"""A fitted model goes out: its folder, its vectors for the graph, the neighbours of items."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ml.config import PaperConfig
from ml.dataset import Interactions
from ml.evaluation.comparison import Comparison
from ml.export import Embedded, Fitted, embed_rows, export, listed, load_fitted
from ml.neighbours import Neighbours, neighbours
from ml.serving import ServingModel
from ml.serving.head import Floats
from ml.serving.store import read_item_ids, write_shortlist
from ml.shortlisting import shortlist


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """
    A model folder, and what goes back into the graph.

    Attributes:
        metrics: flat figures such as ``test_paper_ap``, each set with its base rate; and
            ``repeats_exactly``, 1 when the same seed gives the same vectors to the last bit,
            which sums over several threads do not promise.
        report: the same by set, then model: ``report["test"]["paper"]["ap"]``.
        user_ids, user_vectors: people with events, and (n, 64).
        item_ids, item_vectors: all items, and (V, 64).
        champion: the model that says how likely a purchase is.
        similar: (item, its neighbour, cosine), best first within an item.
    """

    version: str
    folder: Path
    as_of_ms: int
    metrics: dict[str, float]
    report: Comparison
    user_ids: list[str]
    user_vectors: Floats
    item_ids: list[str]
    item_vectors: Floats
    similar: list[tuple[str, str, float]]
    champion: str


def refresh(
    folder: Path, interactions: Interactions, *, target: Path, version: str
) -> TrainedModel:
    """
    The same weights with vectors and counters as of the end of ``interactions``; no training.

    Raises:
        ModelBroken: ``folder`` was changed or is not complete.
    """
    fitted = load_fitted(folder, interactions)
    interactions = interactions.weighed(fitted.config.behaviour_weights)
    with seeded(fitted.config):
        return deliver(fitted, interactions, {}, target, version)


def newcomers(folder: Path, interactions: Interactions) -> int:
    """
    How many items would be listed now that the model of ``folder`` does not know.

    Raises:
        ModelBroken: the items of ``folder`` cannot be read.
    """
    if not len(interactions):
        return 0
    known = set(read_item_ids(folder))
    ids = interactions.catalogue.item_ids
    there = np.flatnonzero(listed(interactions, interactions.end_ms))
    return sum(ids[row] not in known for row in there.tolist())


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """Embeddings as of a moment: (n, 64) beside ``user_ids``, (V, 64) beside ``item_ids``."""

    user_ids: list[str]
    user_vectors: Floats
    item_ids: list[str]
    item_vectors: Floats


def embed(
    folder: Path, interactions: Interactions, *, now_ms: int, users: Sequence[str] | None = None
) -> Vectors:
    """
    Vectors by the trained weights of ``folder`` from events before ``now_ms``; no training.

    Args:
        users: only these people, unknown ones are left out; ``None`` means all with events.

    Raises:
        ModelBroken: ``folder`` was changed or is not complete.
    """
    fitted = load_fitted(folder, interactions)
    rows = None
    if users is not None:
        index = {user_id: row for row, user_id in enumerate(interactions.user_ids)}
        rows = np.array([index[user_id] for user_id in users if user_id in index], np.int64)
    with seeded(fitted.config):
        found = embed_rows(fitted, interactions, now_ms, rows)
    return Vectors(
        user_ids=[interactions.user_ids[row] for row in found.users],
        user_vectors=found.user_vectors,
        item_ids=list(interactions.catalogue.item_ids),
        item_vectors=found.item_vectors,
    )


def deliver(
    fitted: Fitted, data: Interactions, compared: Comparison, folder: Path, version: str
) -> TrainedModel:
    """Vectors as of the end of the data, the folder, and the neighbours of items."""
    now_ms = data.settled_end_ms
    found = embed_rows(fitted, data, now_ms)
    near = _neighbours(data, found, fitted.config)
    export(fitted, data, found, near, folder=folder, version=version, now_ms=now_ms)
    _shorten(folder, data, found)
    return TrainedModel(
        version=version,
        folder=folder,
        as_of_ms=now_ms,
        metrics=fitted.metrics,
        report=compared,
        user_ids=[data.user_ids[row] for row in found.users],
        user_vectors=found.user_vectors,
        item_ids=list(data.catalogue.item_ids),
        item_vectors=found.item_vectors,
        champion=fitted.champion.name if fitted.champion else "paper",
        similar=near.named(data.catalogue.item_ids),
    )


def _shorten(folder: Path, data: Interactions, found: Embedded) -> None:
    """Put a shortlist beside the model, if one holds nearly all that anybody is shown."""
    short = shortlist(ServingModel.load(folder), data, found.users, found.user_vectors)
    if short is not None and short.is_good:
        write_shortlist(folder, short.short)


def _neighbours(data: Interactions, found: Embedded, config: PaperConfig) -> Neighbours:
    counts = np.bincount(data.item, minlength=data.n_items)
    rows = np.flatnonzero(counts >= config.similar_min_events)
    return neighbours(found.item_directions, rows, config.similar_count)


@contextmanager
def seeded(config: PaperConfig) -> Iterator[None]:
    """Torch's chance and threads for one run, put back afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
