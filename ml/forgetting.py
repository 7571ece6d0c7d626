"""Takes people out of an exported model: the one file of its folder that has rows of people."""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ml.errors import ModelBroken
from ml.serving.store import DELIVERY, MANIFEST, read_card, write_manifest


def forget(folder: Path, user_ids: Collection[str]) -> int:
    """
    Drop the rows of these people; the manifest is written anew.

    Returns:
        How many rows there were. A folder that is not whole has no manifest yet: whoever writes
        it has to come back here.
    """
    if not (folder / MANIFEST).is_file():
        return 0
    with _alone(folder):
        return _dropped(folder, user_ids)


def people_in(folder: Path) -> list[str]:
    """Everybody who has a row in the folder."""
    if not (folder / DELIVERY).is_file():
        return []
    with np.load(folder / DELIVERY, allow_pickle=False) as stored:
        found: list[str] = stored["user_ids"].tolist()
    return found


def _dropped(folder: Path, user_ids: Collection[str]) -> int:
    try:
        card = read_card(folder)
    except ModelBroken:
        return 0
    if DELIVERY not in card["files"]:
        return 0
    with np.load(folder / DELIVERY, allow_pickle=False) as stored:
        kept = {name: stored[name] for name in stored.files}
    is_theirs = np.isin(kept["user_ids"], np.array(sorted(user_ids), np.str_))
    if not is_theirs.any():
        return 0
    for name in ("user_ids", "user_vectors"):
        kept[name] = kept[name][~is_theirs]
    draft = folder / f".{DELIVERY}.part"
    with draft.open("wb") as out:
        np.savez(out, allow_pickle=False, **kept)
    draft.replace(folder / DELIVERY)
    write_manifest(folder, card)
    return int(is_theirs.sum())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time, in whatever process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
