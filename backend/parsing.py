"""Views say what they take by a model; this reads it from the request."""

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from backend.bodies import read_json
from backend.errors import Invalid


class Taken(BaseModel):
    """Base of what calls take: a field that is not known is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def parsed(view: Callable[..., Response]) -> Callable[[], Response]:
    """
    Read ``query`` and ``body`` of a view, by the models its signature names.

    ``flask-openapi3`` finds the same models for the document. It does not read the request
    itself: it would build the JSON schema anew for every call and know only its own error body.
    """
    hints = get_type_hints(view)
    query_model, body_model = hints.get("query"), hints.get("body")
    many = frozenset(
        name
        for name, field in (query_model.model_fields.items() if query_model else ())
        if "list" in str(field.annotation)
    )

    @wraps(view)
    def reading() -> Response:
        taken: dict[str, Any] = {}
        if query_model is not None:
            taken["query"] = query_model.model_validate(_query_values(many))
        if body_model is not None:
            taken["body"] = body_model.model_validate(read_json())
        return view(**taken)

    reading.__delay_validate_request__ = True  # type: ignore[attr-defined]
    return reading


def takes_rows(
    model: type[BaseModel],
) -> Callable[[Callable[[], Response]], Callable[[], Response]]:
    """Describe the body of a view that reads its rows itself, one by one."""

    def decorate(view: Callable[[], Response]) -> Callable[[], Response]:
        view.__annotations__ = {**view.__annotations__, "body": model}
        view.__delay_validate_request__ = True  # type: ignore[attr-defined]
        return view

    return decorate


def _query_values(many: frozenset[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, given in request.args.lists():
        if name in many:
            values[name] = given
        elif len(given) > 1:
            raise Invalid("this parameter may be given once", field=name)
        else:
            values[name] = given[0]
    return values


Limit = Annotated[int, Field(ge=1, le=100, description="How many, 1 to 100.")]
