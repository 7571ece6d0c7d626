"""Filters, boosts, variety and pins, on lists made by hand."""

from typing import Any

import pytest

from backend.arranging import arrange
from backend.wishes import Boost, Filter, Kind, Pin, Scored, Wish
from graph.domain.ids import ItemId
from graph.shelf import OnShelf

NAMES = "abcdefgh"
RANKED: Scored = [(ItemId(name), 1.0 - place / 10) for place, name in enumerate(NAMES)]
ROWS = {
    ItemId(name): OnShelf(
        is_away=False,
        categories=("tea/green",) if name in "abc" else ("coffee",),
        brand="Bo" if name in "ad" else None,
        price_minor=100 * place,
        attributes='{"organic": true, "sizes": [1, 2], "n": 1}' if name == "b" else None,
    )
    for place, name in enumerate(NAMES)
}


def order(**wish: Any) -> str:
    return "".join(item_id for item_id, _ in arrange(RANKED, ROWS, Wish(limit=5, **wish)))


def test_without_a_wish_the_model_s_order_stays() -> None:
    """All of it."""
    assert order() == NAMES


def test_a_boost_lifts_and_buries_by_place() -> None:
    """With factor f, place p becomes (10 + p) / f - 10: the eighth with 1.5 is before the third."""
    assert order(boosts=(Boost(Kind.ITEM, "h", 1.5),)) == "abhcdefg"
    assert order(boosts=(Boost(Kind.ITEM, "a", 0.6),)) == "bcdefgha"
    assert order(boosts=(Boost(Kind.CATEGORY, "tea", 0.1),)) == "defghabc"
    assert order(boosts=(Boost(Kind.BRAND, "Bo", 9.0),)) == "adbcefgh"
    both = (Boost(Kind.ITEM, "h", 2.0), Boost(Kind.CATEGORY, "coffee", 0.5))
    assert order(boosts=both) == "abchdefg", "factors multiply, and 2 times a half is nothing"


def test_only_so_many_of_a_category_or_a_brand_are_listed() -> None:
    """The best of each; what has none is not counted."""
    assert order(most_per_category=2) == "abde"
    assert order(most_per_brand=1) == "abcefgh"
    assert order(most_per_category=1, most_per_brand=1) == "ae"


def test_fewer_items_rather_than_poor_ones() -> None:
    """An item without a score is none that is good enough."""
    assert order(min_score=0.75) == "abc"
    assert arrange([(ItemId("x"), None)], {}, Wish(limit=5, min_score=0.0)) == []


def test_pins_stand_where_the_shop_wants_them() -> None:
    """Whatever was ranked; with its score, if it has one; behind a short list at its end."""
    wish = Wish(limit=5, pins=(Pin(ItemId("h"), 1), Pin(ItemId("z"), 3)))
    assert arrange(RANKED, ROWS, wish)[:4] == [
        ("h", pytest.approx(0.3)),
        ("a", 1.0),
        ("z", None),
        ("b", 0.9),
    ]
    assert arrange(RANKED[:1], ROWS, Wish(limit=5, pins=(Pin(ItemId("z"), 9),)))[-1][0] == "z"


@pytest.mark.parametrize(
    ("only", "fitting"),
    [
        (Filter(), NAMES),
        (Filter(categories=("tea",)), "abc"),
        (Filter(categories=("tea/green", "coffee")), NAMES),
        (Filter(categories=("te",)), ""),
        (Filter(brands=("Bo", "Other")), "ad"),
        (Filter(price_from=200), "cdefgh"),
        (Filter(price_from=200, price_to=400), "cde"),
        (Filter(price_to=0), "a"),
        (Filter(attributes=(("organic", True),)), "b"),
        (Filter(attributes=(("organic", 1),)), ""),
        (Filter(attributes=(("n", True),)), ""),
        (Filter(attributes=(("n", 1.0), ("sizes", 2))), "b"),
        (Filter(attributes=(("sizes", 3),)), ""),
        (Filter(categories=("coffee",), brands=("Bo",)), "d"),
    ],
)
def test_a_filter_says_of_each_item_whether_it_fits(only: Filter, fitting: str) -> None:
    """Each part that is asked for must hold."""
    assert "".join(name for name, row in ROWS.items() if only.fits(row)) == fitting
    assert only.is_open == (only == Filter())


def test_an_item_without_a_price_is_within_no_bounds() -> None:
    """Nobody knows."""
    assert not Filter(price_to=10**9).fits(OnShelf(is_away=False))
