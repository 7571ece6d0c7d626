"""Erasing a person through the real API: nothing stays, comes back, or goes of anybody else."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from backend.people import pseudonym
from backend.wiring import parts
from graph import counts, erasures, tombstones
from graph.client import Graph
from graph.domain.ids import EventId
from graph.events import record
from tests.factories import ADMIN, SERVER, told
from tests.integration.conftest import WIPE
from tests.privacy import erase, everything, held_in_valkey, life, row, send
from tests.stored import person_of
from workers.commands.erase import erase as erase_command
from workers.connectors.files.json_lines import JsonLines
from workers.connectors.imports import ImportRun
from workers.connectors.rejects import RejectFile
from workers.intake.deadletters import DeadLetters
from workers.intake.door import Door
from workers.intake.errors import StreamUnavailable
from workers.intake.letters import of_event
from workers.intake.stream import EventStream
from workers.intake.traces import Traces
from workers.privacy.erasure import Erasures, apply_tombstones

Drain = Callable[[], object]


def of(app: Flask, **who: str) -> str:
    """Somebody's pseudonym."""
    with app.app_context():
        return pseudonym(user_id=who.get("user_id"), anonymous_id=who.get("anonymous_id"))


def answer(client: FlaskClient, user_id: str) -> Any:
    """The list for a customer."""
    return client.get(f"/v1/recommendations?user_id={user_id}&limit=1", headers=SERVER).json


def test_m1_everything_of_a_person_goes_and_nothing_of_anybody_else(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """Edges of every type, the visitor they were, device, search, list, order; ben's stay."""
    send(client, *life("ben", "tab-ben", "ben"))
    drain()
    before = graph.read(everything)
    send(client, *life("ann", "tab-ann", "ann"))
    drain()
    names = [of(app, user_id="ann"), of(app, anonymous_id="tab-ann")]
    receipt = erase(client, user_id="ann")
    assert receipt["state"] == "done"
    left = graph.read(everything)
    assert not [one for one in left if any(name in one for name in [*names, "-ann", "for ann"])]
    strip = ('["Counter"]', '["Erasure"]', '["Audit"]', '["Lease"]')
    untouched = [one for one in before if not any(mark in one for mark in strip)]
    assert [one for one in left if not any(mark in one for mark in strip)] == untouched


def test_the_receipt_counts_what_was_there(client: FlaskClient, drain: Drain, graph: Graph) -> None:
    """By type of edge and of node; it stays readable and names nobody."""
    send(client, *life("ann", "tab-ann", "ann"))
    drain()
    receipt = erase(client, user_id="ann")
    found = receipt["counts"]
    assert found["nodes.User"] == 2
    assert found["edges.PURCHASED"] == found["edges.REFUNDED"] == 2
    assert found["edges.VIEWED"] == 2
    for name in ("SEARCHED", "SAW", "IDENTIFIED", "SAME_AS", "USES", "RETURNED", "REVIEWED"):
        assert found[f"edges.{name}"] >= 1, name
    for name in ("Query", "Impression", "Order"):
        assert found[f"nodes.{name}"] == 1, name
    again = client.get(
        "/v1/erasures", query_string={"receipt_id": receipt["receipt_id"]}, headers=ADMIN
    )
    assert again.json == receipt
    assert erase(client, user_id="ann")["receipt_id"] == receipt["receipt_id"]
    assert "ann" not in str(receipt)


def test_what_waits_on_the_stream_is_taken_off_and_the_rest_of_the_entry_stays(
    client: FlaskClient, drain: Drain, graph: Graph, redis_url: str
) -> None:
    """One request with rows of two people, not in the graph yet."""
    send(
        client,
        row("a", user_id="ann", item_id="boots"),
        row("b", user_id="ben", item_id="gloves"),
        row("i", "identify", user_id="ben", anonymous_id="tab"),
    )
    receipt = erase(client, user_id="ann")
    assert receipt["counts"] == {"stream.events": 1}
    drain()
    assert {one for one in graph.read(everything) if "boots" in one} == set()
    assert [one for one in graph.read(everything) if "VIEWED" in one and "gloves" in one]


def test_dead_letters_of_the_person_go_also_those_that_name_them_as_a_visitor(
    app: Flask, client: FlaskClient, redis_url: str
) -> None:
    """Rows that the door refused, mended ones too, and facts that the graph refused."""
    bad = {"event_type": "view", "event_id": "x", "item_id": "i", "event_time": "soon"}
    send(client, {**bad, "user_id": "ann"}, {**bad, "user_id": "ben"})
    send(client, {**bad, "user_id": "ben", "anonymous_id": "tab-ann"})
    letters = DeadLetters(redis_url)
    letters.add(
        [of_event(told("w|1", user_id=of(app, anonymous_id="tab-ann")), "graph_rejected", 9)]
    )
    assert letters.depth() == 4
    assert erase(client, user_id="ann")["counts"] == {"dead_letters": 1}
    assert erase(client, anonymous_id="tab-ann")["counts"] == {"dead_letters": 2}
    assert [one.person for one in letters.every()] == [of(app, user_id="ben")]


def test_late_queued_and_replayed_events_are_refused(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph, redis_url: str
) -> None:
    """At the door, as a visitor, with a login of somebody else on it, and as a dead letter."""
    send(client, *life("ann", "tab-ann", "ann"))
    drain()
    erase(client, user_id="ann")
    late = [
        row("late-1", user_id="ann", item_id="i"),
        row("late-2", anonymous_id="tab-ann", item_id="i"),
        row("late-3", "identify", user_id="ben", anonymous_id="tab-ann"),
        row("late-4", user_id="ben", item_id="i"),
    ]
    assert send(client, *late) == ["erased", "erased", "erased", "accepted"]
    letters = DeadLetters(redis_url)
    assert letters.depth() == 0, "keeping what was refused is what was denied"
    with app.app_context():
        letters.add([of_event(told("w|2", user_id=of(app, user_id="ann")), "graph_rejected", 9)])
        letter = next(letters.every())
        assert parts().replay.send(letter, now_ms=10).reason == "erased"
    drain()
    assert of(app, user_id="ann") not in str(graph.read(everything))


def test_what_was_taken_before_the_mark_was_known_at_the_door_is_left_out_by_ingest(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph, redis_url: str
) -> None:
    """Valkey lost its copy of the marks, and an importer never looks at it."""
    send(client, row("a", user_id="ann", item_id="boots"))
    drain()
    erase(client, user_id="ann")
    with app.app_context():
        stream = parts().intake._stream  # type: ignore[attr-defined]
    stream.append([told("late|1", user_id=of(app, user_id="ann"), user_ref="sealed")])
    drain()
    assert of(app, user_id="ann") not in str(graph.read(everything))


def test_an_import_refuses_their_rows_with_the_reason(
    app: Flask, client: FlaskClient, graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """The reject file says the line; the rows of others are taken."""
    erase(client, user_id="ann")
    path = tmp_path / "log.jsonl"
    rows = [row("a", user_id="ann", item_id="i"), row("b", user_id="ben", item_id="i")]
    path.write_text("\n".join(json.dumps(one) for one in rows))
    with app.app_context():
        door = Door(parts().pseudonyms)
    erased = partial(graph.read, tombstones.among)
    run = ImportRun(door, EventStream(redis_url), graph, erased=erased)
    with RejectFile(tmp_path / "rejects", resumed=False) as rejects:
        done = run.send(JsonLines(path), rejects, after=0)
    assert (done.events, done.rejected) == (1, 1)
    told_off = json.loads((tmp_path / "rejects").read_text())
    assert (told_off["line"], told_off["reason"]) == (1, "erased")


def test_the_answer_is_cold_at_once_and_nothing_is_held_of_them(
    app: Flask, client: FlaskClient, drain: Drain, redis_url: str
) -> None:
    """Kept lists, recent steps and the rest of a list that was paged; no word in Valkey."""
    goods = [{"item_id": f"item-{number}", "title": "thing"} for number in range(4)]
    client.post("/v1/items", json=goods, headers=SERVER)
    send(client, *life("ann", "tab-ann", "ann"))
    drain()
    first = answer(client, "ann")
    erase(client, user_id="ann")
    cold = answer(client, "ann")
    assert cold["level"] in ("popular", "none")
    assert [one["reason"]["code"] for one in cold["items"]] == ["popular"] * len(cold["items"])
    if first["next"] and first["level"] in ("personal", "session"):
        gone = client.get(
            "/v1/recommendations", query_string={"user_id": "ann", "next": first["next"]},
            headers=SERVER,
        )  # fmt: skip
        assert gone.status_code == 410
    names = [of(app, user_id="ann"), of(app, anonymous_id="tab-ann")]
    assert not [one for one in held_in_valkey(redis_url) if any(name in one for name in names)]


def test_only_a_fresh_grant_lets_them_in_again_as_somebody_new(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """Another pseudonym, an empty past; erased once more, another one again."""
    names = []
    for turn in range(2):
        send(client, row(f"a-{turn}", user_id="ann", item_id=f"boots-{turn}"))
        drain()
        names.append(of(app, user_id="ann"))
        erase(client, user_id="ann")
        assert send(client, row(f"b-{turn}", user_id="ann", item_id="i")) == ["erased"]
        refused = client.put(
            "/v1/consent", json={"user_id": "ann", "marketing": "granted"}, headers=ADMIN
        )
        assert (refused.status_code, refused.json["code"]) == (409, "erased")
        agreed = client.put(
            "/v1/consent", json={"user_id": "ann", "collection": "granted"}, headers=ADMIN
        )
        assert agreed.status_code == 200
        assert send(client, row(f"c-{turn}", user_id="ann", item_id=f"hat-{turn}")) == ["accepted"]
        drain()
    assert len({*names, of(app, user_id="ann")}) == 3
    left = " ".join(graph.read(everything))
    assert "hat-1" in left
    assert not [name for name in names if name in left]


def test_another_process_learns_who_came_back_by_their_next_event(
    app: Flask, client: FlaskClient, drain: Drain
) -> None:
    """Its pseudonyms are of before; the row that is refused at first makes it look."""
    send(client, row("a", user_id="ann", item_id="boots"))
    drain()
    erase(client, user_id="ann")
    client.put("/v1/consent", json={"user_id": "ann", "collection": "granted"}, headers=ADMIN)
    new = of(app, user_id="ann")
    with app.app_context():
        parts().pseudonyms.know_returned({})
    assert send(client, row("b", user_id="ann", item_id="hat")) == ["accepted"]
    assert of(app, user_id="ann") == new


def test_an_erasure_that_was_cut_short_goes_on_where_it_stopped(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Valkey goes away in the middle: 503, the mark stays, and the second call ends it."""
    send(client, *life("ann", "tab-ann", "ann"))
    drain()

    def away(*_: object) -> None:
        raise StreamUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(Traces, "forget", away)
        told_off = client.post("/v1/erasures", json={"user_id": "ann"}, headers=ADMIN)
        assert told_off.status_code == 503
    assert send(client, row("late", user_id="ann", item_id="i")) == ["erased"]
    with app.app_context():
        (receipt,) = parts().erasures.resume()  # type: ignore[attr-defined]
    assert receipt.counts["nodes.User"] == 2
    assert graph.read(erasures.unfinished) == []
    assert not [one for one in graph.read(everything) if "-ann" in one]


def test_who_asked_is_written_down_and_not_whom_it_was_about(
    client: FlaskClient, graph: Graph
) -> None:
    """The name of the key, the time, the receipt; a key of less scope is refused."""
    receipt = erase(client, user_id="ann")
    (act,) = client.get("/v1/audit", headers=ADMIN).json["items"]
    assert (act["act"], act["by"], act["about"]) == ("erasure", "ops", receipt["receipt_id"])
    for call in (client.get("/v1/audit", headers=SERVER),
                 client.post("/v1/erasures", json={"user_id": "ann"}, headers=SERVER)):  # fmt: skip
        assert call.status_code == 403


def test_flags_and_consent_make_no_node_of_somebody_who_was_erased(
    app: Flask, client: FlaskClient, graph: Graph
) -> None:
    """Whatever the shop says of them afterwards."""
    erase(client, user_id="ann")
    client.put("/v1/people", json={"user_id": "ann", "is_staff": True}, headers=ADMIN)
    assert person_of(graph, of(app, user_id="ann")) is None


def test_an_older_copy_of_the_graph_is_erased_again(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """The person is back from a dump of before; the marks of the newer graph are applied."""
    send(client, *life("ann", "tab-ann", "ann"), row("b", user_id="ben", item_id="item-1"))
    drain()
    erase(client, user_id="ann")
    marks = graph.read(tombstones.marks)
    graph.run_alone(WIPE)
    with app.app_context():
        erasing = parts().erasures
        ann, ben = (told("w|1", user_id=of(app, user_id=who)) for who in ("ann", "ben"))
    graph.write(record, [ann, ben._replace(event_id=EventId("w|2"))])
    assert isinstance(erasing, Erasures)
    assert apply_tombstones(erasing, graph, marks) == 1
    left = str(graph.read(everything))
    assert of(app, user_id="ann") not in left
    assert of(app, user_id="ben") in left
    assert send(client, row("late", user_id="ann", item_id="i")) == ["erased"]
    assert apply_tombstones(erasing, graph, marks) == 0


def test_the_command_erases_and_prints_the_receipt(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """It asks first; with --yes it does not."""
    send(client, row("a", user_id="ann", item_id="i"), row("v", anonymous_id="tab", item_id="i"))
    drain()
    run = CliRunner()
    assert run.invoke(erase_command, ["ann"], input="n\n").exit_code == 1
    assert of(app, user_id="ann") in str(graph.read(everything))
    done = run.invoke(erase_command, ["ann", "--yes", "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout[done.stdout.index("\n{") :])  # after a line of the log
    assert printed["counts"] == {"edges.VIEWED": 1, "nodes.User": 1, "online": 1}
    shown = run.invoke(erase_command, ["tab", "--anonymous", "--yes"])
    assert "nodes.User" in shown.output
    assert graph.read(counts.counts).nodes.get("User") is None
