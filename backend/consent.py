"""What a person has allowed."""

from typing import Self

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, model_validator

from backend.answers import json_answer
from backend.auth import Scope, requires
from backend.parsing import parsed
from backend.people import Who, pseudonym
from backend.wiring import clock_ms, graph
from graph import users
from workers.intake.schema import ConsentState

bp = APIBlueprint("consent", __name__, abp_tags=[Tag(name="People")], abp_security=[{"key": []}])

_PURPOSES = ("collection", "personalisation", "marketing")


class ConsentTold(Who):
    """A person and what they said; a purpose that is absent stays as it was."""

    collection: ConsentState | None = None
    personalisation: ConsentState | None = None
    marketing: ConsentState | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.purposes():
            raise ValueError("at least one purpose is needed")
        return self

    def purposes(self) -> dict[str, str]:
        """What was said, by purpose."""
        said = {purpose: getattr(self, purpose) for purpose in _PURPOSES}
        return {purpose: state for purpose, state in said.items() if state is not None}


class ConsentOut(BaseModel):
    """What was stored."""

    user_id: str | None
    anonymous_id: str | None
    stored: dict[str, str]


@bp.put("/v1/consent", responses={200: ConsentOut})
@requires(Scope.ADMIN)
@parsed
def put_consent(body: ConsentTold) -> Response:
    """Store what a person allows; it counts from the next answer on."""
    person = pseudonym(user_id=body.user_id, anonymous_id=body.anonymous_id)
    graph().write(users.set_consent, person, body.purposes(), now_ms=clock_ms())
    return json_answer(
        {"user_id": body.user_id, "anonymous_id": body.anonymous_id, "stored": body.purposes()}
    )
