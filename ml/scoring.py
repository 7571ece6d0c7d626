"""Scores many pairs with the fitted model: vectors once per person and item, then the head."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ml.batches import Rows, Scene
from ml.evaluation.pools import Pool
from ml.models.paper import PaperModel
from ml.serving.head import Floats, Head

PEOPLE = 512
ITEMS = 8192
"""Rows per pass of the towers; bounds the memory of a pass to some tens of megabytes."""


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """``embedding`` (M, 64) is the item's part of the head, ``graph`` (M, 64) what it came from."""

    embedding: Floats
    graph: Floats


def head_of(model: PaperModel) -> Head:
    """The last layers as NumPy arrays."""
    return Head(
        mean=_numpy(model.mean),
        deviation=_numpy(model.deviation),
        weight=_numpy(model.head_features.weight).T.copy(),
        output=_numpy(model.output.weight)[0],
        bias=float(model.output.bias.detach()[0]),
    )


@torch.no_grad()
def user_vectors(model: PaperModel, scene: Scene, users: Rows) -> Floats:
    """(B, 64): the people's part of the head, people of like history length side by side."""
    model.eval()
    out = np.zeros((len(users), model.config.dim), np.float32)
    order = np.argsort(scene.lengths[users], kind="stable")
    for start in range(0, len(order), PEOPLE):
        part = order[start : start + PEOPLE]
        chosen = users[part]
        vectors = model.people(scene.table, scene.sequences(chosen), scene.around_users(chosen))
        out[part] = _numpy(vectors)
    return out


@torch.no_grad()
def item_vectors(model: PaperModel, scene: Scene, items: Rows) -> ItemVectors:
    """The items' part of the head, and their graph vectors."""
    model.eval()
    parts = [
        model.graph_items(scene.around_items(items[start : start + ITEMS]))
        for start in range(0, len(items), ITEMS)
    ]
    graph = torch.cat(parts) if parts else torch.zeros(0, model.config.dim)
    return ItemVectors(_numpy(model.head_item(graph)), _numpy(graph))


def score_pool(model: PaperModel, scene: Scene, pool: Pool) -> NDArray[np.float64]:
    """(P,) logits of the pairs of one cutoff, that of the scene."""
    users, user = np.unique(pool.user, return_inverse=True)
    items, item = np.unique(pool.item, return_inverse=True)
    people = user_vectors(model, scene, users)
    things = item_vectors(model, scene, items).embedding
    head, out = head_of(model), np.empty(len(pool), np.float64)
    for start in range(0, len(pool), ITEMS):
        part = slice(start, start + ITEMS)
        out[part] = head.logits(people[user[part]], things[item[part]], pool.features[part])
    return out


def _numpy(tensor: torch.Tensor) -> Floats:
    found: Floats = tensor.detach().cpu().numpy().astype(np.float32)
    return found
