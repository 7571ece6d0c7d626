"""Calls that take one thing or a list of things, and say of each what became of it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Response, g
from pydantic import BaseModel, ValidationError

from backend.answers import json_answer
from backend.bodies import read_rows
from backend.errors import code_of, error_body

Row = TypeVar("Row", bound=BaseModel)


class StoredRowOut(BaseModel):
    """What became of one row: ``stored`` or ``rejected``."""

    index: int
    id: str | None
    status: str
    code: str | None = None
    field: str | None = None


class StoredOut(BaseModel):
    """What became of each row, in the order in which they came."""

    request_id: str
    stored: int
    rejected: int
    rows: list[StoredRowOut]


def store_rows(model: type[Row], id_field: str, store: Callable[[Sequence[Row]], None]) -> Response:
    """
    Check each row of the body by itself and store the good ones together.

    Returns:
        200 with a result per row; 422 with the same list when no row was good.
    """
    body = read_rows()
    good: list[Row] = []
    results: list[dict[str, Any]] = []
    for index, raw in enumerate(body.values):
        result: dict[str, Any] = {"index": index, "id": _id(raw, id_field), "status": "stored"}
        if body.is_too_large(raw):
            result.update(status="rejected", code="row_too_large")
        else:
            try:
                good.append(model.model_validate(raw))
            except ValidationError as error:
                code, _, field = code_of(error)
                result.update(status="rejected", code=code, field=field or None)
        results.append(result)
    if good:
        store(good)
    return _answer(results, stored=len(good))


def _answer(results: list[dict[str, Any]], *, stored: int) -> Response:
    answer = {
        "request_id": g.request_id,
        "stored": stored,
        "rejected": len(results) - stored,
        "rows": results,
    }
    if stored:
        return json_answer(answer)
    first = results[0]
    told = error_body(first["code"], "no row could be stored", first.get("field"))
    return json_answer({**answer, **told}, status=422)


def _id(raw: Any, id_field: str) -> str | None:
    found = raw.get(id_field) if isinstance(raw, dict) else None
    return found if isinstance(found, str) and len(found) <= 255 else None
