"""What a finished training leaves beside its model, so that a killed run goes on from there."""

import zipfile
from pathlib import Path

import numpy as np

from ml.delivery import TrainedModel
from ml.errors import ModelBroken
from ml.serving.store import DELIVERY, read_arrays, read_manifest, write_manifest


def keep(trained: TrainedModel) -> None:
    """Put everything that goes into the graph beside the model; the manifest names it last."""
    folder = trained.folder
    manifest = read_manifest(folder)
    place = {item_id: row for row, item_id in enumerate(trained.item_ids)}
    np.savez(
        folder / DELIVERY,
        allow_pickle=False,
        user_ids=np.array(trained.user_ids, np.str_),
        user_vectors=trained.user_vectors,
        item=np.array([place[one] for one, _, _ in trained.similar], np.int32),
        neighbour=np.array([place[other] for _, other, _ in trained.similar], np.int32),
        cosine=np.array([cosine for _, _, cosine in trained.similar], np.float64),
    )
    metrics = {"metrics": trained.metrics, "champion_name": trained.champion}
    write_manifest(folder, {**manifest, **metrics})


def find(folder: Path, version: str) -> TrainedModel | None:
    """
    What was kept in a folder, under another version's name; ``None`` where it is not whole.

    Args:
        version: written into the manifest, as the folder is to serve under it.
    """
    try:
        manifest = read_manifest(folder)
        if DELIVERY not in manifest["files"]:
            return None
        if manifest["version"] != version:
            write_manifest(folder, {**manifest, "version": version})
        arrays = read_arrays(folder)
        with np.load(folder / DELIVERY, allow_pickle=False) as stored:
            kept = {name: stored[name] for name in stored.files}
    except (ModelBroken, OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    item_ids = arrays["item_ids"].tolist()
    near = zip(kept["item"], kept["neighbour"], kept["cosine"].tolist(), strict=True)
    return TrainedModel(
        version=version,
        folder=folder,
        as_of_ms=int(manifest["as_of_ms"]),
        metrics=manifest["metrics"],
        report={},
        user_ids=kept["user_ids"].tolist(),
        user_vectors=kept["user_vectors"],
        item_ids=item_ids,
        item_vectors=arrays["embedding"],
        champion=manifest["champion_name"],
        similar=[(item_ids[one], item_ids[other], cosine) for one, other, cosine in near],
    )
