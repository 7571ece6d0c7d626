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


FAILURES = {
    "400": "the body cannot be read",
    "401": "the key is missing or not known",
    "403": "the key may not do this, or the page's origin is not listed",
    "404": "nothing has that id",
    "409": "it exists, or stands in the way of another",
    "410": "it was there, and has expired",
    "413": "too large",
    "422": "well formed, but not valid",
    "429": "the key has sent enough for now; Retry-After says when to come again",
    "503": "a store is away; Retry-After says when to come again",
}
"""What every call with a key may answer when it fails, by status."""


def init_app(app: OpenAPI) -> None:
    """Serve the document and the page, which loads nothing from elsewhere."""

    def spec() -> dict[str, Any]:
        return described(app.api_doc)

    def document() -> Response:
        return json_answer(spec())

    def page() -> str:
        return render_template("docs.html", spec=spec(), calls=calls(spec()))

    app.add_url_rule("/openapi.json", "openapi_document", document)
    app.add_url_rule("/docs", "openapi_page", page)


def described(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the failures that all calls under ``/v1`` have in common."""
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorOut"}}}
    common = {status: {"description": why, "content": body} for status, why in FAILURES.items()}
    paths = {
        path: {
            method: {**call, "responses": {**common, **call["responses"]}}
            for method, call in methods.items()
        }
        if path.startswith("/v1/")
        else methods
        for path, methods in document["paths"].items()
    }
    components = document.get("components", {})
    schemas = {"ErrorOut": ErrorOut.model_json_schema(), **components.get("schemas", {})}
    return {**document, "paths": paths, "components": {**components, "schemas": schemas}}


def calls(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The calls of a document by their first tag, each with its path and method."""
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for path, methods in spec["paths"].items():
        for method, call in methods.items():
            tag = (call.get("tags") or ["Other"])[0]
            by_tag.setdefault(tag, []).append({**call, "path": path, "method": method.upper()})
    return by_tag
