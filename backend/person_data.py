"""Everything that is held of a person, for the person."""

from collections.abc import Iterator

from flask import Response, g
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from backend.answers import to_json
from backend.auth import Scope, requires
from backend.parsing import parsed
from backend.people import Who, pseudonym
from backend.wiring import clock_ms, graph, pseudonyms
from workers.privacy.portable import export

bp = APIBlueprint(
    "person_data", __name__, abp_tags=[Tag(name="People")], abp_security=[{"key": []}]
)


LINES = {
    "description": "JSON lines",
    "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
}


@bp.get("/v1/person-data", responses={200: LINES})
@requires(Scope.ADMIN)
@parsed
def get_person_data(query: Who) -> Response:
    """All that is keyed to a person, as JSON lines; none for somebody who is not known.

    Lines with `record` tell of profile, devices, campaigns, coupons and tags. The others are events
    in the form of `POST /v1/events`, so that `shopgraph import jsonl` takes them in elsewhere.
    """
    person = pseudonym(user_id=query.user_id, anonymous_id=query.anonymous_id)
    store = graph()
    rows = export(
        store.read,
        store.write,
        pseudonyms(),
        person,
        raw_id=query.user_id or query.anonymous_id or "",
        by=g.key_name,
        now_ms=clock_ms(),
    )

    def text() -> Iterator[bytes]:
        for row in rows:
            yield to_json(row) + b"\n"

    return Response(b"".join(text()), mimetype="application/x-ndjson")
