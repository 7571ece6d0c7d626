"""How likely people are to buy, or why nobody can say."""

from typing import Any

import orjson
import pytest

from graph.known_people import look_up
from graph.shelf import on_shelf
from tests.factories import PSEUDONYMS, SERVER, FakeModel, World, known, showing, viewed, world

SCORES = {"a": 0.9, "b": 0.25, "hidden": 0.5}
CUSTOMER = PSEUDONYMS.customer("u-1")[0]


def shop() -> World:
    def found(user_id: str, **_: Any) -> Any:
        return known(viewed("a"), embedding=[0.1] if user_id == CUSTOMER else None)

    return world(FakeModel(SCORES), {look_up: found, on_shelf: showing("hidden")})


def ask(here: World, body: Any) -> dict[str, Any]:
    answer = here.client.post("/v1/intent", headers=SERVER, json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = orjson.loads(answer.data)
    return told


def pair(item_id: str, **who: str) -> dict[str, str]:
    return {"item_id": item_id, **(who or {"user_id": "u-1"})}


def test_each_pair_has_its_probability_or_a_code() -> None:
    """In the order asked; what cannot be judged is null, never a made-up number."""
    told = ask(
        shop(),
        {
            "pairs": [
                pair("a"),
                pair("new"),
                pair("hidden"),
                pair("b", anonymous_id="v-1"),
                pair("b"),
                pair("a"),
            ]
        },
    )
    assert [(row["probability"], row["code"]) for row in told["items"]] == [
        (0.9, None),
        (None, "unknown_item"),
        (None, "not_available"),
        (None, "unknown_user"),
        (0.25, None),
        (0.9, None),
    ]
    assert told["items"][3]["anonymous_id"] == "v-1"
    assert told["model_version"] == "m-1"


def test_a_person_alone_gets_their_likeliest_items() -> None:
    """Without what must not be shown."""
    told = ask(shop(), {"user_id": "u-1", "limit": 5})
    assert [row["item_id"] for row in told["items"]] == ["a", "b"]


def test_without_a_model_nothing_is_guessed() -> None:
    """Null, with the reason."""
    told = ask(world(), {"pairs": [pair("a")]})
    assert (told["items"][0]["probability"], told["items"][0]["code"]) == (None, "no_model")


def test_with_the_graph_away_the_answer_says_so() -> None:
    """The vectors are in the graph, so nobody is known; but it is no error."""
    here = shop()
    here.graph.is_away = True
    told = ask(here, {"pairs": [pair("a")]})
    assert (told["degraded"], told["items"][0]["code"]) == (True, "unknown_user")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"pairs": []},
        {"pairs": [{"item_id": "a"}]},
        {"pairs": [pair("null")]},
        {"pairs": [pair("a")] * 501},
        {"pairs": [pair("a")], "user_id": "u-1"},
        {"pairs": [pair("a", user_id=f"u-{number}") for number in range(51)]},
        {"user_id": "u-1", "limit": 0},
    ],
)
def test_a_question_that_is_none_is_422(body: Any) -> None:
    """One kind of question, within bounds."""
    answer = shop().client.post("/v1/intent", headers=SERVER, json=body)
    assert answer.status_code == 422
    assert answer.json["code"]
