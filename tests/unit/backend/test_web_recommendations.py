"""What people are shown, and what served it."""

import math
from typing import Any

import orjson
import pytest

from graph import items, models
from graph.domain.events import EventType
from graph.known_people import look_up
from graph.shelf import on_shelf
from tests.factories import (
    NOW_MS,
    PSEUDONYMS,
    SERVER,
    FakeModel,
    World,
    known,
    showing,
    stored_model,
    viewed,
    world,
)

CUSTOMER = PSEUDONYMS.customer("u-1")[0]
SCORES = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6}


def ask(here: World, query: str = "user_id=u-1") -> dict[str, Any]:
    answer = here.client.get(f"/v1/recommendations?{query}", headers=SERVER)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = orjson.loads(answer.data)
    return told


def listed(told: dict[str, Any]) -> list[str]:
    return [place["item_id"] for place in told["items"]]


def personal(history_limit: int = 1000, **changes: Any) -> World:
    here = known(viewed("a"), embedding=[0.1], **changes)
    return world(FakeModel(SCORES), {look_up: here}, history_limit=history_limit)


def test_a_person_with_a_stored_vector_gets_their_own_list() -> None:
    """The level says so, with version, positions and ids as sent."""
    told = ask(personal(), "user_id=u-1&limit=2&surface=home")
    assert (told["level"], told["model_version"]) == ("personal", "m-1")
    assert (told["user_id"], told["surface"], told["degraded"]) == ("u-1", "home", False)
    assert listed(told) == ["a", "b"]
    assert [place["position"] for place in told["items"]] == [1, 2]
    assert told["recommendation_id"].startswith("r-")
    assert told["served_at"] == "2025-10-09T08:53:20.000Z"


def test_a_person_the_model_has_not_met_is_served_by_their_session() -> None:
    """A few events are enough to leave the popular list."""
    here = world(FakeModel(SCORES), {look_up: known(viewed("a"))})
    told = ask(here)
    assert told["level"] == "session"
    assert listed(told) == ["d", "c", "b", "a"]


def test_a_stranger_gets_what_is_popular() -> None:
    """An unknown id is no error."""
    told = ask(world(FakeModel(SCORES)), "anonymous_id=new-one")
    assert (told["level"], told["anonymous_id"], told["user_id"]) == ("popular", "new-one", None)
    assert listed(told) == ["a", "b", "c", "d"]


def test_a_stranger_starts_where_the_model_says_strangers_start() -> None:
    """Its order, under the level and the reason of popular lists; hidden items stay out."""
    model = FakeModel(SCORES, first={"c": -1.0, "d": -2.0, "a": -3.0, "b": -4.0})
    here = world(model, {on_shelf: showing("d")})
    told = ask(here, "anonymous_id=new-one")
    assert (told["level"], told["degraded"]) == ("popular", False)
    assert listed(told) == ["c", "a", "b"]
    assert {place["reason"]["code"] for place in told["items"]} == {"popular"}
    everybody = here.client.get("/v1/popular-items", headers=SERVER).json
    assert [place["item_id"] for place in everybody["items"]] == ["a", "b", "c"]


def test_without_a_model_the_graph_counts_what_is_popular() -> None:
    """A new shop answers from the first event on."""
    here = world(answers={items.popular: [("y", 3.0), ("x", 5.0)]})
    told = ask(here)
    assert (told["level"], told["model_version"]) == ("popular", None)
    assert listed(told) == ["x", "y"]


def test_g4_an_empty_shop_answers_an_empty_list() -> None:
    """200 with its level, never an error."""
    told = ask(world())
    assert (told["level"], told["items"]) == ("none", [])


def test_a_vector_of_another_version_is_not_used() -> None:
    """No answer mixes two versions: the pointer has moved, the model in memory has not."""
    told = ask(personal(pointer="m-2"))
    assert told["level"] == "session"


def test_g4_who_has_bought_everything_gets_an_empty_list() -> None:
    """By the shop's rule nothing is left to show, and that is an answer."""
    past = [viewed(item_id, kind=EventType.PURCHASE) for item_id in SCORES]
    answers = {look_up: known(*past, embedding=[0.1])}
    here = world(FakeModel(SCORES), answers, exclude_behaviours="purchase")
    told = ask(here)
    assert (told["level"], told["items"], told["degraded"]) == ("none", [], False)


def test_e7_of_a_long_history_only_the_newest_events_are_asked_for() -> None:
    """However much somebody did, an answer reads a bounded part of it."""
    here = personal(history_limit=50)
    ask(here)
    (limit,) = {named["limit"] for query, _, named in here.graph.asked if query is look_up}
    assert limit == 50


def test_g1_a_hidden_item_is_gone_with_the_next_answer() -> None:
    """The graph has the last word on every item of every list."""
    here = personal()
    ask(here, "anonymous_id=new-one")
    here.hide("a", "c")
    assert listed(ask(here)) == ["b", "d"]
    assert listed(ask(here, "anonymous_id=new-one")) == ["b", "d"]


def test_many_hidden_items_do_not_shorten_a_list() -> None:
    """The ranking is asked deeper until the list is full."""
    many = {f"i{number:04}": 1.0 - number / 1000 for number in range(400)}
    here = world(FakeModel(many), {on_shelf: showing(*list(many)[:300])})
    assert listed(ask(here, "anonymous_id=v&limit=5")) == list(many)[300:305]


def test_a_person_may_have_no_personal_list() -> None:
    """M6: personalisation denied, and opposite histories get one list."""
    here = personal(consent={"personalisation": "denied"})
    assert ask(here)["level"] == "popular"


def test_excluded_items_are_left_out_before_the_count() -> None:
    """The list is as long as asked."""
    told = ask(personal(), "user_id=u-1&limit=2&exclude=a&exclude=c")
    assert listed(told) == ["b", "d"]


def test_a_category_limits_the_list() -> None:
    """And those below it count as in it."""
    model = FakeModel(SCORES, category={"a": "x", "b": "x/y", "c": "xy", "d": "x"})
    here = world(model, {look_up: known(viewed("a"), embedding=[0.1])})
    assert listed(ask(here, "user_id=u-1&category=x")) == ["a", "b", "d"]


def test_g5_scores_that_are_no_number_are_dropped_and_counted() -> None:
    """The JSON stays valid whatever a model says."""
    broken = {"a": math.nan, "b": math.inf, "c": 0.5, "d": -math.inf}
    here = world(FakeModel(broken), {look_up: known(viewed("a"), embedding=[0.1])})
    told = ask(here)
    assert listed(told) == ["c"]
    assert "shopgraph_dropped_items_total 3.0" in here.client.get("/metrics").text


def test_equal_scores_are_ordered_by_item_id() -> None:
    """The order is total, so it repeats."""
    here = world(FakeModel({"b": 1.0, "c": 1.0, "a": 1.0}))
    assert listed(ask(here)) == ["a", "b", "c"]


def test_a_reason_is_the_persons_own_path() -> None:
    """Where there is none, the level stands in."""
    here = known(viewed("a"), embedding=[0.1])
    model = FakeModel(SCORES, near={"a": [("b", 0.5)]})
    first, second, third, _ = ask(world(model, {look_up: here}))["items"]
    assert first["reason"] == {"code": "viewed_before", "path": ["you", "VIEWED", "a"]}
    path = ["you", "VIEWED", "a", "SIMILAR_TO", "b"]
    assert second["reason"] == {"code": "similar_to_viewed", "path": path}
    assert third["reason"] == {"code": "for_you", "path": []}


def test_a_reason_can_come_with_a_query_that_shows_it() -> None:
    """For Neo4j Browser; where there is no path, there is nothing to show."""
    first, second, *_ = ask(personal(), "user_id=u-1&explain=true")["items"]
    assert first["reason"]["cypher"].startswith(f"MATCH path = (:User {{user_id: '{CUSTOMER}'}})")
    assert second["reason"]["cypher"] is None


def test_steps_told_with_the_question_are_no_edges_and_no_reasons() -> None:
    """The graph does not know them."""
    told = (
        personal()
        .client.post(
            "/v1/recommendations",
            headers=SERVER,
            json={"user_id": "u-1", "events": [{"event_type": "cart", "item_id": "b"}]},
        )
        .json
    )
    assert [place["reason"]["code"] for place in told["items"][:2]] == ["viewed_before", "for_you"]


def test_with_the_graph_away_the_session_is_served_from_memory() -> None:
    """Degraded is said, and hidden items stay hidden by the last word known."""
    here = personal()
    here.hide("d")
    ask(here, "anonymous_id=new-one")
    here.graph.is_away = True
    here.online.held[CUSTOMER] = [viewed("a")]
    here.online.states[CUSTOMER] = 1
    told = ask(here)
    assert (told["level"], told["degraded"]) == ("session", True)
    assert listed(told) == ["c", "b", "a"]


def test_with_graph_and_stream_away_popular_items_are_served() -> None:
    """From the model in memory alone."""
    here = personal()
    here.graph.is_away = True
    here.online.is_away = True
    told = ask(here)
    assert (told["level"], told["degraded"]) == ("popular", True)
    assert "shopgraph_degraded_total 1.0" in here.client.get("/metrics").text


def test_with_everything_away_and_no_model_the_list_is_empty() -> None:
    """Never a 500."""
    here = world()
    here.graph.is_away = True
    told = ask(here)
    assert (told["level"], told["degraded"]) == ("none", True)


def test_with_valkey_away_the_graph_tells_the_past() -> None:
    """The list is personal all the same."""
    here = personal()
    here.online.is_away = True
    told = ask(here)
    assert (told["level"], told["degraded"]) == ("personal", True)


def test_what_the_graph_told_is_held_for_the_next_answer() -> None:
    """Who asks the graph next asks it for the person only."""
    here = personal()
    ask(here)
    assert here.online.held[CUSTOMER] == [viewed("a")]
    here.changes.epoch = "e-2"
    ask(here)
    wanted = [kwargs["wants_past"] for query, _, kwargs in here.graph.asked if query is look_up]
    assert wanted == [True, False]


def test_a_question_may_come_in_a_body() -> None:
    """For long lists of exclusions."""
    answer = personal().client.post(
        "/v1/recommendations", headers=SERVER, json={"user_id": "u-1", "exclude": ["a"], "limit": 1}
    )
    assert [place["item_id"] for place in answer.json["items"]] == ["b"]


@pytest.mark.parametrize("item_id", ["a/b", "..", "颜色/红", "a?b#c", "sku-1 ", "🙂"])
def test_any_id_is_reachable_and_comes_back_exactly(item_id: str) -> None:
    """C1: ids travel in the query, so no character of theirs gets lost."""
    here = world(FakeModel({item_id: 1.0}, near={item_id: [("other", 0.5)]}))
    answer = here.client.get("/v1/similar-items", query_string={"item_id": item_id}, headers=SERVER)
    assert answer.json["item_id"] == item_id
    assert answer.json["level"] == "similar"


def test_similar_items_are_the_models_neighbours() -> None:
    """Best first, the item itself never among them."""
    here = world(FakeModel(SCORES, near={"a": [("a", 1.0), ("c", 0.9), ("b", 0.4)]}))
    told = here.client.get("/v1/similar-items?item_id=a", headers=SERVER).json
    assert (told["level"], listed(told)) == ("similar", ["c", "b"])


def test_an_item_nobody_knows_is_answered_with_popular_ones() -> None:
    """A level, not an error."""
    told = world(FakeModel(SCORES)).client.get("/v1/similar-items?item_id=new", headers=SERVER).json
    assert (told["level"], listed(told)) == ("popular", ["a", "b", "c", "d"])


def test_popular_items_can_be_of_one_category() -> None:
    """By the model's own count."""
    here = world(FakeModel(SCORES, category={"a": "x", "b": "y"}))
    told = here.client.get("/v1/popular-items?category=y", headers=SERVER).json
    assert listed(told)[0] == "b"


def test_a_swapped_model_serves_the_next_answer() -> None:
    """The pointer moved: one refresh, and the answer says the new version."""
    here = personal()
    here.versions["m-2"] = FakeModel(SCORES, version="m-2")
    here.graph.answers[models.live] = stored_model("m-2")
    here.models.refresh()
    assert ask(here)["model_version"] == "m-2"
    assert 'shopgraph_model_loaded{version="m-2"} 1.0' in here.client.get("/metrics").text


def test_a_model_that_cannot_be_loaded_leaves_the_old_one() -> None:
    """The last good model serves on."""
    here = personal()
    here.graph.answers[models.live] = stored_model("m-broken")
    here.models.refresh()
    assert ask(here)["model_version"] == "m-1"


def test_the_time_of_an_answer_is_the_models_or_the_persons_last_step() -> None:
    """A model of old data is not asked about the years after it."""
    asked: list[int] = []

    class Asked(FakeModel):
        def score(self, *args: Any, now_ms: int, **kwargs: Any) -> list[float]:
            asked.append(now_ms)
            return super().score(*args, now_ms=now_ms, **kwargs)

    model = Asked(SCORES, as_of_ms=NOW_MS - 10_000)
    here = world(model, {look_up: known(viewed("a", ts=NOW_MS - 500), embedding=[0.1])})
    ask(here)
    assert asked == [NOW_MS - 500]
