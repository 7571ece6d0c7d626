"""The browser tracker, as pages of the shop fetch it."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, request

bp = Blueprint("tracker", __name__)

CACHE_S = 3600
_FOLDER = Path(__file__).parent / "static"


@bp.get("/tracker.js")
def get_tracker() -> Response:
    """The tracker, an ES module."""
    return _answer(_file("tracker.js"), "text/javascript")


@bp.get("/tracker.d.ts")
def get_tracker_types() -> Response:
    """Its types."""
    return _answer(_file("tracker.d.ts"), "text/plain")


@dataclass(frozen=True, slots=True)
class _File:
    plain: bytes
    packed: bytes
    etag: str


@lru_cache
def _file(name: str) -> _File:
    plain = (_FOLDER / name).read_bytes()
    packed = gzip.compress(plain, compresslevel=9, mtime=0)
    return _File(plain, packed, hashlib.sha256(plain).hexdigest()[:16])


def _answer(file: _File, mimetype: str) -> Response:
    """A file that any page may load: it holds nothing of the shop, and no key."""
    is_packed = request.accept_encodings["gzip"] > 0
    response = Response(file.packed if is_packed else file.plain, mimetype=mimetype)
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    # The two forms are different bytes and must not be told apart wrongly by a cache.
    response.set_etag(f"{file.etag}-gzip" if is_packed else file.etag)
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = f"public, max-age={CACHE_S}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.make_conditional(request)
    return response
