"""The folder of an exported model: arrays and a manifest with their hashes."""

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import ModelBroken
from ml.serving.short import Shortlist

ARRAYS = "arrays.npz"
WEIGHTS = "weights.pt"
SHORTLIST = "shortlist.npz"
DELIVERY = "delivery.npz"
MANIFEST = "manifest.json"
FORMAT = 1


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Hash every file of the folder and write the manifest last, so a half folder has none."""
    files = {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(MANIFEST)
    }
    text = json.dumps({**manifest, "format": FORMAT, "files": files}, indent=2, sort_keys=True)
    draft = folder / f"{MANIFEST}.part"
    with draft.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(folder / MANIFEST)


def read_card(folder: Path) -> dict[str, Any]:
    """
    What the manifest says, without a look at the other files.

    Raises:
        ModelBroken: there is none, or it cannot be read.
    """
    try:
        card: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ModelBroken(f"no readable manifest in the model folder: {problem}") from problem
    return card


def read_manifest(folder: Path) -> dict[str, Any]:
    """
    The manifest, after every file it names was found unchanged.

    Raises:
        ModelBroken: no manifest, another format, a missing or changed file.
    """
    manifest = read_card(folder)
    try:
        wanted: dict[str, str] = manifest["files"]
        if manifest["format"] != FORMAT:
            raise ModelBroken(f"model format {manifest['format']} is not {FORMAT}")
    except (KeyError, TypeError) as problem:
        raise ModelBroken(f"no readable manifest in the model folder: {problem}") from problem
    for name, digest in wanted.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise ModelBroken(f"model file {name} is missing")
        if sha256(path) != digest:
            raise ModelBroken(f"model file {name} was changed: its sha256 is not the manifest's")
    if ARRAYS not in wanted:
        raise ModelBroken(f"the manifest does not name {ARRAYS}")
    return manifest


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """
    All arrays of the folder; never unpickles.

    Raises:
        ModelBroken: an array is damaged, holds objects, or has values that are not finite.
    """
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise ModelBroken(f"the model's arrays cannot be read: {problem}") from problem
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelBroken(f"array {name} holds values that are not finite")
    return arrays


def read_item_ids(folder: Path) -> list[str]:
    """The items that a model knows, without a look at its other arrays; raises ``ModelBroken``."""
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            found: list[str] = stored["item_ids"].tolist()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise ModelBroken(f"the model's items cannot be read: {problem}") from problem
    return found


def write_shortlist(folder: Path, short: Shortlist) -> None:
    """Add a shortlist to a whole folder; its manifest is written anew, last."""
    manifest = read_manifest(folder)
    np.savez_compressed(folder / SHORTLIST, for_all=short.for_all, for_own=short.for_own)
    write_manifest(folder, manifest)


def read_shortlist(folder: Path) -> Shortlist | None:
    """
    The shortlist of a folder; most small shops have none.

    Raises:
        ModelBroken: it is damaged.
    """
    if not (folder / SHORTLIST).is_file():
        return None
    try:
        with np.load(folder / SHORTLIST, allow_pickle=False) as stored:
            if "is_in" in stored.files:  # of before categories were told apart
                return Shortlist(stored["is_in"], np.zeros_like(stored["is_in"]))
            return Shortlist(stored["for_all"], stored["for_own"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise ModelBroken(f"the model's shortlist cannot be read: {problem}") from problem


def sha256(path: Path) -> str:
    """Digest of a file, in hex."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
