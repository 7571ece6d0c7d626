"""What follows from facts follows whatever their order: identity, returns, consent, flags."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from graph import events, impressions, items, pulls, users
from graph.client import Graph
from graph.domain.events import Event, EventType
from graph.domain.ids import ItemId, UserId
from tests.factories import ANNA, told
from tests.stored import past_of, person_of

BOB = UserId("c_bob")
VISITOR, TABLET = UserId("v_77"), UserId("v_78")


def bought(event_id: str, **changes: Any) -> Event:
    return told(event_id, EventType.PURCHASE, **({"order_id": "o1", "line": 1} | changes))


def returned(event_id: str, **changes: Any) -> Event:
    return told(event_id, EventType.REFUND, **({"order_id": "o1", "item_id": None} | changes))


def refunded(event_id: str, **changes: Any) -> Event:
    return told(event_id, EventType.REFUND, **({"order_id": "o1", "line": 1} | changes))


def login(event_id: str, visitor: UserId = VISITOR, **changes: Any) -> Event:
    return told(event_id, EventType.IDENTIFY, item_id=None, visitor_id=visitor, **changes)


def rows(graph: Graph, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return graph.read(lambda tx: tx.run(query, **parameters).data())


def same_as(graph: Graph) -> dict[str, str]:
    found = rows(graph, "MATCH (v)-[:SAME_AS]->(c) RETURN v.user_id AS v, c.user_id AS c")
    return {row["v"]: row["c"] for row in found}


def lines_taken_back(graph: Graph) -> dict[str, dict[str, Any]]:
    found = rows(
        graph,
        "MATCH (u)-[r:REFUNDED]->(i) RETURN r.event_id AS id, u.user_id AS u, i.item_id AS i, "
        "r.line AS line, r.quantity AS n, r.amount_minor AS paid, r.ts AS ts ORDER BY id",
    )
    return {row.pop("id"): row for row in found}


def wipe(graph: Graph) -> None:
    graph.run_alone(
        "MATCH (n) WHERE NOT n:__Neo4jMigration CALL (n) { DETACH DELETE n } IN TRANSACTIONS"
    )


def canonical(graph: Graph) -> tuple[list[str], list[str]]:
    """Every node and edge as text, without what tells of the order of storing."""
    nodes = rows(
        graph,
        "MATCH (n) WHERE NOT n:__Neo4jMigration AND NOT n:Counter AND NOT n:Lease "
        "RETURN labels(n) AS l, properties(n) AS p",
    )
    links = rows(
        graph,
        "MATCH (a)-[r]->(b) WHERE NOT a:__Neo4jMigration RETURN type(r) AS t, properties(r) AS p, "
        "coalesce(a.user_id, a.item_id) AS a, coalesce(b.user_id, b.item_id, b.order_id) AS b",
    )
    return sorted(map(_text, nodes)), sorted(map(_text, links))


def _text(row: dict[str, Any]) -> str:
    kept = {name: value for name, value in row["p"].items() if name not in ("seq", "idx")}
    return repr(sorted((row | {"p": sorted(kept.items())}).items()))


# --- identity


def test_a_visitor_is_the_customer_of_the_earliest_login(graph: Graph) -> None:
    """A second login on a shared device melts nobody together."""
    graph.write(events.record, [login("x2", user_id=BOB, ts=200)])
    assert same_as(graph) == {VISITOR: BOB}
    recorded = graph.write(events.record, [login("x1", ts=100)])
    assert recorded.stored == {"x1"}
    assert same_as(graph) == {VISITOR: ANNA}, "the earlier one came later"
    assert graph.write(events.record, [login("x3", user_id=BOB, ts=300)]).conflicts == ()
    assert same_as(graph) == {VISITOR: ANNA}
    facts = rows(graph, "MATCH ()-[r:IDENTIFIED]->(c) RETURN r.event_id AS id ORDER BY id")
    assert [row["id"] for row in facts] == ["x1", "x2", "x3"]


def test_logins_at_one_time_are_told_apart_by_their_ids(graph: Graph) -> None:
    """So that two of the same millisecond do not depend on who came first."""
    graph.write(events.record, [login("b", user_id=BOB), login("a")])
    assert same_as(graph) == {VISITOR: ANNA}


def test_a_customer_has_many_devices_and_each_knows_what_was_done_on_the_others(
    graph: Graph,
) -> None:
    """Before the login as well as after it."""
    graph.write(
        events.record,
        [
            told("e1", user_id=VISITOR, item_id=ItemId("P"), ts=1),
            told("e2", user_id=TABLET, item_id=ItemId("Q"), ts=2),
            told("e3", user_id=ANNA, item_id=ItemId("R"), ts=3),
            login("x1"),
            login("x2", TABLET),
        ],
    )
    for person in (ANNA, VISITOR, TABLET):
        seen = past_of(graph, person, limit=9)
        assert [step.item_id for step in seen] == ["R", "Q", "P"]


# --- returned orders


def test_i5_the_return_of_an_order_takes_back_each_line_from_its_buyer(graph: Graph) -> None:
    """Also when the office that refunds names another id."""
    lines = [
        bought("a", quantity=2, amount_minor=500, user_id=VISITOR),
        bought("b", line=2, item_id=ItemId("B")),
        bought("c", order_id="o2"),
    ]
    recorded = graph.write(events.record, [*lines, returned("r1", ts=9000, user_id=BOB)])
    assert "r1" in recorded.stored
    expected = {
        "a|refund": {"u": VISITOR, "i": "A", "line": 1, "n": 2, "paid": 500, "ts": 9000},
        "b|refund": {"u": ANNA, "i": "B", "line": 2, "n": None, "paid": None, "ts": 9000},
    }
    assert lines_taken_back(graph) == expected
    again = graph.write(events.record, [returned("r1", ts=9000, user_id=BOB)])
    assert again.duplicates == ("r1",)
    assert lines_taken_back(graph) == expected
    assert graph.read(pulls.last_seq) == recorded.last_seq


def test_i5_a_return_before_its_purchase_meets_it_in_the_graph(graph: Graph) -> None:
    """Nothing has to be sent again."""
    assert graph.write(events.record, [returned("r1")]).stored == {"r1"}
    assert lines_taken_back(graph) == {}
    graph.write(events.record, [bought("a")])
    assert list(lines_taken_back(graph)) == ["a|refund"]


def test_i5_a_line_told_after_the_return_is_taken_back_too(graph: Graph) -> None:
    """An order may be told in two events."""
    graph.write(events.record, [bought("a")])
    graph.write(events.record, [returned("r1")])
    graph.write(events.record, [bought("b", line=2, item_id=ItemId("B"))])
    assert list(lines_taken_back(graph)) == ["a|refund", "b|refund"]


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]])
def test_i5_what_a_line_gave_back_already_is_taken_off(graph: Graph, order: list[int]) -> None:
    """One of three pieces, then all of it: two pieces are left to take back."""
    facts = [
        bought("a", quantity=3, amount_minor=300),
        refunded("p", quantity=1, amount_minor=100, ts=2000),
        returned("r", ts=3000),
    ]
    for place in order:
        graph.write(events.record, [facts[place]])
    taken = lines_taken_back(graph)
    assert (taken["p"]["n"], taken["p"]["paid"]) == (1, 100)
    assert (taken["a|refund"]["n"], taken["a|refund"]["paid"]) == (2, 200)


def test_a_line_that_was_refunded_whole_has_nothing_left(graph: Graph) -> None:
    """A refund that names no quantity took all of it."""
    graph.write(events.record, [bought("a", quantity=3, amount_minor=300), refunded("p")])
    graph.write(events.record, [returned("r")])
    left = lines_taken_back(graph)["a|refund"]
    assert (left["n"], left["paid"]) == (0, 0)


# --- one telling, another telling


def test_the_mark_of_a_row_decides_whether_a_repeat_is_the_same(graph: Graph) -> None:
    """A price that differs is a conflict, for ever; another time by correction is none."""
    graph.write(events.record, [told("e1", content=7, device_ts=900)])
    moved = told("e1", content=7, ts=5_000)
    assert graph.write(events.record, [moved]).duplicates == ("e1",)
    other = told("e1", content=8, device_ts=900)
    assert graph.write(events.record, [other]).conflicts == ("e1",)


def test_without_a_mark_the_device_s_own_time_decides(graph: Graph) -> None:
    """As for edges that were stored before there were marks."""
    graph.write(events.record, [told("e1", ts=1_300, device_ts=1_000)])
    assert graph.write(events.record, [told("e1", ts=1_000)]).duplicates == ("e1",)
    assert graph.write(events.record, [told("e1", ts=1_300)]).conflicts == ("e1",)


# --- consent, bots and staff


def test_what_a_customer_denies_is_denied_for_the_visitor_they_were(graph: Graph) -> None:
    """And for nobody else."""
    graph.write(events.record, [login("x1"), told("e1", user_id=BOB)])
    graph.write(users.set_consent, ANNA, {"personalisation": "denied"}, now_ms=5)
    assert set(graph.read(users.denied)["personalisation"]) == {ANNA, VISITOR}
    assert graph.read(users.denials, [ANNA, BOB]) == {
        ANNA: frozenset({"personalisation"}),
        VISITOR: frozenset({"personalisation"}),
        BOB: frozenset(),
    }
    visitor = person_of(graph, VISITOR)
    assert visitor is not None
    assert visitor.consent == {"personalisation": "denied"}
    graph.write(users.set_consent, ANNA, {"personalisation": "granted"}, now_ms=4)
    assert graph.read(users.denied)["personalisation"], "what was said later counts"
    graph.write(users.set_consent, ANNA, {"personalisation": "granted"}, now_ms=6)
    assert graph.read(users.denied) == {p: [] for p in users.PURPOSES}


def test_an_event_that_repeats_an_old_choice_does_not_undo_a_withdrawal(graph: Graph) -> None:
    """A page tells what was chosen, and when, with every event."""
    graph.write(users.set_consent, ANNA, {"marketing": "denied"}, now_ms=500)
    old = '{"marketing": "granted", "at": 400}'
    graph.write(events.record, [told("e1", consent=old), told("e2", consent=old, ts=2_000)])
    assert graph.read(users.denied)["marketing"] == [ANNA]
    new = '{"marketing": "granted", "at": 600}'
    graph.write(events.record, [told("e3", consent=new)])
    assert graph.read(users.denied)["marketing"] == []


def test_bots_and_staff_teach_nothing_and_make_nothing_popular(graph: Graph) -> None:
    """Also what they did as visitors, and before anybody knew."""
    graph.write(
        events.record,
        [
            told("e1", user_id=VISITOR, item_id=ItemId("S")),
            told("e2", user_id=ANNA, item_id=ItemId("S")),
            told("e3", user_id=BOB, item_id=ItemId("B")),
            told("e4", user_id=TABLET, item_id=ItemId("T"), flags=("bot",)),
            told("e5", user_id=TABLET, item_id=ItemId("T")),
            login("x1"),
        ],
    )
    graph.write(users.set_flags, ANNA, is_staff=True)
    assert graph.read(items.popular, since_ms=0, limit=9) == [("B", 1.0)]
    known = rows(graph, "MATCH (u:User) RETURN u.user_id AS id, u.idx AS idx")
    out = {row["id"] for row in known if row["idx"] in graph.read(pulls.left_out)}
    assert out == {ANNA, VISITOR, TABLET}
    assert graph.read(users.flag_counts) == {"bots": 1, "staff": 1}
    graph.write(users.set_flags, ANNA, is_staff=False)
    assert graph.read(users.flag_counts) == {"bots": 1, "staff": 0}


# --- click-through


def test_click_through_is_counted_per_answer(graph: Graph) -> None:
    """From one node per shown list, however many items it had."""
    shown = {"item_id": None, "shown_items": ("A", "B", "C"), "recommendation_id": "r-1"}
    click = {"recommendation_id": "r-1", "item_id": ItemId("B"), "position": 2}
    graph.write(
        events.record,
        [
            told("i1", EventType.IMPRESSION, **shown),
            told("i2", EventType.IMPRESSION, **(shown | {"user_id": BOB})),
            told("i3", EventType.IMPRESSION, **(shown | {"flags": ("bot",), "user_id": TABLET})),
            told("k1", EventType.CLICK, **click),
            told("k2", EventType.CLICK, **(click | {"user_id": BOB})),
            told("k3", EventType.CLICK, **(click | {"flags": ("bot",), "user_id": TABLET})),
            told("k4", EventType.CLICK, recommendation_id="r-unknown"),
        ],
    )
    found = graph.read(impressions.click_through)
    assert found == [
        impressions.ClickThrough(
            recommendation_id="r-1",
            shown=2,
            places=6,
            clicks=2,
            clicked_items=1,
            clicks_by_position={2: 2},
        )
    ]
    assert found[0].rate == pytest.approx(1 / 6)
    assert graph.read(impressions.click_through, recommendation_id="r-unknown") == []
    assert graph.read(impressions.click_through, since_ms=1_001) == []


# --- any order

PEOPLE = st.sampled_from([ANNA, BOB, VISITOR, TABLET])
ORDERS, LINES = st.sampled_from(["o1", "o2"]), st.sampled_from([1, 2])
CONSENT = st.sampled_from([None, '{"marketing":"denied"}', '{"marketing":"granted"}'])


@st.composite
def facts(draw: st.DrawFn) -> list[Event]:
    """Facts about a few people, items and orders, each with an id of its own."""
    made: list[Event] = []
    bought_lines: set[tuple[str, int]] = set()
    for number in range(draw(st.integers(1, 9))):
        name, ts = f"e{number}", draw(st.integers(1, 5))
        kind = draw(st.sampled_from(["view", "buy", "return", "refund", "login"]))
        order, line = draw(ORDERS), draw(LINES)
        item = ItemId(f"i{line}")
        if kind == "buy" and (order, line) not in bought_lines:
            bought_lines.add((order, line))
            made.append(
                bought(name, order_id=order, line=line, item_id=item, ts=ts, quantity=3,
                       user_id=draw(PEOPLE), amount_minor=draw(st.sampled_from([None, 300])))
            )  # fmt: skip
        elif kind == "return":
            made.append(returned(name, order_id=order, ts=ts, user_id=draw(PEOPLE)))
        elif kind == "refund":
            quantity = draw(st.sampled_from([None, 1]))
            made.append(
                refunded(name, order_id=order, line=line, item_id=item, ts=ts, quantity=quantity,
                         user_id=draw(PEOPLE))
            )  # fmt: skip
        elif kind == "login":
            who, visitor = (
                draw(st.sampled_from([ANNA, BOB])),
                draw(st.sampled_from([VISITOR, TABLET])),
            )
            made.append(login(name, visitor, user_id=who, ts=ts))
        else:
            made.append(told(name, ts=ts, user_id=draw(PEOPLE), consent=draw(CONSENT)))
    return made


@seed(4)
@settings(
    max_examples=25, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(told=facts(), chance=st.integers(0, 1_000))
def test_b7_any_order_and_any_cuts_of_the_facts_give_the_same_graph(
    graph: Graph, told: list[Event], chance: int
) -> None:
    """Sorted or shuffled, in one batch or in many, and some of it twice."""
    wipe(graph)
    graph.write(events.record, sorted(told, key=lambda one: (one.ts, one.event_id)))
    expected = canonical(graph)
    wipe(graph)
    rng = random.Random(chance)
    shuffled = told + rng.choices(told, k=3)
    rng.shuffle(shuffled)
    while shuffled:
        size = rng.randint(1, 4)
        graph.write(events.record, shuffled[:size])
        del shuffled[:size]
    assert canonical(graph) == expected
