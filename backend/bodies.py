"""Bodies of requests: unpacked, bounded, read as JSON."""

import zlib
from dataclasses import dataclass
from typing import Any

import orjson
from flask import request

from backend.errors import BodyTooLarge, BodyUnreadable
from workers.intake.body import parse_row, parse_rows
from workers.intake.errors import BodyMalformed

MAX_BODY_BYTES = 1024 * 1024
MAX_ROWS = 500
MAX_ROW_BYTES = 64 * 1024

_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a body, and how many bytes held them all."""

    values: list[Any]
    body_bytes: int

    def is_too_large(self, row: Any) -> bool:
        """Whether a row has more than ``MAX_ROW_BYTES``; a small body needs no look."""
        if self.body_bytes <= MAX_ROW_BYTES:
            return False
        try:
            return len(orjson.dumps(row)) > MAX_ROW_BYTES
        except orjson.JSONEncodeError:
            return False  # no valid text: its own fault will be found


def read_json() -> Any:
    """
    The body as a JSON value.

    Raises:
        BodyUnreadable: it is empty, not JSON, or not the gzip it says.
        BodyTooLarge: it has more than ``MAX_BODY_BYTES``, counted after unpacking.
    """
    try:
        return parse_row(read_bytes())
    except BodyMalformed as error:
        raise BodyUnreadable(str(error), code="invalid_json") from None


def read_rows() -> Rows:
    """
    The body as rows: one object, a list, or one JSON object per line (NDJSON).

    Raises:
        BodyUnreadable: there is no row in it.
        BodyTooLarge: there are more than ``MAX_ROWS``.
    """
    body = read_bytes()
    try:
        values = parse_rows(body, ndjson=request.mimetype in _NDJSON)
    except BodyMalformed as error:
        raise BodyUnreadable(str(error), code="invalid_json") from None
    return bounded(values, len(body))


def bounded(values: list[Any], body_bytes: int) -> Rows:
    """
    Rows, if they are not too many.

    Raises:
        BodyTooLarge: there are more than ``MAX_ROWS``.
    """
    if len(values) > MAX_ROWS:
        raise BodyTooLarge(f"a request may have {MAX_ROWS} rows", code="too_many_rows")
    return Rows(values, body_bytes)


def read_bytes() -> bytes:
    """The body, unpacked when it came as gzip."""
    body = request.get_data(cache=False)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "gzip":
        body = _unpack(body)
    elif encoding not in ("identity", ""):
        raise BodyUnreadable("the only encoding taken is gzip", code="unknown_encoding")
    if not body.strip():
        raise BodyUnreadable("the body is empty", code="body_empty")
    return body


def _unpack(body: bytes) -> bytes:
    """All members of a gzip body; stops at the first byte too many, so a bomb stays small."""
    parts: list[bytes] = []
    size, rest = 0, body
    while rest:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            plain = unpacker.decompress(rest, MAX_BODY_BYTES + 1 - size)
        except zlib.error as error:
            raise BodyUnreadable("the body is not gzip") from error
        parts.append(plain)
        size += len(plain)
        if size > MAX_BODY_BYTES:
            raise BodyTooLarge(f"the body has more than {MAX_BODY_BYTES} bytes once unpacked")
        if not unpacker.eof:
            raise BodyUnreadable("the gzip body is cut off")
        rest = unpacker.unused_data
    return b"".join(parts)
