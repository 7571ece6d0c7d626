"""Writes the list of jars anew after the version in ``neo4j.lock.toml`` was changed by hand."""

import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import jgo

from graph.server.lock import LOCK_FILE, read_lock

_HEAD = """\
# The jars of one Neo4j Community server with Browser: Maven coordinates and their sha256.
# To change a version, edit `roots` and run `python -m graph.server.relock`.
"""


def lock_text(roots: tuple[str, ...], resolved: dict[str, Any]) -> str:
    """
    The text of our lock.

    Args:
        roots: the coordinates that were asked for.
        resolved: the content of jgo's own lock, which also has what they need.
    """
    jars = sorted(_line(jar) for jar in resolved["dependencies"])
    asked = "".join(f'    "{root}",\n' for root in roots)
    return f"{_HEAD}roots = [\n{asked}]\n\n[jars]\n" + "".join(jars)


def _line(jar: dict[str, Any]) -> str:
    names = ("groupId", "artifactId", "packaging", "classifier", "version")
    coordinate = ":".join(jar[name] for name in names if jar.get(name))
    return f'"{coordinate}" = "{jar["sha256"]}"\n'


def main() -> None:
    """Resolve the roots of the lock and write it; takes some minutes."""
    roots = read_lock().roots
    with tempfile.TemporaryDirectory() as cache:
        jgo.build("+".join(roots), cache_dir=Path(cache))
        found = next(Path(cache).rglob("jgo.lock.toml"))
        LOCK_FILE.write_text(lock_text(roots, tomllib.loads(found.read_text())))
    sys.stdout.write(f"{LOCK_FILE} names {len(read_lock().jars)} jars\n")


if __name__ == "__main__":
    main()
