"""Erasing people, the receipts, and the books on who asked."""

from typing import Annotated

from flask import Response, g
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.parsing import Taken, parsed
from backend.people import Who, pseudonym
from backend.wiring import graph, parts
from graph import audit
from graph.domain.erasures import ErasureState, Receipt, ReceiptId
from workers.intake.schema import KnownId

bp = APIBlueprint("erasures", __name__, abp_tags=[Tag(name="People")], abp_security=[{"key": []}])


class ReceiptAsked(Taken):
    """Which receipt."""

    receipt_id: KnownId


class ReceiptOut(BaseModel):
    """What was taken away; nothing of the person."""

    receipt_id: str
    state: ErasureState
    requested_at: str
    finished_at: str | None
    retrain_by: str = Field(description="no model in use after this time knew the person")
    counts: dict[str, int] = Field(description="things taken away, by what they were")


class AuditAsked(Taken):
    """How many acts."""

    limit: Annotated[int, Field(ge=1, le=100)] = 100


class ActOut(BaseModel):
    """One act: who, when, what, and the pseudonym or the receipt that it was about."""

    at: str
    act: audit.Act
    by: str
    about: str | None


class AuditOut(BaseModel):
    """The newest acts, newest first."""

    items: list[ActOut]


@bp.post("/v1/erasures", responses={200: ReceiptOut})
@requires(Scope.ADMIN)
@parsed
def post_erasure(body: Who) -> Response:
    """Erase a person from every store.

    A visitor who turned out to be a customer is erased with the customer. Late, queued and
    replayed events of the person are refused from now on (`erased`); a second call gives the same
    receipt.
    """
    person = pseudonym(user_id=body.user_id, anonymous_id=body.anonymous_id)
    return json_answer(_told(parts().erasures.erase(person, by=g.key_name)))


@bp.get("/v1/erasures", responses={200: ReceiptOut})
@requires(Scope.ADMIN)
@parsed
def get_erasure(query: ReceiptAsked) -> Response:
    """The receipt of an erasure."""
    return json_answer(_told(parts().erasures.get(ReceiptId(query.receipt_id))))


@bp.get("/v1/audit", responses={200: AuditOut})
@requires(Scope.ADMIN)
@parsed
def get_audit(query: AuditAsked) -> Response:
    """Who took data of people out or away, newest first."""
    acts = graph().read(audit.latest, query.limit)
    rows = [{"at": iso(one.at), "act": one.act, "by": one.by, "about": one.about} for one in acts]
    return json_answer({"items": rows})


def _told(receipt: Receipt) -> dict[str, object]:
    return {
        "receipt_id": receipt.receipt_id,
        "state": receipt.state,
        "requested_at": iso(receipt.requested_at),
        "finished_at": iso(receipt.finished_at),
        "retrain_by": iso(receipt.retrain_by),
        "counts": receipt.counts,
    }
