"""What every connector has in common, whatever its platform does."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.factories import PSEUDONYMS
from tests.platforms import jd, rest, taobao
from tests.platforms.setups import KINDS, KeptTokens, Setup, set_up
from tests.platforms.shop import BEGIN_MS, DAY_MS, HOUR_MS
from workers.connectors import registry
from workers.connectors.connector import Clock, Connector, Raw
from workers.connectors.errors import CredentialsRefused, PlatformTrouble
from workers.intake.door import Door
from workers.intake.rows import Status

BUSY_MS = BEGIN_MS + 3 * DAY_MS + 18 * HOUR_MS
"""Here more than a page of orders left the house, all in one second."""


@pytest.fixture(params=KINDS)
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setup]:
    """Each platform, in the evening of its busiest day."""
    with set_up(request.param, tmp_path) as one:
        one.platform.clock.ms = BUSY_MS + HOUR_MS
        yield one


@pytest.fixture
def connector(setup: Setup) -> Iterator[Connector]:
    """The connector to it."""
    clock = setup.platform.clock
    with httpx.Client() as http:
        means = registry.Means(http, KeptTokens(), Clock(clock.now_ms, clock.sleep))
        yield registry.build(setup.name, setup.settings, means)


def busy_hour(connector: Connector) -> list[Raw]:
    """What was changed around the moment when everything left."""
    return list(connector.read(BUSY_MS - 60_000, BUSY_MS + 600_000))


def orders(rows: list[Raw]) -> list[str]:
    """The ids of the orders that were bought."""
    return [row["order_id"] for row in rows if row["event_type"] == "purchase"]


def due(setup: Setup) -> list[str]:
    """Those that are to be found there."""
    found = setup.platform.shop.changed(BUSY_MS - 60_000, BUSY_MS + 600_000)
    return [str(sale.number) for sale in found if sale.is_paid]


def test_j1_equal_times_at_the_border_of_a_page_lose_no_order(
    setup: Setup, connector: Connector
) -> None:
    """More than a page of orders with one time of change: each comes once, in order."""
    assert len(due(setup)) > 100
    assert orders(busy_hour(connector)) == due(setup)


def test_j1_orders_that_change_while_they_are_read_are_seen(
    setup: Setup, connector: Connector
) -> None:
    """A changed record leaves the window and moves those behind it; none of the others is lost."""
    setup.platform.faults.stirs = True
    before = set(due(setup))
    seen = set(orders(busy_hour(connector)))
    shop, now = setup.platform.shop, setup.platform.clock.ms
    stayed = {str(sale.number) for sale in shop.changed(BUSY_MS, BUSY_MS)}
    assert len(stayed) < len(before)
    assert before & stayed <= seen
    setup.platform.faults.stirs = False
    later = set(orders(list(connector.read(BUSY_MS, now + 1_000))))
    assert before <= seen | later


def test_rows_pass_the_door_with_lines_buyer_and_source(setup: Setup, connector: Connector) -> None:
    """Purchases with all their lines, refunds that name the line that was bought."""
    rows = [*busy_hour(connector), *connector.read(BUSY_MS - 3 * HOUR_MS, BUSY_MS - 2 * HOUR_MS)]
    checked = Door(PSEUDONYMS).check(
        rows, default_source=connector.name, received_ms=setup.platform.clock.ms
    )
    assert {result.status for result in checked.rows} <= {Status.ACCEPTED, Status.DUPLICATE}
    assert {event.source for event in checked.events} == {setup.name}
    sale = setup.platform.shop.sale(int(orders(rows)[0]))
    mine = [event for event in checked.events if event.order_id == str(sale.number)]
    assert {event.user_id for event in mine} == {PSEUDONYMS.customer(sale.buyer)[0]}
    assert {(event.item_id, event.quantity) for event in mine} == {
        (str(item), pieces) for item, pieces, _ in sale.lines
    }


def test_a_refund_is_of_the_line_that_was_bought(setup: Setup, connector: Connector) -> None:
    """The same number and item as in the purchase, so that its signal is taken back."""
    platform = setup.platform
    sale, refund = next(platform.shop.refunds(0, platform.clock.ms))
    rows = list(connector.read(refund.granted_ms - 60_000, refund.granted_ms + 60_000))
    (given_back,) = [
        row for row in rows
        if row["event_type"] == "refund" and str(refund.number) in row["event_id"]
    ]  # fmt: skip
    bought = next(row for row in rows if row["event_id"] == str(sale.number))
    (line,) = given_back["lines"]
    assert given_back["order_id"] == bought["order_id"]
    assert (line["line"], line["item_id"]) in {
        (one["line"], one["item_id"]) for one in bought["lines"]
    }
    assert line["item_id"] == str(sale.lines[refund.line][0])


def test_a_record_that_is_read_again_says_the_same(setup: Setup, connector: Connector) -> None:
    """However an order goes on, its row stays equal, and so is known when it comes again."""
    first = {row["event_id"]: row for row in busy_hour(connector)}
    clock = setup.platform.clock
    clock.ms += HOUR_MS
    for sale in setup.platform.shop.sales:
        sale.changes.append(clock.ms)
    again = {row["event_id"]: row for row in connector.read(clock.ms - 60_000, clock.ms + 1_000)}
    assert first.keys() & again.keys()
    assert all(again[name] == row for name, row in first.items() if name in again)


@pytest.mark.parametrize("bad", ["500", "empty", "html", "429"])
def test_j2_an_error_on_a_page_is_an_error_and_never_an_empty_answer(
    bad: str, setup: Setup, connector: Connector
) -> None:
    """Nothing comes of a window of which one answer failed for good."""
    setup.platform.faults.script.extend(["ok", "ok", *[bad] * 4])
    with pytest.raises(PlatformTrouble):
        busy_hour(connector)
    assert setup.platform.faults.met == {bad: 4}


def test_j2_a_page_that_fails_is_asked_for_again(setup: Setup, connector: Connector) -> None:
    """500, then an empty body, then a page of HTML: the fourth try is taken."""
    setup.platform.faults.script.extend(["ok", "ok", "500", "empty", "html"])
    assert orders(busy_hour(connector)) == due(setup)


def test_the_platform_says_how_long_to_wait(setup: Setup, connector: Connector) -> None:
    """``Retry-After`` is honoured to the second, without a second of real waiting."""
    plain = setup.platform.clock.slept_s
    busy_hour(connector)
    pace = setup.platform.clock.slept_s - plain
    setup.platform.faults.script.extend(["429"])
    busy_hour(connector)
    assert setup.platform.clock.slept_s - plain - pace == pytest.approx(7 + pace, abs=0.5)


def test_an_expired_token_is_renewed_once(setup: Setup, connector: Connector) -> None:
    """And the call that found it is made again."""
    busy_hour(connector)
    before = setup.platform.renewals
    setup.platform.expire()
    assert orders(busy_hour(connector)) == due(setup)
    assert setup.platform.renewals == before + 1


def test_a_renewed_token_that_is_refused_ends_the_run_and_says_why(
    setup: Setup, connector: Connector
) -> None:
    """One renewal, no more; the sentence holds no secret."""
    setup.platform.is_locked = True
    with pytest.raises(CredentialsRefused, match="a renewed token is refused as well") as said:
        busy_hour(connector)
    assert setup.platform.renewals == 1
    for secret in (taobao.APP_SECRET, jd.APP_SECRET, rest.CLIENT_SECRET, "access-1", "refresh-1"):
        assert secret not in str(said.value)


def test_calls_keep_the_pace(setup: Setup, connector: Connector) -> None:
    """No more calls a second than the platform allows."""
    clock = setup.platform.clock
    started, calls = clock.ms, setup.platform.faults.calls
    busy_hour(connector)
    made = setup.platform.faults.calls - calls
    per_second = {"taobao": 10, "jd": 10, "till": 20}[setup.name]
    assert made <= 1 + per_second * (clock.ms - started) / 1_000 + 1
