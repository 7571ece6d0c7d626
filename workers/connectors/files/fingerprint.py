"""By what a file is known again, without reading all of it."""

from hashlib import blake2b
from pathlib import Path

_END_BYTES = 64 * 1024


def fingerprint(path: Path) -> str:
    """A hash of size, beginning and end: another file, or a changed one, has another."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_END_BYTES)
        file.seek(max(0, size - _END_BYTES))
        tail = file.read()
    return blake2b(f"{size}:".encode() + head + tail, digest_size=12).hexdigest()
