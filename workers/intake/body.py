"""From the bytes of a request to its rows, so that one bad row spoils none of the others."""

import json

import orjson

from workers.intake.errors import BodyMalformed


def parse_rows(body: bytes, *, ndjson: bool = False) -> list[object]:
    """
    The rows of a body: a JSON list, one JSON object, or one object a line.

    What strict JSON does not allow but is easily told apart (NaN, half a surrogate pair, bytes
    that are not UTF-8) stays in its row and is refused there.

    Raises:
        BodyMalformed: it is not JSON, or holds no rows.
    """
    rows = _lines(body) if ndjson else _document(body)
    if not rows:
        raise BodyMalformed("the body holds no rows")
    return rows


def parse_row(line: bytes) -> object:
    """
    One JSON value.

    Raises:
        BodyMalformed: it is not JSON.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return _lenient(line)


def _document(body: bytes) -> list[object]:
    value = parse_row(body.removeprefix(b"\xef\xbb\xbf"))
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [value]
    raise BodyMalformed("the body is neither a list nor an object")


def _lines(body: bytes) -> list[object]:
    rows: list[object] = []
    for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if line.strip():
            rows.append(_row_or_none(line))
    return rows


def _row_or_none(line: bytes) -> object:
    try:
        return parse_row(line)
    except BodyMalformed:
        return None  # refused alone, as every row that is not an object


def _lenient(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise BodyMalformed("the body is not JSON") from error
