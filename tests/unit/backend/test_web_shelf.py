"""What may be shown: by memory where it is up to date, else by the graph."""

import pytest

from backend.shelf import Shelf
from backend.wishes import Filter
from graph.domain.ids import ItemId
from graph.errors import GraphUnavailable
from graph.shelf import OnShelf, on_shelf
from tests.factories import NOW_MS, FakeChanges, FakeGraph, showing

A, B, C = ItemId("a"), ItemId("b"), ItemId("c")
DAY_MS = 86_400_000


class Shop:
    """A shelf that knows a and b, and the means to change them."""

    def __init__(self, *hidden: str) -> None:
        self.now = NOW_MS
        self.graph = FakeGraph({on_shelf: showing(*hidden)})
        self.changes = FakeChanges()
        self.shelf = Shelf(self.graph, self.changes, now_ms=lambda: self.now)
        self.shelf.learn([A, B])
        self.graph.asked.clear()

    def tells(self, **rows: OnShelf) -> None:
        """Let the graph say so from now on."""
        self.graph.answers[on_shelf] = lambda ids: {one: rows[one] for one in ids if one in rows}

    def shown(self, *item_ids: ItemId, **how: object) -> list[ItemId]:
        """What of a list may be shown."""
        return self.shelf.look(item_ids, limit=9, **how).allowed  # type: ignore[arg-type]

    @property
    def asked(self) -> list[list[ItemId]]:
        """Which items the graph was asked about."""
        return [list(args[0]) for query, args, _ in self.graph.asked if query is on_shelf]


def test_what_is_known_and_unchanged_is_not_asked_again() -> None:
    """An answer costs no question to the graph."""
    shop = Shop("b")
    assert shop.shelf.hidden == {B}
    assert shop.shown(A, B) == [A]
    assert shop.asked == []


def test_g1_a_change_by_another_process_counts_with_the_next_answer() -> None:
    """Only what changed is read, and once."""
    shop = Shop()
    shop.tells(a=OnShelf(is_away=True), b=OnShelf(is_away=False))
    assert shop.shown(A, B) == [A, B], "nobody has said that anything changed"
    shop.changes.done([A])
    assert shop.shown(A, B) == [B]
    assert shop.shown(A, B) == [B]
    assert shop.asked == [[A]]
    assert shop.shelf.hidden == {A}


def test_an_item_whose_change_is_under_way_is_looked_up_each_time() -> None:
    """Also when whoever changes it is killed in between."""
    shop = Shop()
    shop.changes.begin([A])
    shop.tells(a=OnShelf(is_away=True))
    assert shop.shown(A, B) == [B]
    shop.tells(a=OnShelf(is_away=False))
    assert shop.shown(A, B) == [A, B]
    assert shop.asked == [[A], [A]]


def test_an_item_that_is_not_in_memory_is_asked_about() -> None:
    """One that the graph does not know either is not shown."""
    shop = Shop()
    assert shop.shown(A, C) == [A, C]
    shop.tells()
    assert shop.shown(A, ItemId("nothing")) == [A]


def test_with_valkey_away_the_graph_is_asked_about_everything() -> None:
    """Nobody would have told us of a change."""
    shop = Shop()
    shop.changes.is_away = True
    shop.tells(a=OnShelf(is_away=True), b=OnShelf(is_away=False))
    assert shop.shown(A, B) == [B]
    assert shop.asked == [[A, B]]


def test_after_valkey_lost_everything_all_is_read_again() -> None:
    """Its numbers begin anew, and say nothing of the time before."""
    shop = Shop()
    shop.changes.epoch = "e-2"
    shop.tells(a=OnShelf(is_away=True), b=OnShelf(is_away=False))
    assert shop.shown(A, B) == [B]
    assert shop.asked == [[A, B]]
    assert shop.shelf.epoch == "e-2"


def test_items_come_and_go_by_the_clock() -> None:
    """Without anybody changing anything; the next such moment is known."""
    shop = Shop()
    soon, later = NOW_MS + 1000, NOW_MS + 2000
    shop.tells(a=OnShelf(False, available_from=soon), b=OnShelf(False, available_until=later))
    shop.changes.done([A, B])
    assert shop.shown(A, B) == [B]
    assert shop.shelf.border_ms == soon
    shop.now = soon
    assert shop.shown(A, B) == [A, B]
    assert shop.shelf.border_ms == later
    shop.now = later
    assert shop.shown(A, B) == [A]
    assert shop.shelf.hidden == {B}


def test_a_category_is_the_one_that_the_shop_files_under_now() -> None:
    """Or one below it."""
    shop = Shop()
    shop.tells(a=OnShelf(False, categories=("x/y", "z")), b=OnShelf(False, categories=("xy",)))
    shop.changes.done([A, B])
    assert shop.shown(A, B, only=Filter(categories=("x",))) == [A]
    assert shop.shown(A, B, only=Filter(categories=("z",))) == [A]


def test_changed_items_are_nobody_s_to_show_while_the_graph_is_away() -> None:
    """The last word known of them is an old one."""
    shop = Shop()
    shop.changes.done([A])
    shop.graph.is_away = True
    with pytest.raises(GraphUnavailable):
        shop.shown(A, B)
    assert shop.shelf.from_memory([A, B], limit=9).allowed == [B]


def test_the_background_reads_what_was_left_and_everything_now_and_then() -> None:
    """So that hand-made changes of the graph do not stay unseen for ever."""
    shop = Shop()
    shop.changes.done([A])
    assert not shop.shelf.keep_in_step()
    assert shop.asked == [[A]]
    shop.now += DAY_MS
    assert shop.shelf.keep_in_step()
    assert shop.asked == [[A], [A, B]]
    shop.changes.is_away = True
    assert not shop.shelf.keep_in_step()


def test_what_was_learnt_without_valkey_is_read_again_once_it_is_back() -> None:
    """Until then the graph is asked."""
    shop = Shop()
    shop.changes.is_away = True
    shop.shelf.learn([A, B])
    shop.changes.is_away = False
    shop.graph.asked.clear()
    assert shop.shown(A) == [A]
    assert shop.shelf.keep_in_step()
    assert shop.shown(A) == [A]
    assert shop.asked == [[A], [A, B]]


def test_a_late_word_of_the_graph_does_not_undo_a_newer_one() -> None:
    """A slow answer was read before the change, and must not be kept after it."""
    shop = Shop()
    old = OnShelf(is_away=False)

    def slow(ids: list[ItemId]) -> dict[ItemId, OnShelf]:
        shop.tells(c=OnShelf(is_away=True), a=OnShelf(is_away=True), b=old)
        shop.changes.done([A])
        assert shop.shown(A, B) == [B]
        return dict.fromkeys(ids, old)

    shop.graph.answers[on_shelf] = slow
    assert shop.shown(C) == [C]
    assert shop.shown(C) == [], "what was read before the change was not kept"
