"""Views say what they take by a model; this reads it from the request."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from backend.bodies import read_json
from backend.errors import Invalid

T = TypeVar("T", bound=BaseModel)


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
    query = QueryOf(query_model) if query_model is not None else None

    @wraps(view)
    def reading() -> Response:
        taken: dict[str, Any] = {}
        if query is not None:
            taken["query"] = query.read(request.args.lists())
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


class QueryOf(Generic[T]):
    """Reads a model from the parameters of a query."""

    def __init__(self, model: type[T]) -> None:
        self._model = model
        self._many = frozenset(
            name for name, field in model.model_fields.items() if "list" in str(field.annotation)
        )

    def read(self, given: Iterable[tuple[str, list[str]]]) -> T:
        """
        The model.

        Raises:
            Invalid: what stands for one value was given twice.
            pydantic.ValidationError: a value is not what it must be.
        """
        values: dict[str, Any] = {}
        for name, said in given:
            if name in self._many:
                values[name] = said
            elif len(said) > 1:
                raise Invalid("this parameter may be given once", field=name)
            else:
                values[name] = said[0]
        return self._model.model_validate(values)


Limit = Annotated[int, Field(ge=1, le=100, description="How many, 1 to 100.")]
