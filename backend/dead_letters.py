"""Rows that were put aside: look at them, mend them, send them again."""

from typing import Annotated, Any, Self

import orjson
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, StrictBool, model_validator

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.errors import Invalid
from backend.parsing import Limit, Taken, parsed
from backend.wiring import clock_ms, parts
from workers.intake.letters import DeadLetter
from workers.intake.schema import Text

bp = APIBlueprint(
    "dead_letters", __name__, abp_tags=[Tag(name="Dead letters")], abp_security=[{"key": []}]
)

_AT_ONCE = 500


class LettersAsked(Taken):
    """Which letters."""

    letter_id: Text | None = None
    reason: Text | None = Field(default=None, description="only those with this code")
    cursor: Text | None = Field(default=None, description="``next`` of the answer before")
    limit: Limit = 50


class LetterNamed(Taken):
    """One letter."""

    letter_id: Text


class LetterMended(LetterNamed):
    """A letter with its mended payload."""

    payload: dict[str, Any] = Field(description="the whole row; sealed values may stay sealed")


class LettersChosen(Taken):
    """Letters to send again: some, or the oldest 500 of all."""

    letter_ids: Annotated[list[Text], Field(max_length=_AT_ONCE)] = Field(default_factory=list)
    all: StrictBool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.all == bool(self.letter_ids):
            raise ValueError("name letter_ids, or say all")
        return self


class LetterOut(BaseModel):
    """One letter; ids of people, and fields we do not know, are sealed."""

    letter_id: str
    stage: str
    reason: str
    at: str | None
    payload: Any
    payload_hash: str
    is_edited: bool


class LettersOut(BaseModel):
    """Letters, newest first."""

    letters: list[LetterOut]
    next: str | None
    depth: int
    dropped: int = Field(description="letters that made room for newer ones")


class OutcomeOut(BaseModel):
    """What became of one letter; one that was taken leaves the list."""

    letter_id: str
    is_taken: bool
    reason: str | None


class ReplayedOut(BaseModel):
    """What became of each letter."""

    taken: int
    outcomes: list[OutcomeOut]


class RemovedOut(BaseModel):
    """What is gone; a second call says the same."""

    letter_id: str


@bp.get("/v1/dead-letters", responses={200: LettersOut})
@requires(Scope.ADMIN)
@parsed
def get_dead_letters(query: LettersAsked) -> Response:
    """Rows that were put aside, newest first, or the one of that id."""
    store = parts().letters
    if query.letter_id is not None:
        found, after = [store.get(query.letter_id)], None
    else:
        found = store.newest(query.limit + 1, before=query.cursor, reason=query.reason)
        after = found[query.limit - 1].letter_id if len(found) > query.limit else None
    body = {
        "letters": [_told(letter) for letter in found[: query.limit]],
        "next": after,
        "depth": store.depth(),
        "dropped": store.dropped(),
    }
    return json_answer(body)


@bp.put("/v1/dead-letters", responses={200: LetterOut})
@requires(Scope.ADMIN)
@parsed
def put_dead_letter(body: LetterMended) -> Response:
    """Mend a raw row; it is sent again with ``POST /v1/dead-letters/replay``."""
    try:
        saved = parts().letters.save(body.letter_id, orjson.dumps(body.payload).decode())
    except (ValueError, TypeError) as error:
        raise Invalid(str(error), field="payload") from None
    return json_answer(_told(saved))


@bp.delete("/v1/dead-letters", responses={200: RemovedOut})
@requires(Scope.ADMIN)
@parsed
def delete_dead_letter(query: LetterNamed) -> Response:
    """Forget a letter; a second time gives the same answer."""
    parts().letters.remove([query.letter_id])
    return json_answer({"letter_id": query.letter_id})


@bp.post("/v1/dead-letters/replay", responses={200: ReplayedOut})
@requires(Scope.ADMIN)
@parsed
def replay_dead_letters(body: LettersChosen) -> Response:
    """Send letters through the door again; event ids are kept, so nothing is stored twice."""
    store, replay, now_ms = parts().letters, parts().replay, clock_ms()
    chosen = store.oldest(_AT_ONCE) if body.all else [store.get(one) for one in body.letter_ids]
    outcomes = [replay.send(letter, now_ms=now_ms) for letter in chosen]
    return json_answer(
        {
            "taken": sum(one.is_taken for one in outcomes),
            "outcomes": [
                {"letter_id": one.letter_id, "is_taken": one.is_taken, "reason": one.reason}
                for one in outcomes
            ],
        }
    )


def _told(letter: DeadLetter) -> dict[str, Any]:
    try:
        payload = orjson.loads(letter.payload)
    except orjson.JSONDecodeError:
        payload = letter.payload
    return {
        "letter_id": letter.letter_id,
        "stage": letter.stage,
        "reason": letter.reason,
        "at": iso(letter.at_ms),
        "payload": payload,
        "payload_hash": letter.payload_hash,
        "is_edited": letter.is_edited,
    }
