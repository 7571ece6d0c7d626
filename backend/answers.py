"""Answers as JSON that is always valid: no NaN, no Infinity, times in UTC."""

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from flask import Response
from pydantic import BaseModel

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def json_answer(payload: Any, *, status: int = 200) -> Response:
    """A response with ``payload`` as its JSON body; a figure that is not finite becomes null."""
    return Response(to_json(payload), status=status, mimetype="application/json")


def to_json(payload: Any) -> bytes:
    """``payload`` as UTF-8 JSON."""
    try:
        return orjson.dumps(payload, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # Half a surrogate pair, echoed from a client's text, has no UTF-8 form.
        text = json.dumps(payload, default=_plain, ensure_ascii=False)
        return text.encode("utf-8", "replace")


def iso(ms: int | None) -> str | None:
    """Milliseconds UTC as ISO-8601 text with zone; nothing stays nothing."""
    if ms is None:
        return None
    second, rest = divmod(ms, 1_000)
    return f"{_to_the_second(second)}.{rest:03d}Z"


@lru_cache(1_000)
def _to_the_second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat().removesuffix("+00:00")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="python")
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
