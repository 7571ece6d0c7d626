"""A fitted model leaves for the shop: vectors as of now, arrays, weights, hashes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.batches import Rows, Scene
from ml.behaviours import named
from ml.calibration import Platt
from ml.codes import codes
from ml.cold.blend import ColdBlend
from ml.config import DAY_MS, PaperConfig
from ml.contenders import Champion
from ml.dataset import Interactions
from ml.errors import TrainingDiverged
from ml.features.items import ItemCounters, item_counters
from ml.intent.item_side import item_side
from ml.models.fallback import fill_from_category
from ml.models.paper import PaperModel
from ml.neighbours import Neighbours
from ml.scoring import head_of, item_vectors, user_vectors
from ml.serving import intent, strangers
from ml.serving.head import Floats
from ml.serving.model import NEW_DAYS
from ml.serving.store import ARRAYS, WEIGHTS, read_arrays, read_manifest, write_manifest
from ml.strangers import recounted
from ml.timelines import Timelines


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """
    What training found out.

    Attributes:
        table: (V + 1, dim) item2vec, in the order of ``item_ids``; the last row is zero.
        touched, new: calibration of pairs that the person has touched and has not.
        champion: what answers for touched pairs, where it is not the paper's model.
        strangers: what answers people without a vector, where it is not the cosine.
        metrics: flat figures by name.
    """

    model: PaperModel
    table: Tensor
    item_ids: list[str]
    config: PaperConfig
    touched: Platt
    new: Platt
    metrics: dict[str, float]
    champion: Champion | None = None
    strangers: ColdBlend | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """
    Vectors as of a moment, to be stored beside the nodes.

    Shapes:
        users: (n,) positions in the data's ``user_ids``; user_vectors: (n, 64)
        item_vectors, item_directions: (V, 64) and (V, 128), all items of the data
    """

    users: Rows
    user_vectors: Floats
    item_vectors: Floats
    item_directions: Floats


def embed_rows(
    fitted: Fitted, data: Interactions, now_ms: int, users: Rows | None = None
) -> Embedded:
    """
    Vectors of people with events (or of the given ones) and of all items, before ``now_ms``.

    Raises:
        TrainingDiverged: a number is not finite.
    """
    scene = Scene(Timelines(data), now_ms, fitted.table, fitted.config)
    chosen = np.flatnonzero(scene.lengths > 0) if users is None else users
    people = user_vectors(fitted.model, scene, chosen)
    things = item_vectors(fitted.model, scene, np.arange(data.n_items))
    found = Embedded(
        users=chosen,
        user_vectors=people,
        item_vectors=things.embedding,
        item_directions=directions(fitted.table, things.graph),
    )
    for name in ("user_vectors", "item_vectors", "item_directions"):
        if not np.isfinite(getattr(found, name)).all():
            raise TrainingDiverged(f"{name} are not finite")
    return found


def directions(table: Tensor, graph: Floats) -> Floats:
    """(V, 128), each item's own and its graph vector, both of length 1 or 0."""
    return np.concatenate([_unit(table[:-1].numpy()), _unit(graph)], axis=1)


def export(
    fitted: Fitted,
    data: Interactions,
    found: Embedded,
    near: Neighbours,
    *,
    folder: Path,
    version: str,
    now_ms: int,
) -> None:
    """Write a model folder; it counts only once its manifest is there."""
    folder.mkdir(parents=True, exist_ok=True)
    counters = item_counters(data, now_ms, fitted.config.window_days)
    arrays = _arrays(fitted, data, found, counters) | {
        "is_listed": listed(data, now_ms),
        "neighbour": near.item,
        "neighbour_cosine": near.cosine,
    }
    np.savez(folder / ARRAYS, allow_pickle=False, **arrays)
    torch.save(
        {"state": fitted.model.state_dict(), "table": fitted.table, "item_ids": fitted.item_ids},
        folder / WEIGHTS,
    )
    if fitted.champion is not None:
        _export_champion(fitted.champion, data, folder / intent.FOLDER, fitted.config, now_ms)
    if fitted.strangers is not None:
        blend = recounted(fitted.strangers, data.before(now_ms), fitted.config)
        blend.save(folder / strangers.FILE)
    found_codes = codes(found.item_directions, np.flatnonzero(arrays["is_listed"]))
    if found_codes is not None:
        found_codes.save(folder)
    write_manifest(
        folder,
        {
            "champion": _named(fitted.champion),
            "strangers": strangers.SESSION if fitted.strangers is None else strangers.BLEND,
            "version": version,
            "as_of_ms": now_ms,
            "window_days": fitted.config.window_days,
            "cart_to_buy": counters.cart_to_buy,
            "config": fitted.config.to_dict(),
            "behaviour_weights": named(data.weights),
            "metrics": fitted.metrics,
        },
    )


def _export_champion(
    champion: Champion, data: Interactions, folder: Path, config: PaperConfig, now_ms: int
) -> None:
    folder.mkdir(exist_ok=True)
    champion.model.save(folder)
    side = item_side(data, now_ms, config.window_days)
    row = {item_id: place for place, item_id in enumerate(champion.item_ids)}
    known = np.array([row.get(one, -1) for one in data.catalogue.item_ids], np.int32)
    np.savez(
        folder / intent.SIDE,
        allow_pickle=False,
        item_ids=np.array(champion.item_ids, np.str_),
        trained_row=known,
        **side.arrays(),
    )


def _named(champion: Champion | None) -> dict[str, Any] | None:
    if champion is None:
        return None
    line = champion.calibration
    return {"name": champion.name, "slope": line.slope, "intercept": line.intercept}


def _arrays(
    fitted: Fitted, data: Interactions, found: Embedded, counters: ItemCounters
) -> dict[str, NDArray[Any]]:
    lines = [[one.slope, one.intercept] for one in (fitted.touched, fitted.new)]
    return {
        "item_ids": np.array(data.catalogue.item_ids, np.str_),
        "category": data.catalogue.category,
        "category_names": np.array(data.catalogue.category_names, np.str_),
        "embedding": found.item_vectors,
        "direction": found.item_directions,
        # A stored array must be finite; 0 stands for an unknown price.
        "price": np.nan_to_num(counters.price, nan=0.0),
        "conversion": counters.conversion,
        "slope": counters.slope,
        "week": counters.week,
        "popularity": counters.popularity,
        "calibration": np.array(lines),
        **head_of(fitted.model).arrays(),
    }


def load_fitted(folder: Path, data: Interactions) -> Fitted:
    """
    A trained model from its folder, its item table laid out for ``data``.

    Items that the model has never seen get the mean vector of their category.

    Raises:
        ModelBroken: the folder was changed or is not complete.
    """
    manifest = read_manifest(folder)
    arrays = read_arrays(folder)
    saved: dict[str, Any] = torch.load(folder / WEIGHTS, weights_only=True)
    config = PaperConfig.of(manifest["config"])
    model = PaperModel(config)
    model.load_state_dict(saved["state"])
    model.eval()
    touched, new = arrays["calibration"].tolist()
    said = manifest.get("champion")
    won = intent.IntentScorer.of(folder, said)
    kept = strangers.Strangers.of(folder, manifest, len(arrays["item_ids"]))
    return Fitted(
        model=model,
        table=_relaid(saved["table"].numpy(), saved["item_ids"], data),
        item_ids=list(data.catalogue.item_ids),
        config=config,
        touched=Platt(*touched),
        new=Platt(*new),
        metrics=manifest["metrics"],
        champion=_champion(said, won),
        strangers=kept.blend if kept else None,
    )


def _champion(said: dict[str, Any] | None, won: intent.IntentScorer | None) -> Champion | None:
    if said is None or won is None:
        return None
    return Champion(said["name"], won.model, won.calibration, won.item_ids)


def listed(data: Interactions, now_ms: int) -> NDArray[np.bool_]:
    """(V,) items that had events before now, or were created in the last days."""
    made = data.catalogue.created_at
    fresh = (made > now_ms - NEW_DAYS * DAY_MS) & (made <= now_ms) & (made > 0)
    fresh[data.before(now_ms).item] = True
    return fresh


def with_padding(table: Floats) -> Tensor:
    """The item table with its zero row for padding behind it."""
    return torch.from_numpy(np.vstack([table, np.zeros((1, table.shape[1]), np.float32)]))


def _relaid(table: Floats, item_ids: list[str], data: Interactions) -> Tensor:
    from_id = {item_id: row for row, item_id in enumerate(item_ids)}
    source = np.array([from_id.get(one, -1) for one in data.catalogue.item_ids], np.int64)
    known = source >= 0
    laid = np.where(known[:, None], table[source], 0.0).astype(np.float32)
    return with_padding(fill_from_category(laid, known, data.catalogue.category))


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = (vectors / np.maximum(length, 1e-9)).astype(np.float32)
    return unit
