"""What is thought of a person, and how they take it back."""

from flask import Response, g
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.parsing import parsed
from backend.people import Who, pseudonym
from backend.wiring import clock_ms, graph, parts
from graph import audit, tags
from workers.intake.schema import Text

bp = APIBlueprint("tags", __name__, abp_tags=[Tag(name="People")], abp_security=[{"key": []}])


class TagNamed(Who):
    """A person, and one of their tags."""

    tag: Text


class TagOut(BaseModel):
    """A category that the person came back to."""

    tag: str
    events: int
    last_at: str


class TagsOut(BaseModel):
    """All tags that are in use, the strongest first."""

    items: list[TagOut]


class TagDeletedOut(BaseModel):
    """The tag that is in use no more."""

    tag: str
    deleted: bool


@bp.get("/v1/tags", responses={200: TagsOut})
@requires(Scope.ADMIN)
@parsed
def get_tags(query: Who) -> Response:
    """What is thought of a person: the categories of what they did."""
    person = pseudonym(user_id=query.user_id, anonymous_id=query.anonymous_id)
    found = graph().read(tags.tags, person)
    rows = [
        {"tag": one.category, "events": one.events, "last_at": iso(one.last_ts)} for one in found
    ]
    return json_answer({"items": rows})


@bp.delete("/v1/tags", responses={200: TagDeletedOut})
@requires(Scope.ADMIN)
@parsed
def delete_tag(query: TagNamed) -> Response:
    """Have a tag of a person used no more, in any answer.

    What they did with items of that category stays stored, and is left out of their lists, of
    reasons and of coupon lists; so is their vector, which was learnt from it.
    """
    person = pseudonym(user_id=query.user_id, anonymous_id=query.anonymous_id)
    people = graph().write(tags.forbid, person, query.tag)
    if people:
        parts().online.remember((), changed=people)
        entry = audit.Entry(at=clock_ms(), act=audit.Act.TAG_DELETION, by=g.key_name, about=person)
        graph().write(audit.note, entry)
    return json_answer({"tag": query.tag, "deleted": True})
