"""Changing the keys: everybody is known again, and the old keys alone find nobody."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend import wsgi
from backend.people import pseudonym, shopper
from backend.wiring import parts
from graph import key_ring
from graph.client import Graph
from tests.factories import ADMIN, told
from tests.privacy import erase, everything, life, row, send
from workers.errors import RotationRefused
from workers.intake.deadletters import DeadLetters
from workers.intake.letters import of_event
from workers.intake.pseudonyms import Pseudonyms
from workers.privacy.rotation import Rotation

Drain = Callable[[], object]

OLD = Pseudonyms(b"p" * 32, bytes(range(64)))
KEYS = ([b"p" * 32, b"q" * 32], [bytes(range(64)), bytes(range(64, 128))])
NEW = Pseudonyms(*KEYS)


@pytest.fixture
def restarted(
    app: Flask, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], FlaskClient]:
    """Starts another API process, which knows the new keys."""

    def start() -> FlaskClient:
        for name, keys in zip(("PSEUDONYM", "ENCRYPTION"), KEYS, strict=True):
            joined = ",".join(base64.b64encode(key).decode() for key in keys)
            monkeypatch.setenv(f"SHOPGRAPH_{name}_KEY", joined)
        again = wsgi.build(graph)
        with again.app_context():
            parts().models.stop()
        return again.test_client()

    return start


def rotated(graph: Graph, redis_url: str, store: Path) -> dict[str, int]:
    """The move to the new keys."""
    return Rotation(graph, redis_url, NEW, store).run(by="test")


def past(client: FlaskClient, **who: str) -> Any:
    """What an answer to somebody would be made from."""
    with client.application.app_context():
        user_id = pseudonym(user_id=who.get("user_id"), anonymous_id=who.get("anonymous_id"))
        return shopper(user_id, None, now_ms=int(time.time() * 1_000)).history


def test_after_a_rotation_everybody_has_the_same_history_and_more_is_added_to_it(
    client: FlaskClient, drain: Drain, graph: Graph, redis_url: str, tmp_path: Path,
    restarted: Callable[[], FlaskClient],
) -> None:  # fmt: skip
    """The customer, the visitor whose raw id nobody kept, and an event that comes again."""
    rows = life("ann", "tab-ann", "ann")
    send(client, *rows, row("v", anonymous_id="other", item_id="item-9"))
    drain()
    before = past(client, user_id="ann"), past(client, anonymous_id="other")
    moved = rotated(graph, redis_url, tmp_path)
    assert (moved["User"], moved["Device"]) == (3, 3)
    again = restarted()
    assert (past(again, user_id="ann"), past(again, anonymous_id="other")) == before
    assert set(send(again, *rows)) == {"duplicate"}
    assert send(again, row("new", user_id="ann", item_id="item-7")) == ["accepted"]
    drain()
    assert {one.item_id for one in past(again, user_id="ann")} == {"item-1", "item-2", "item-7"}
    lines = again.get("/v1/person-data?user_id=ann", headers=ADMIN).text
    assert '"raw_id":"ann"' in lines


def test_the_old_keys_alone_find_nobody_and_read_no_id(
    client: FlaskClient, drain: Drain, graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """Nor does anything else in the graph keep an old pseudonym."""
    send(client, *life("ann", "tab-ann", "ann"))
    client.get("/v1/person-data?user_id=ann", headers=ADMIN)
    drain()
    old = [
        OLD.customer("ann")[0],
        OLD.visitor("tab-ann"),
        OLD.device("device-ann"),
        OLD.seal("ann"),
    ]
    assert all(name in str(graph.read(everything)) for name in old)
    rotated(graph, redis_url, tmp_path)
    left = str(graph.read(everything))
    assert not [name for name in old if name in left]
    assert NEW.customer("ann")[0] in left
    assert NEW.reveal(NEW.seal("ann")) == NEW.reveal(OLD.seal("ann")) == "ann"


def test_who_was_erased_and_who_denied_are_refused_as_before(
    client: FlaskClient, drain: Drain, graph: Graph, redis_url: str, tmp_path: Path,
    restarted: Callable[[], FlaskClient],
) -> None:  # fmt: skip
    """Also who came back after an erasure keeps what they did since."""
    for who in ("ann", "ben", "eve"):
        send(client, row(f"{who}-1", user_id=who, item_id="item-1"))
    drain()
    erase(client, user_id="ann")
    erase(client, user_id="eve")
    for who, state in (("ben", "denied"), ("eve", "granted")):
        said = {"user_id": who, "collection": state}
        assert client.put("/v1/consent", json=said, headers=ADMIN).status_code == 200
    send(client, row("eve-2", user_id="eve", item_id="item-2"))
    drain()
    rotated(graph, redis_url, tmp_path)
    again = restarted()
    late = [row(f"{who}-9", user_id=who, item_id="item-3") for who in ("ann", "ben", "eve")]
    assert send(again, *late) == ["erased", "no_consent", "accepted"]
    drain()
    assert {one.item_id for one in past(again, user_id="eve")} == {"item-2", "item-3"}


def test_dead_letters_move_and_can_still_be_replayed(
    client: FlaskClient, drain: Drain, graph: Graph, redis_url: str, tmp_path: Path,
    restarted: Callable[[], FlaskClient],
) -> None:  # fmt: skip
    """Raw rows are sealed anew, facts carry new pseudonyms; their ids stay."""
    letters = DeadLetters(redis_url, pseudonyms=OLD)
    send(client, {"event_type": "view", "event_id": "x", "item_id": "i", "user_id": "ann",
                  "event_time": "soon"})  # fmt: skip
    fact = told("w|1", user_id=OLD.customer("ann")[0], user_ref=OLD.seal("ann"))
    letters.add([of_event(fact, "graph_rejected", 9)])
    ids = [one.letter_id for one in letters.every()]
    assert rotated(graph, redis_url, tmp_path)["dead_letters"] == 2
    moved = list(letters.every())
    assert [one.letter_id for one in moved] == ids
    assert {one.person for one in moved} == {NEW.customer("ann")[0]}
    assert OLD.seal("ann") not in str(moved)
    with restarted().application.app_context():
        assert parts().replay.send(moved[1], now_ms=10).is_taken
    drain()
    assert NEW.customer("ann")[0] in str(graph.read(everything))


def test_a_move_that_was_cut_short_goes_on(
    client: FlaskClient, drain: Drain, graph: Graph, redis_url: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Some people were moved, others not: in the end each of them exactly once."""
    send(client, *(row(f"e-{n}", user_id=f"u-{n}", item_id="i") for n in range(5)))
    drain()
    monkeypatch.setattr(key_ring, "AT_ONCE", 2)
    people = key_ring.PLACES[0]
    graph.write(key_ring.settle, NEW.key_ids[0])
    graph.write(
        key_ring.move, people, NEW.key_ids[1],
        lambda name, _: NEW.renewed(name, since=0), NEW.resealed,
    )  # fmt: skip
    assert rotated(graph, redis_url, tmp_path)["User"] == 3
    left = str(graph.read(everything))
    assert all(NEW.customer(f"u-{n}")[0] in left for n in range(5))
    assert rotated(graph, redis_url, tmp_path)["User"] == 0


def test_a_process_with_the_old_keys_takes_nothing_any_more(
    client: FlaskClient, drain: Drain, graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """What it would store would belong to strangers."""
    send(client, row("a", user_id="ann", item_id="i"))
    drain()
    rotated(graph, redis_url, tmp_path)
    answer = client.post("/v1/events", json=row("b", user_id="ann", item_id="i"), headers=ADMIN)
    assert answer.status_code == 503


def test_nothing_moves_while_events_wait_or_with_keys_of_another_graph(
    client: FlaskClient, drain: Drain, graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """A sentence says what to do."""
    send(client, row("a", user_id="ann", item_id="i"))
    with pytest.raises(RotationRefused, match="wait on the stream"):
        rotated(graph, redis_url, tmp_path)
    drain()
    others = Pseudonyms([b"x" * 32, b"y" * 32], KEYS[1])
    with pytest.raises(RotationRefused, match="not among"):
        Rotation(graph, redis_url, others, tmp_path).run(by="test")
    assert OLD.customer("ann")[0] in str(graph.read(everything))
