"""The models there are, and which one serves."""

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.errors import Conflict
from backend.parsing import Taken, parsed
from backend.wiring import clock_ms, graph, models
from graph import models as model_store
from graph.domain.ids import ModelVersion
from graph.domain.models import Model, ModelStatus, Slot, is_overwritten
from workers.intake.schema import KnownId

bp = APIBlueprint("models", __name__, abp_tags=[Tag(name="Training")], abp_security=[{"key": []}])


class ModelOut(BaseModel):
    """A model, what it was measured at, and whether it serves."""

    version: str
    status: ModelStatus
    slot: Slot
    profile: str
    as_of: str | None
    data_seq: int
    created_at: str | None
    metrics: dict[str, float | None]
    reason: str | None
    champion: str
    loaded: bool


class ModelsOut(BaseModel):
    """All models, newest first."""

    items: list[ModelOut]


class ModelWanted(Taken):
    """Which model shall serve."""

    version: KnownId


@bp.get("/v1/models", responses={200: ModelsOut})
@requires(Scope.ADMIN)
def get_models() -> Response:
    """All models, newest first."""
    found = graph().read(model_store.all_models)
    return json_answer({"items": [_body(model) for model in found]})


@bp.post("/v1/models/activate", responses={200: ModelOut})
@requires(Scope.ADMIN)
@parsed
def post_activate(body: ModelWanted) -> Response:
    """Let a model serve, such as the one before after a bad one.

    409 where it cannot: it failed its gate, its files are gone, or a newer run has written its
    vectors over.
    """
    version = ModelVersion(body.version)
    wanted = graph().read(model_store.get, version)
    if wanted.status is not ModelStatus.LIVE:
        _check_usable(wanted)
        graph().write(model_store.activate, version, now_ms=clock_ms())
        models().refresh()
    return json_answer(_body(graph().read(model_store.get, version)))


def _check_usable(wanted: Model) -> None:
    if wanted.status is ModelStatus.FAILED:
        raise Conflict("it did not pass its gate", field="version", code="model_failed")
    if is_overwritten(wanted, graph().read(model_store.all_models)):
        raise Conflict(
            "a newer run has written its vectors over", field="version", code="slot_overwritten"
        )
    if not models().can_load(wanted.version):
        raise Conflict("its files are missing or broken", field="version", code="model_unusable")


def _body(model: Model) -> dict[str, Any]:
    loaded = models().current()
    return {
        "version": model.version,
        "status": model.status.value,
        "slot": model.slot.value,
        "profile": model.profile,
        "as_of": iso(model.as_of_ms),
        "data_seq": model.data_seq,
        "created_at": iso(model.created_at),
        "metrics": model.metrics,
        "reason": model.reason,
        "champion": model.champion,
        "loaded": loaded is not None and loaded.version == model.version,
    }
