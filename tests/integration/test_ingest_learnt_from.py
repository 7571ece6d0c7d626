"""Who and what a model learns from: neither bots nor staff, and no refund of nothing."""

from pathlib import Path

from graph import events, users
from graph.client import Graph
from graph.domain.events import ITEM_BEHAVIOURS, EventType
from tests import shop
from workers.columns import Pulled, pull


def pulled(graph: Graph, folder: Path) -> Pulled:
    """All behaviour, with what an earlier pull kept on disk."""
    return pull(graph, folder / "edges.npz", report=lambda _: None)


def who(found: Pulled) -> set[str]:
    """Whose behaviour there is."""
    data = found.interactions
    return {data.user_ids[row] for row in data.user.tolist()}


def test_who_is_flagged_later_is_left_out_of_what_was_kept_before(
    graph: Graph, tmp_path: Path
) -> None:
    """Staff and bots leave the rows of the next run, and come back when the flag goes."""
    shop.fill(graph, shop.checkerboard(people=4, days=3))
    everybody = {shop.person(number) for number in range(4)}
    assert who(pulled(graph, tmp_path)) == everybody
    graph.write(users.set_flags, shop.person(0), is_staff=True)
    graph.write(users.set_flags, shop.person(1), is_bot=True)
    found = pulled(graph, tmp_path)
    assert (who(found), found.fresh) == ({shop.person(2), shop.person(3)}, 0)
    assert set(found.people_since(0)) == {shop.person(2), shop.person(3)}
    graph.write(users.set_flags, shop.person(0), is_staff=False)
    assert who(pulled(graph, tmp_path)) == everybody - {shop.person(1)}


def test_the_visitor_that_a_member_of_staff_was_is_left_out(graph: Graph, tmp_path: Path) -> None:
    """What was done before the login is theirs as well."""
    told = shop.checkerboard(people=2, days=3)
    visitor = "v_" + "0" * 22
    shop.fill(graph, [told[0]._replace(user_id=visitor), *told[1:]])
    login = shop.event(9_999, shop.person(0), 0, EventType.IDENTIFY, shop.START_MS)
    graph.write(events.record, [login._replace(item_id=None, visitor_id=visitor)])
    graph.write(users.set_flags, shop.person(0), is_staff=True)
    assert who(pulled(graph, tmp_path)) == {shop.person(1)}


def test_a_refund_that_takes_back_no_piece_is_no_sign(graph: Graph, tmp_path: Path) -> None:
    """A line refunded by itself, then with its whole order, was given back once."""
    told = shop.checkerboard(people=2, days=3)
    shop.fill(graph, told)
    bought = shop.event(9_000, shop.person(0), 0, EventType.PURCHASE, shop.START_MS)
    bought = bought._replace(order_id="o-1", line=1, quantity=1)
    line = shop.event(9_001, shop.person(0), 0, EventType.REFUND, shop.START_MS + 1)
    line = line._replace(order_id="o-1", line=1, quantity=1)
    order = shop.event(9_002, shop.person(0), 0, EventType.REFUND, shop.START_MS + 2)
    graph.write(events.record, [bought, line, order._replace(item_id=None, order_id="o-1")])
    assert refunds(pulled(graph, tmp_path)) == 1


def refunds(found: Pulled) -> int:
    """How many refunds a model would see."""
    code = ITEM_BEHAVIOURS[EventType.REFUND].code
    return int((found.interactions.code == code).sum())
