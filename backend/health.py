"""Whether the process runs, and whether it can answer."""

from collections.abc import Callable
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from backend.answers import json_answer
from backend.errors import RETRY_AFTER_S
from backend.wiring import graph, models, parts
from graph.errors import GraphError
from workers.intake.errors import StreamUnavailable

bp = APIBlueprint("health", __name__, abp_tags=[Tag(name="Operation")])


class HealthOut(BaseModel):
    """The process runs."""

    status: str


class CheckOut(BaseModel):
    """One thing that answers need."""

    ok: bool
    detail: str | None


class ReadyOut(BaseModel):
    """Whether answers can be given; without a model they can, from what is popular."""

    ready: bool
    checks: dict[str, CheckOut]


@bp.get("/healthz", responses={200: HealthOut})
def get_health() -> Response:
    """Whether the process runs."""
    return json_answer({"status": "ok"})


@bp.get("/readyz", responses={200: ReadyOut, 503: ReadyOut})
def get_readiness() -> Response:
    """Whether the graph and the stream answer, and which model serves."""
    loaded = models().current()
    checks = {
        "graph": _check(_ask_graph),
        "stream": _check(parts().intake.ping),
        "model": {
            "ok": loaded is not None,
            "detail": loaded.version if loaded else "no model is live; popular items are served",
        },
    }
    is_ready = bool(checks["graph"]["ok"] and checks["stream"]["ok"])
    response = json_answer({"ready": is_ready, "checks": checks}, status=200 if is_ready else 503)
    if not is_ready:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _ask_graph() -> None:
    graph().ping()
    parts().verify_schema()


def _check(ping: Callable[[], None]) -> dict[str, Any]:
    try:
        ping()
    except (GraphError, StreamUnavailable) as error:
        return {"ok": False, "detail": type(error).__name__}
    return {"ok": True, "detail": None}
