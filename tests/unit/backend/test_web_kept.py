"""Answers are kept as long as they are true, and strangers share theirs."""

from typing import Any

import pytest

from backend.acquaintances import Acquaintances
from backend.kept import Kept
from backend.people import Met
from graph import pulls
from graph.events import PastEvent
from graph.known_people import look_up
from graph.shelf import OnShelf, on_shelf
from tests.factories import (
    NOW_MS,
    PSEUDONYMS,
    SERVER,
    FakeGraph,
    FakeModel,
    World,
    everybody,
    known,
    viewed,
    world,
)
from workers.intake.changes import Stamp
from workers.intake.online import KEPT_EVENTS, Recent

SCORES = {"a": 0.9, "b": 0.8, "c": 0.7}
CUSTOMER = PSEUDONYMS.customer("u-1")[0]
STAMP = Stamp("e-1", 0, 0)


def shop() -> World:
    return world(FakeModel(SCORES), {look_up: known(viewed("a"), embedding=[0.1])})


def ask(here: World, path: str = "/v1/recommendations?user_id=u-1") -> dict[str, Any]:
    answer = here.client.get(path, headers=SERVER)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json
    return told


def looks(here: World) -> int:
    return sum(query is look_up for query, _, _ in here.graph.asked)


def test_an_unchanged_question_of_an_unchanged_person_is_answered_without_the_graph() -> None:
    """With the same list, under an id of its own."""
    here = shop()
    first, again = ask(here), ask(here)
    assert first["items"] == again["items"]
    assert first["recommendation_id"] != again["recommendation_id"]
    assert looks(here) == 1
    assert 'shopgraph_answers_kept_total{found="hit"} 1.0' in here.client.get("/metrics").text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/recommendations?user_id=u-1&limit=2",
        "/v1/recommendations?user_id=u-1&exclude=a",
        "/v1/recommendations?user_id=u-1&category=x",
        "/v1/recommendations?user_id=u-2",
    ],
)
def test_another_question_or_person_has_an_answer_of_its_own(path: str) -> None:
    """What was asked belongs to the key."""
    here = shop()
    ask(here)
    ask(here, path)
    assert 'shopgraph_answers_kept_total{found="miss"} 2.0' in here.client.get("/metrics").text


def test_another_question_of_the_same_person_needs_no_second_look() -> None:
    """What the graph said a moment ago is enough."""
    here = shop()
    ask(here)
    ask(here, "/v1/recommendations?user_id=u-1&limit=2")
    assert looks(here) == 1
    ask(here, "/v1/recommendations?user_id=u-2")
    assert looks(here) == 2


def test_a_step_of_the_person_makes_a_new_answer() -> None:
    """The state counts it."""
    here = shop()
    ask(here)
    here.online.states[CUSTOMER] = 1
    here.online.held[CUSTOMER] = [viewed("c", ts=NOW_MS)]
    assert ask(here)["items"][2]["reason"]["code"] == "viewed_before"


FULL = [viewed("b", ts=NOW_MS - k) for k in range(KEPT_EVENTS)]


@pytest.mark.parametrize(
    ("past", "events", "state", "is_enough"),
    [
        ([], None, 1, True),
        ([], None, 2, False),
        ([], FULL[:9], 2, True),
        ([], FULL, 2, False),
        ([viewed("a", ts=NOW_MS - 60)], FULL, 2, False),
        ([viewed("a", ts=NOW_MS - 40)], FULL, 2, True),
    ],
)
def test_a_look_of_before_is_enough_where_nothing_can_lie_between(
    past: list[PastEvent], events: list[PastEvent] | None, state: int, *, is_enough: bool
) -> None:
    """Valkey holds the last fifty: all there is, or so many that both overlap."""
    assert Met(known(*past), 1).is_enough(Recent(events, state)) == is_enough


@pytest.mark.parametrize(
    "path",
    [
        "/v1/recommendations?user_id=u-1",
        "/v1/recommendations?anonymous_id=new-one",
        "/v1/popular-items?limit=5",
        "/v1/similar-items?item_id=c",
    ],
)
def test_g1_a_kept_list_does_not_show_what_was_hidden_meanwhile(path: str) -> None:
    """Nor does it hide what has come back."""
    here = shop()
    assert "a" in [place["item_id"] for place in ask(here, path)["items"]]
    here.hide("a")
    assert "a" not in [place["item_id"] for place in ask(here, path)["items"]]
    here.hide()
    here.changes.done(["a"])  # type: ignore[list-item]
    assert "a" in [place["item_id"] for place in ask(here, path)["items"]]


def test_an_item_that_ends_by_the_clock_leaves_kept_lists() -> None:
    """They are held no longer than it."""
    ends = OnShelf(is_away=False, available_until=NOW_MS + 5_000)
    here = world(FakeModel(SCORES), {on_shelf: lambda ids: dict.fromkeys(ids, ends)})
    assert here.shelf.border_ms == NOW_MS + 5_000
    held: list[int] = []
    kept = here.app.extensions["shopgraph"].kept
    kept.put = lambda key, answer, until_ms: held.append(until_ms)
    ask(here, "/v1/popular-items")
    assert held == [NOW_MS + 5_000]


def test_while_an_item_is_being_changed_nothing_is_kept() -> None:
    """Its lists may be another one a moment later."""
    here = shop()
    here.changes.begin(["b"])  # type: ignore[list-item]
    ask(here)
    ask(here)
    assert 'shopgraph_answers_kept_total{found="none"} 2.0' in here.client.get("/metrics").text


def test_a_degraded_answer_is_not_kept() -> None:
    """The next one may be better."""
    here = shop()
    here.graph.is_away = True
    assert ask(here)["degraded"]
    here.graph.is_away = False
    assert not ask(here)["degraded"]


def test_a_kept_answer_serves_on_while_the_graph_is_away() -> None:
    """It is as true as before."""
    here = shop()
    ask(here)
    here.graph.is_away = True
    told = ask(here)
    assert (told["level"], told["degraded"]) == ("personal", False)


def test_strangers_share_an_answer_and_cost_no_question() -> None:
    """Nobody has to look them up."""
    here = shop()
    here.graph.asked.clear()
    first = ask(here, "/v1/recommendations?anonymous_id=v-1")
    second = ask(here, "/v1/recommendations?anonymous_id=v-2")
    assert first["items"] == second["items"]
    assert (first["anonymous_id"], second["anonymous_id"]) == ("v-1", "v-2")
    assert here.graph.asked == []


def test_a_stranger_who_does_something_is_none_any_more() -> None:
    """The state says so, however recently the people were read."""
    here = shop()
    ask(here, "/v1/recommendations?anonymous_id=v-1")
    here.online.states[PSEUDONYMS.visitor("v-1")] = 1
    ask(here, "/v1/recommendations?anonymous_id=v-1")
    assert looks(here) == 1


def test_m6_whoever_denied_personalisation_gets_what_strangers_get() -> None:
    """At once, also where a list of their own was kept."""
    here = shop()
    assert ask(here)["level"] == "personal"
    here.online.note({CUSTOMER: ["personalisation"]})
    denied, stranger = ask(here), ask(here, "/v1/recommendations?anonymous_id=v-1")
    assert denied["items"] == stranger["items"]
    assert denied["level"] == "popular"


def test_people_are_strangers_only_by_what_was_read_of_this_very_valkey() -> None:
    """One that lost everything knows nobody, and must not make customers strangers."""
    crowd, graph = Acquaintances(), FakeGraph({pulls.users: everybody})
    new = PSEUDONYMS.visitor("v-1")
    nothing = Recent(None, 0, stamp=STAMP)
    assert not crowd.is_stranger(new, nothing)
    crowd.learn(graph, "e-1")
    assert crowd.is_stranger(new, nothing)
    assert not crowd.is_stranger(CUSTOMER, nothing)
    assert not crowd.is_stranger(new, Recent(None, 3, stamp=STAMP))
    assert not crowd.is_stranger(new, Recent([viewed("a")], 0, stamp=STAMP))
    assert not crowd.is_stranger(new, Recent(None, 0, stamp=Stamp("e-2", 0, 0)))
    assert not crowd.is_stranger(new, Recent(None, 0))
    crowd.learn(graph, None)
    assert not crowd.is_stranger(new, nothing)


def test_of_too_many_answers_the_one_asked_for_longest_ago_goes() -> None:
    """And each goes after a minute."""
    now = [NOW_MS]
    kept: Kept[str] = Kept(now_ms=lambda: now[0], most=2)
    for key in ("x", "y"):
        kept.put(key, key, until_ms=NOW_MS + 10**9)
    assert kept.get("x") == "x"
    kept.put("z", "z", until_ms=NOW_MS + 1_000)
    assert [kept.get(key) for key in ("x", "y", "z")] == ["x", None, "z"]
    now[0] += 1_000
    assert [kept.get(key) for key in ("x", "z")] == ["x", None]
    now[0] += 60_000
    assert kept.get("x") is None
    kept.put(None, "never", until_ms=NOW_MS * 2)
    assert kept.get(None) is None


def test_what_is_true_no_more_makes_room_at_once() -> None:
    """Not only once there are too many: a quiet shop holds no more than the last minute."""
    moment = [NOW_MS]
    kept = Kept[str](now_ms=lambda: moment[0])
    for number in range(3):
        kept.put(number, "a list", until_ms=NOW_MS + 1_000)
    moment[0] += 1_000
    kept.put("new", "a list", until_ms=NOW_MS + 9_000)
    assert list(kept._held) == ["new"]


def test_an_answer_whose_time_has_come_already_is_not_held_and_harms_nobody() -> None:
    """An item may come or go by the clock between making the list and keeping it."""
    kept = Kept[str](now_ms=lambda: NOW_MS)
    kept.put("late", "a list", until_ms=NOW_MS)
    assert kept.get("late") is None
