"""Who it was, and what they allowed: ids, log-in and log-out, consent."""

import time
from typing import Any

import pytest

from tests.browser.servers import Proxy, wait_for
from tests.browser.shopper import Browser, Collected


def _rows(proxy: Proxy) -> list[dict[str, Any]]:
    return [row for post in proxy.posts for row in post.body["events"]]


def test_without_an_answer_about_consent_nothing_leaves_memory(
    browser: Browser, proxy: Proxy
) -> None:
    browser.open(options={})
    browser.views(60)
    browser.run("return sg.flush()")
    assert browser.run("return localStorage.length") == 0

    browser.driver.get("about:blank")
    time.sleep(1)

    assert proxy.posts == []


def test_what_was_done_before_consent_is_sent_after_it_with_its_true_time(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(options={})
    made = browser.views(10)
    now = browser.run("return Date.now()")
    time.sleep(1.5)

    browser.run("sg.consent({ collection: 'granted', personalisation: 'denied' })")

    browser.wait_until_sent()
    for edges in collected.wait_for_all(made).values():
        assert now - 2_000 < edges[0]["facts"]["ts"] <= now
    said = {"collection": "granted", "personalisation": "denied"}
    told = [row["consent"] for row in _rows(proxy)]
    assert all(one | said == one for one in told)
    assert len({one["at"] for one in told}) == 1, "when it was decided, whenever it is told"


def test_a_choice_is_known_to_the_next_page(browser: Browser, proxy: Proxy) -> None:
    browser.open(options={})
    browser.run("sg.consent('granted')")

    browser.open(options={})
    browser.views(1)

    browser.wait_until_sent()


def test_denial_wipes_the_queue_and_stops_every_tab(browser: Browser, proxy: Proxy) -> None:
    proxy.is_down = True
    browser.open(options={"consent": "granted", "flushMs": 60_000})
    first = browser.driver.current_window_handle
    browser.views(20)
    browser.open_tab(options={})
    proxy.good()
    browser.run("sg.identify('u-1'); sg.view('seen'); sg.consent('denied')")

    assert browser.run("return Object.keys(localStorage)") == ["sg.consent"]
    assert (
        browser.run("return [sg.cart('x'), sg.view('x'), sg.identify('u'), sg.ids()]") == [None] * 4
    )
    browser.driver.switch_to.window(first)
    wait_for(lambda: browser.run("return sg.cart('x')") is None, what="the denial in the other tab")
    assert browser.stats()["queued"] == 0
    browser.driver.get("about:blank")
    time.sleep(0.5)
    assert _rows(proxy) == []


def test_after_a_log_in_events_name_the_customer_and_a_log_out_makes_a_new_visitor(
    browser: Browser, proxy: Proxy
) -> None:
    browser.open()
    before = browser.run("return sg.ids()")
    browser.run("sg.cart('a'); sg.identify('u-1'); sg.identify('u-1'); sg.cart('b'); sg.logout()")
    after = browser.run("return sg.ids()")
    browser.run("sg.cart('c')")

    browser.wait_until_sent()
    told = [
        (row["event_type"], row.get("item_id"), row.get("user_id"), row["anonymous_id"])
        for row in _rows(proxy)
    ]
    assert told == [
        ("cart", "a", None, before["visitor"]),
        ("identify", None, "u-1", before["visitor"]),
        ("cart", "b", "u-1", before["visitor"]),
        ("cart", "c", None, after["visitor"]),
    ]
    assert before["visitor"] != after["visitor"]
    assert before["session"] != after["session"]


def test_another_customer_on_the_same_device_is_another_visitor(
    browser: Browser, proxy: Proxy
) -> None:
    browser.open()
    browser.run("sg.identify('u-1'); sg.identify('u-2')")

    browser.wait_until_sent()
    first, second = _rows(proxy)
    assert first["anonymous_id"] != second["anonymous_id"]


def test_visitor_and_session_stay_over_pages_and_the_session_ends_after_half_an_hour(
    browser: Browser, proxy: Proxy
) -> None:
    browser.open()
    first = browser.run("return sg.ids()")
    browser.open()
    assert browser.run("return sg.ids()") == first

    later = browser.run("const now = Date.now(); Date.now = () => now + 31 * 60e3; return sg.ids()")

    assert later["visitor"] == first["visitor"]
    assert later["session"] != first["session"]


def test_a_driven_browser_is_stored_and_flagged(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    made = browser.views(1)

    browser.wait_until_sent()

    edge = collected.wait_for_all(made)[made[0]][0]
    assert edge["facts"]["flags"] == ["bot"]


@pytest.mark.parametrize("call", ["sg.purchase('o')", "sg.impression(7)", "sg.search(7)"])
def test_a_wrong_call_is_told_and_never_thrown(call: str, browser: Browser) -> None:
    browser.open()

    assert browser.run(f"return {call}") is None

    assert browser.run("return told.length") == 1
    assert browser.faults() == []
