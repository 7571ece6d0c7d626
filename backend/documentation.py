"""The API's own description: a document for machines and a page for people."""

from typing import Any

from flask import Response, render_template
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel

from backend.answers import json_answer
from backend.auth import HEADER

SECURITY: dict[str, Any] = {"key": {"type": "apiKey", "in": "header", "name": HEADER}}
INFO = Info(
    title="Shopgraph",
    version="1",
    description=(
        "Behaviour events become edges of a graph, the graph teaches a model, the model answers. "
        "Ids travel in the query or the body and are opaque; times are ISO-8601 with a zone; "
        "money is in minor units."
    ),
)


class ErrorOut(BaseModel):
    """The body of every failed call."""

    code: str
    message: str
    field: str | None
    request_id: str | None


ERRORS: dict[int, type[BaseModel]] = {
    400: ErrorOut,
    401: ErrorOut,
    403: ErrorOut,
    404: ErrorOut,
    409: ErrorOut,
    413: ErrorOut,
    422: ErrorOut,
    503: ErrorOut,
}
"""What every call with a key may answer when it fails."""


def init_app(app: OpenAPI) -> None:
    """Serve the document and the page, which loads nothing from elsewhere."""

    def document() -> Response:
        return json_answer(app.api_doc)

    def page() -> str:
        return render_template("docs.html", spec=app.api_doc, calls=calls(app.api_doc))

    app.add_url_rule("/openapi.json", "openapi_document", document)
    app.add_url_rule("/docs", "openapi_page", page)


def calls(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The calls of a document by their first tag, each with its path and method."""
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for path, methods in spec["paths"].items():
        for method, call in methods.items():
            tag = (call.get("tags") or ["Other"])[0]
            by_tag.setdefault(tag, []).append({**call, "path": path, "method": method.upper()})
    return by_tag
