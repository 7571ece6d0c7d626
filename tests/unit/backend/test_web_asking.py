"""What a storefront may ask of a list, and how it goes on."""

from typing import Any

import pytest

from graph import trends
from graph.audience import audience
from graph.candidates import Candidate
from graph.domain.events import ITEM_BEHAVIOURS, EventType
from graph.domain.ids import ItemId, UserId
from graph.known_people import look_up
from graph.shelf import OnShelf, on_shelf
from tests.factories import (
    NOW_MS,
    PSEUDONYMS,
    SERVER,
    FakeModel,
    World,
    known,
    showing,
    viewed,
    world,
)

SCORES = {f"i{number:02}": 1.0 - number / 100 for number in range(30)}
CUSTOMER = PSEUDONYMS.customer("u-1")[0]
HISTORY = (
    viewed("i00"),
    viewed("i01", kind=EventType.PURCHASE, ts=NOW_MS - 2000),
    viewed("i02", kind=EventType.CART, ts=NOW_MS - 3000),
)


def shop(**settings: Any) -> World:
    here = known(*HISTORY, embedding=[0.1])
    return world(FakeModel(SCORES), {look_up: here}, **settings)


def post(here: World, **body: Any) -> dict[str, Any]:
    answer = here.client.post("/v1/recommendations", headers=SERVER, json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json
    return told


def get(here: World, path: str, status: int = 200) -> dict[str, Any]:
    answer = here.client.get(path, headers=SERVER)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json
    return told


def listed(told: dict[str, Any]) -> list[str]:
    return [place["item_id"] for place in told["items"]]


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        ([], set()),
        (["purchase"], {"i01"}),
        (["view"], {"i00"}),
        (["view", "purchase", "cart"], {"i00", "i01", "i02"}),
        (["favorite"], set()),
    ],
)
def test_g12_what_was_done_with_an_item_keeps_it_out_exactly_as_asked(
    asked: list[str], gone: set[str]
) -> None:
    """Behaviour by behaviour."""
    told = post(shop(), user_id="u-1", exclude_behaviours=asked, limit=5)
    assert {"i00", "i01", "i02"} - set(listed(told)) == gone
    assert len(told["items"]) == 5


def test_g2_a_bought_item_is_gone_by_the_shop_s_rule_unless_a_question_says_otherwise() -> None:
    """Set once for the shop."""
    here = shop(exclude_behaviours="purchase, cart")
    assert {"i01", "i02"}.isdisjoint(listed(get(here, "/v1/recommendations?user_id=u-1")))
    assert "i01" in listed(post(here, user_id="u-1", exclude_behaviours=[]))
    asked = "/v1/recommendations?user_id=u-1&exclude_behaviours=view"
    assert listed(get(here, asked))[0] == "i01"


def test_steps_told_with_the_question_serve_somebody_without_an_id() -> None:
    """A shop that lets nothing be followed has sessions all the same; nothing is stored."""
    here = shop()
    steps = [{"event_type": "view", "item_id": "i05"}, {"event_type": "cart", "item_id": "i06"}]
    told = post(here, events=steps, limit=3, exclude_behaviours=["cart"])
    assert (told["level"], told["user_id"], told["anonymous_id"]) == ("session", None, None)
    assert listed(told) == ["i29", "i28", "i27"]
    assert here.stream.taken == []
    assert not any(query is look_up for query, _, _ in here.graph.asked)


def test_steps_told_with_the_question_are_the_newest_of_a_person() -> None:
    """And count for this answer alone."""
    here = shop()
    steps = [{"event_type": "purchase", "item_id": "i03"}]
    told = post(here, user_id="u-1", events=steps, exclude_behaviours=["purchase"])
    assert told["level"] == "personal"
    assert {"i01", "i03"}.isdisjoint(listed(told))
    later = post(here, user_id="u-1", exclude_behaviours=["purchase"])
    assert "i03" in listed(later)


def test_whoever_denied_personalisation_is_not_served_by_steps_either() -> None:
    """They get what strangers get."""
    here = shop()
    here.online.note({CUSTOMER: ["personalisation"]})
    told = post(here, user_id="u-1", events=[{"event_type": "view", "item_id": "i05"}])
    assert told["level"] == "popular"


def test_a_list_of_the_shop_is_ranked_and_nothing_added() -> None:
    """What the model does not know comes last, as sent; what is away, not at all."""
    here = shop()
    here.hide("i04")
    sent = ["new-b", "i09", "i04", "i03", "new-a", "i03"]
    told = post(here, user_id="u-1", candidates=sent)
    assert listed(told) == ["i03", "i09", "new-b", "new-a"]
    assert [place["score"] is None for place in told["items"]] == [False, False, True, True]


def test_filters_act_before_the_count() -> None:
    """A list is as long as asked, whatever is filtered."""
    here = shop()
    here.graph.answers[on_shelf] = lambda ids: {
        one: OnShelf(
            is_away=False,
            categories=("x",) if int(one[1:]) % 2 else ("y",),
            brand=f"b{int(one[1:]) % 3}",
            price_minor=int(one[1:]),
            attributes='{"new": true}' if one > "i20" else None,
        )
        for one in ids
    }
    here.shelf.learn(list(SCORES))
    assert listed(post(here, user_id="u-1", category="x", limit=3)) == ["i01", "i03", "i05"]
    asked = "/v1/recommendations?user_id=u-1&limit=3&brand=b0&price_from=6&price_to=12"
    assert listed(get(here, asked)) == ["i06", "i09", "i12"]
    told = post(here, user_id="u-1", filter={"attributes": {"new": True}, "categories": ["y"]})
    assert listed(told) == ["i22", "i24", "i26", "i28"]
    assert listed(post(here, user_id="u-1", max_per_category=1)) == ["i00", "i01"]
    assert listed(get(here, "/v1/popular-items?max_per_brand=1")) == ["i00", "i01", "i02"]
    assert listed(post(here, user_id="u-1", min_score=0.985)) == ["i00", "i01"]


def test_pins_and_boosts_come_after() -> None:
    """A pinned item that is away is not shown for all that."""
    here = shop()
    here.hide("i09")
    told = post(
        here,
        user_id="u-1",
        limit=4,
        pins=[{"item_id": "i20", "position": 2}, {"item_id": "i09", "position": 1}],
        boosts=[{"kind": "item", "value": "i15", "factor": 3}],
    )
    assert listed(told) == ["i15", "i20", "i00", "i01"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_id": "u-1", "boosts": [{"kind": "item", "value": "x", "factor": 0}]},
        {"user_id": "u-1", "boosts": [{"kind": "colour", "value": "x", "factor": 2}]},
        {"user_id": "u-1", "pins": [{"item_id": "x", "position": 0}]},
        {"user_id": "u-1", "exclude_behaviours": ["stare"]},
        {"user_id": "u-1", "events": [{"event_type": "search", "item_id": "x"}]},
        {"user_id": "u-1", "candidates": ["x"] * 1001},
        {"user_id": "u-1", "filter": {"attributes": {"x": None}}},
        {"user_id": "u-1", "min_score": "high"},
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(body: dict[str, Any]) -> None:
    """422 with a field, never a guess."""
    answer = shop().client.post("/v1/recommendations", headers=SERVER, json=body)
    assert answer.status_code == 422


def pages(here: World, first: dict[str, Any]) -> list[dict[str, Any]]:
    """An answer and all that follow it."""
    found = [first]
    while found[-1]["next"] is not None:
        found.append(get(here, f"/v1/recommendations?user_id=u-1&limit=7&next={found[-1]['next']}"))
    return found


def test_g2_pages_have_no_repeats_and_no_gaps_also_across_a_swap() -> None:
    """They go on in the list that was ranked first, under its version."""
    here = shop()
    first = get(here, "/v1/recommendations?user_id=u-1&limit=7")
    here.versions["m-2"] = FakeModel({item: -score for item, score in SCORES.items()}, "m-2")
    here.models._loaded = None
    found = pages(here, first)
    assert [item for told in found for item in listed(told)] == sorted(SCORES)
    assert {told["model_version"] for told in found} == {"m-1"}
    positions = [place["position"] for told in found for place in told["items"]]
    assert positions == list(range(1, 31))
    assert len({told["recommendation_id"] for told in found}) == len(found)


def test_a_page_leaves_out_what_was_hidden_since() -> None:
    """The next item takes its place, and none is shown twice."""
    here = shop()
    first = get(here, "/v1/recommendations?user_id=u-1&limit=7")
    here.hide("i08", "i29")
    found = pages(here, first)
    assert [item for told in found for item in listed(told)] == [
        item for item in sorted(SCORES) if item not in ("i08", "i29")
    ]


def test_a_page_of_somebody_who_denied_meanwhile_has_expired() -> None:
    """It would be a list of their own."""
    here = shop()
    first = get(here, "/v1/recommendations?user_id=u-1&limit=7")
    here.online.note({CUSTOMER: ["personalisation"]})
    told = get(here, f"/v1/recommendations?next={first['next']}", 410)
    assert told["code"] == "page_expired"


def test_g4_an_invented_token_is_refused_and_an_old_one_has_expired() -> None:
    """Neither is an unbounded query."""
    here = shop()
    for token in ("x", "0" * 32, f"{'0' * 32}.-1.0", f"{'0' * 32}.99999999.0", "../..", ""):
        told = get(here, f"/v1/recommendations?next={token}", 422)
        assert (told["code"], told["field"]) == ("invalid_token", "next")
    unknown = f"{'0' * 31}f.10.10"
    assert get(here, f"/v1/recommendations?next={unknown}", 410)["code"] == "page_expired"


def test_without_valkey_there_is_no_next_page() -> None:
    """The first one is answered all the same."""
    here = shop()
    here.online.is_away = True
    told = get(here, "/v1/recommendations?user_id=u-1&limit=7")
    assert (told["next"], len(told["items"])) == (None, 7)


def test_a_short_list_has_no_next_page() -> None:
    """All of it is shown."""
    assert get(shop(), "/v1/recommendations?user_id=u-1&limit=30")["next"] is None


def test_popular_items_of_a_window_and_trending_ones_are_counted_in_the_graph() -> None:
    """Trending ends at the newest history where nothing has happened since."""
    asked: list[dict[str, Any]] = []

    def risen(**question: Any) -> list[tuple[str, float]]:
        asked.append(question)
        return [("i05", 3.0)] if len(asked) > 1 else []

    here = world(FakeModel(SCORES, as_of_ms=NOW_MS - 10**9), {trends.trending: risen})
    told = get(here, "/v1/popular-items?trending=true&window_hours=2&category=c")
    assert [one["until_ms"] for one in asked] == [NOW_MS, NOW_MS - 10**9 + 1]
    assert asked[0]["window_ms"] == 7_200_000
    assert (told["level"], told["items"]) == ("none", []), "i05 is not of that category"
    told = get(here, "/v1/popular-items?trending=true&window_hours=2")
    assert (told["level"], listed(told)) == ("trending", ["i05"])


def test_also_bought_items_fall_back_on_similar_ones() -> None:
    """The level says which they are."""
    here = world(FakeModel(SCORES, near={"i00": [("i07", 0.5)]}))
    here.graph.answers[trends.also_bought] = [(ItemId("i03"), 0.4), (ItemId("i00"), 0.3)]
    told = get(here, "/v1/also-bought-items?item_id=i00")
    assert (told["level"], listed(told)) == ("also_bought", ["i03"])
    here.graph.answers[trends.also_bought] = []
    told = get(here, "/v1/also-bought-items?item_id=i00&within_days=3")
    assert (told["level"], listed(told)) == ("similar", ["i07"])


def test_the_audience_of_an_item_are_people_who_may_be_spoken_to_the_likeliest_first() -> None:
    """Under the shop's own ids; who denied marketing a moment ago is not among them."""
    people_near = [
        Candidate(
            user_id=PSEUDONYMS.customer(name)[0],
            ref=PSEUDONYMS.customer(name)[1],
            embedding=None if name == "u-3" else [0.1],
            touched_items=[(ItemId("i00"), ITEM_BEHAVIOURS[EventType.CART].code, NOW_MS)],
        )
        for name in ("u-1", "u-2", "u-3")
    ]
    here = world(FakeModel(SCORES), {audience: people_near})
    here.online.note({UserId(people_near[1].user_id): ["marketing"]})
    told = get(here, "/v1/audience?item_id=i00")
    assert told["considered"] == 2
    assert [(one["user_id"], one["code"]) for one in told["people"]] == [("u-1", "cart_before")]
    assert get(here, "/v1/audience?item_id=nothing")["people"] == []


def test_items_told_apart_by_the_shelf_alone_are_enough_for_a_category() -> None:
    """An item may have moved since the model was made."""
    here = world(FakeModel(SCORES), {on_shelf: showing(categories={"i07": "moved"})})
    assert listed(get(here, "/v1/popular-items?category=moved")) == ["i07"]
