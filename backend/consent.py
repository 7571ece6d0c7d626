"""What a person has allowed, and who is no shopper at all."""

from typing import Self

from flask import Response, g
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, StrictBool, model_validator

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.errors import Erased
from backend.parsing import parsed
from backend.people import Who, pseudonym
from backend.wiring import clock_ms, graph, parts, pseudonyms
from graph import tombstones, users
from graph.domain.ids import UserId
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


class ConsentSaidOut(BaseModel):
    """What was said of one purpose."""

    state: ConsentState
    at: str | None
    source: str


class ConsentStateOut(BaseModel):
    """What a person said, by purpose; a purpose of which nothing is known is not there."""

    user_id: str | None
    anonymous_id: str | None
    consent: dict[str, ConsentSaidOut]


@bp.put("/v1/consent", responses={200: ConsentOut})
@requires(Scope.ADMIN)
@parsed
def put_consent(body: ConsentTold) -> Response:
    """Store what a person allows; it counts from the next request on, in every process.

    Somebody who was erased is let in again, as somebody new, when they grant collection.
    """
    person = _welcome(body)
    graph().write(users.set_consent, person, body.purposes(), now_ms=clock_ms())
    parts().denials.note(graph().read(users.denials, [person]))
    return json_answer(
        {"user_id": body.user_id, "anonymous_id": body.anonymous_id, "stored": body.purposes()}
    )


def _welcome(told: ConsentTold) -> UserId:
    """
    The person, let in again where they were erased and agree anew.

    Raises:
        Erased: they were erased, and say nothing that lets them in.
    """
    whose = {"user_id": told.user_id, "anonymous_id": told.anonymous_id}
    person = pseudonym(**whose)
    if not graph().read(tombstones.among, [person]):
        return person
    if told.collection != "granted":
        raise Erased("the person was erased; only a grant of collection lets them in again")
    parts().erasures.reopen(pseudonyms().first(**whose), person, by=g.key_name)
    pseudonyms().know_returned(graph().read(tombstones.generations))
    return pseudonym(**whose)


@bp.get("/v1/consent", responses={200: ConsentStateOut})
@requires(Scope.ADMIN)
@parsed
def get_consent(query: Who) -> Response:
    """What a person said, when, and where."""
    person = pseudonym(user_id=query.user_id, anonymous_id=query.anonymous_id)
    said = graph().read(users.consents, person)
    return json_answer(
        {
            "user_id": query.user_id,
            "anonymous_id": query.anonymous_id,
            "consent": {
                purpose: {"state": one.state, "at": iso(one.at_ms), "source": one.source}
                for purpose, one in said.items()
            },
        }
    )


class FlagsTold(Who):
    """Who is no shopper; what is absent stays as it was."""

    is_staff: StrictBool | None = None
    is_bot: StrictBool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.is_staff is None and self.is_bot is None:
            raise ValueError("is_staff or is_bot is needed")
        return self


class FlagsOut(BaseModel):
    """How many people are left out of training, popular lists and experiments now."""

    bots: int
    staff: int


@bp.put("/v1/people", responses={200: FlagsOut})
@requires(Scope.ADMIN)
@parsed
def put_people(body: FlagsTold) -> Response:
    """Say that a person is staff, or a bot, or not.

    Their events stay in the graph; training, popular lists and coupon lists leave them out.
    """
    person = pseudonym(user_id=body.user_id, anonymous_id=body.anonymous_id)
    graph().write(users.set_flags, person, is_staff=body.is_staff, is_bot=body.is_bot)
    return json_answer(graph().read(users.flag_counts))
