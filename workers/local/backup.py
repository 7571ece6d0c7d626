"""
Cold backups of a data folder: what the stopped services keep, in one file.

Neo4j's Community edition has no hot backup; the files of a stopped server are the whole truth.
Keys are left out on purpose: they are kept apart from the data, and a backup is of no use to
whoever finds it without them.
"""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from workers.local.errors import BackupRefused, FolderHeld
from workers.local.holder import hold
from workers.local.secrets import load_secrets
from workers.local.services import status

PARTS = ("neo4j/data", "valkey", "models")
_MANIFEST = "shopgraph-backup.json"
_FORM = 1


@dataclass(frozen=True, slots=True)
class Backup:
    """
    What a backup says of itself.

    Attributes:
        keys: a mark of the keys it was made with; tells nothing of the keys themselves.
    """

    form: int
    made_ms: int
    keys: str


def back_up(home: Path, path: Path, *, now_ms: int) -> Backup:
    """
    Write everything but the keys into a file that is there whole or not at all.

    Raises:
        FolderHeld: the services run; files under a running server are no backup.
        BackupRefused: there is nothing to back up, or the file exists.
    """
    if path.exists():
        raise BackupRefused(f"{path} exists; name another file")
    with _alone(home, "backup"):
        if not (home / PARTS[0]).is_dir():
            raise BackupRefused(f"{home} holds no graph")
        backup = Backup(_FORM, now_ms, _mark(home))
        half = path.with_name(f".{path.name}.part")
        try:
            with tarfile.open(half, "w:gz", compresslevel=3) as archive:
                _add_text(archive, _MANIFEST, json.dumps(asdict(backup)))
                for part in PARTS:
                    if (home / part).exists():
                        archive.add(home / part, part)
            half.chmod(0o600)
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)
    return backup


def restore(home: Path, path: Path, *, replace: bool = False) -> Backup:
    """
    Put a backup in place of what the folder holds.

    Args:
        replace: throw away a graph that is there.

    Raises:
        FolderHeld: the services run.
        BackupRefused: the file is no backup, was made with other keys, or would throw away a
            graph. Nothing was changed.
    """
    with _alone(home, "restore"):
        if (home / PARTS[0]).exists() and not replace:
            raise BackupRefused(f"{home} holds a graph; --replace throws it away")
        unpacked = home / ".restoring"
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            backup = _unpack(path, unpacked, _mark(home))
            for part in PARTS:
                shutil.rmtree(home / part, ignore_errors=True)
                if (unpacked / part).exists():
                    (home / part).parent.mkdir(parents=True, exist_ok=True)
                    (unpacked / part).rename(home / part)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
    return backup


def _unpack(path: Path, folder: Path, keys: str) -> Backup:
    try:
        with tarfile.open(path, "r:gz") as archive:
            first = archive.next()
            told = archive.extractfile(first) if first and first.name == _MANIFEST else None
            if told is None:
                raise BackupRefused(f"{path} is no backup of Shopgraph")
            backup = Backup(**json.load(told))
            if backup.keys != keys:
                raise BackupRefused(
                    "the backup was made with other keys; put the secrets.json that belongs to it "
                    f"into {folder.parent} first"
                )
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError, ValueError, TypeError) as error:
        raise BackupRefused(f"{path} cannot be read as a backup") from error
    return backup


@contextmanager
def _alone(home: Path, command: str) -> Iterator[None]:
    with hold(home, command=f"shopgraph {command}"):
        if status(home) is not None:
            raise FolderHeld(
                f"services run in {home}; end them with `shopgraph services stop` first"
            )
        yield


def _mark(home: Path) -> str:
    # Of random keys of 32 bytes and more, so that nobody can try them out.
    told = json.dumps(asdict(load_secrets(home)), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    entry.mode = 0o600
    archive.addfile(entry, io.BytesIO(text.encode()))
