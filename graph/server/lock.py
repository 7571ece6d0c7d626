"""The locked list of jars that make one Neo4j server."""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from graph.server.errors import LockMalformed

LOCK_FILE = Path(__file__).with_name("neo4j.lock.toml")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Jar:
    """One file of a Maven artifact and the sha256 that it must have."""

    group: str
    artifact: str
    packaging: str
    classifier: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """The Maven coordinate, ``group:artifact:packaging[:classifier]:version``."""
        parts = (self.group, self.artifact, self.packaging, self.classifier, self.version)
        return ":".join(part for part in parts if part)

    @property
    def file_name(self) -> str:
        """The name of the file, as Maven gives it."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.packaging}"


@dataclass(frozen=True)
class Lock:
    """All jars of one server."""

    roots: tuple[str, ...]
    jars: tuple[Jar, ...]
    digest: str

    @property
    def version(self) -> str:
        """The version of the server."""
        return self.roots[0].rsplit(":", 1)[-1]


def read_lock(path: Path = LOCK_FILE) -> Lock:
    """
    Read the list of jars.

    Raises:
        LockMalformed: the file is missing, is no TOML, or an entry in it is wrong.
    """
    try:
        content = path.read_bytes()
        document = tomllib.loads(content.decode())
        jars = tuple(_jar(name, sha256) for name, sha256 in document["jars"].items())
        roots = tuple(str(root) for root in document["roots"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise LockMalformed(f"the list of jars {path} cannot be read: {error}") from error
    names = {jar.file_name for jar in jars}
    if not roots or len(names) != len(jars):
        raise LockMalformed(f"the list of jars {path} is empty or names one file twice")
    return Lock(roots=roots, jars=jars, digest=hashlib.sha256(content).hexdigest())


def _jar(coordinate: str, sha256: object) -> Jar:
    parts = coordinate.split(":")
    if len(parts) not in (4, 5) or not all(parts):
        raise ValueError(f"{coordinate!r} is no coordinate")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"{coordinate!r} has no sha256")
    classifier = parts[3] if len(parts) == 5 else ""
    return Jar(parts[0], parts[1], parts[2], classifier, parts[-1], sha256)
