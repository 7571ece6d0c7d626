"""Why an item fits a person, from memory."""

from backend.reasons import reasons
from backend.serving import Loaded
from graph.domain.events import EventType
from graph.domain.ids import ItemId, ModelVersion, UserId
from graph.domain.models import Slot
from graph.events import PastEvent
from graph.recommendations import RECENT, Reason, shown_by
from graph.shelf import OnShelf
from tests.factories import FakeModel

NEAR = {"cup": [("mug", 0.9)], "pot": [("mug", 0.6), ("tea", 0.9)]}
KINDS = {"tea": "drinks", "coffee": "drinks", "cup": "ware", "pot": "pots", "mug": "ware"}
ROWS = {ItemId(name): OnShelf(False, categories=(kind, "gifts")) for name, kind in KINDS.items()}
MODEL = FakeModel(dict.fromkeys(KINDS, 1.0), near=NEAR)
LOADED = Loaded(MODEL, ModelVersion("m"), Slot.BLUE, frozenset(KINDS))


def did(name: str, kind: EventType, ts: int = 0) -> PastEvent:
    return PastEvent(kind, ItemId(name), ts, None)


HISTORY = (
    did("cup", EventType.VIEW, 9),
    did("cup", EventType.UNCART, 8),
    did("tea", EventType.PURCHASE, 5),
    did("pot", EventType.PURCHASE, 4),
)


def reason(name: str, history: tuple[PastEvent, ...] = HISTORY) -> Reason | None:
    return reasons(history, [ItemId(name)], ROWS, LOADED).get(ItemId(name))


def test_what_they_did_with_the_item_itself_comes_first() -> None:
    """Though it is next to another one."""
    assert reason("tea") == Reason("bought_again", ["you", "PURCHASED", "tea"])
    assert reason("cup") == Reason("viewed_before", ["you", "VIEWED", "cup"])


def test_a_neighbour_is_reached_over_the_stronger_behaviour() -> None:
    """6 times .6 is more than 1 times .9."""
    path = ["you", "PURCHASED", "pot", "SIMILAR_TO", "mug"]
    assert reason("mug") == Reason("similar_to_purchased", path)


def test_the_main_category_is_the_last_resort() -> None:
    """Of the strongest, then the newest step; a second category is no reason."""
    path = ["you", "PURCHASED", "tea", "IN_CATEGORY", "drinks", "IN_CATEGORY", "coffee"]
    assert reason("coffee") == Reason("category_purchased", path)
    assert reason("unknown") is None


def test_what_speaks_against_an_item_is_no_reason_for_it() -> None:
    """Nor is anything without a history, or too long ago."""
    assert reason("cup", (did("cup", EventType.UNCART),)) is None
    assert reason("cup", ()) is None
    many = tuple(did("tea", EventType.VIEW, 10_000 - k) for k in range(RECENT))
    assert reason("pot", (*many, did("pot", EventType.VIEW))) is None


def test_without_a_model_there_are_no_neighbours() -> None:
    """The rest is told all the same."""
    found = reasons(HISTORY, [ItemId("mug"), ItemId("tea")], ROWS, None)
    assert found[ItemId("tea")].code == "bought_again"
    assert found[ItemId("mug")].code == "category_viewed"


def test_a_query_shows_each_kind_of_path() -> None:
    """With the ids as they are, quotes and all."""
    me = "(:User {user_id: 'c_1'})-[:SAME_AS*0..2]-(:User)"
    told = shown_by(Reason("x", ["you", "VIEWED", "it's \\"]), UserId("c_1"))
    item = "(:Item {item_id: 'it\\'s \\\\'})"
    assert told == f"MATCH path = {me}-[:VIEWED]->{item} RETURN path LIMIT 10"
    path = ["you", "CARTED", "a", "IN_CATEGORY", "x/y", "IN_CATEGORY", "b"]
    assert shown_by(Reason("x", path), UserId("c_1")) == (
        f"MATCH path = {me}-[:CARTED]->(:Item {{item_id: 'a'}})-[:IN_CATEGORY]->"
        "(:Category {path: 'x/y'})<-[:IN_CATEGORY]-(:Item {item_id: 'b'}) RETURN path LIMIT 10"
    )
    assert shown_by(Reason("popular"), UserId("c_1")) is None
