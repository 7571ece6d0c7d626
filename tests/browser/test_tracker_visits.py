"""Who is told of, and what: consent first, then ids, views that last, and pages that return."""

import json
import time
from typing import Any

from selenium.webdriver.common.by import By

from tests.browser.servers import Proxy, wait_for
from tests.browser.shopper import Browser, Collected

UNASKED: dict[str, str] = {}
MINE = "return Object.keys(localStorage).filter((key) => key.startsWith('sg.'))"


def test_every_call_makes_an_event_that_the_server_takes(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    made = browser.run(
        """
        const lines = [{ item_id: 'a', quantity: 2 }, { item_id: 'b' }];
        return [
          sg.click('a', { recommendation_id: 'r-1', position: 3 }), sg.cart('a', { quantity: 2 }),
          sg.uncart('a', { quantity: 1 }), sg.favorite('a'), sg.unfavorite('a'), sg.inquiry('a'),
          sg.share('a', { channel: 'mail' }), sg.review('a', 4), sg.search('红'),
          sg.identify('u-every'), sg.view('a'), sg.purchase('o-1', lines), sg.refund('o-1'),
          sg.impression(['a', { item_id: 'b', position: 5 }], { recommendation_id: 'r-1' }),
        ];
        """
    )
    assert None not in made
    assert len(set(made)) == 14
    browser.run("sg.page()")  # the view ends

    assert browser.wait_until_sent() == {"delivered": 14, "refused": 0, "queued": 0, "dropped": 0}
    collected.wait_for_all(made[:9])
    assert browser.faults() == []


def test_events_of_a_driven_browser_are_stored_and_flagged(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    made = browser.views(1)

    facts = collected.wait_for_all(made)[made[0]][0]["facts"]

    assert facts["flags"] == ["bot"]


def test_until_somebody_was_asked_nothing_leaves_memory(browser: Browser, proxy: Proxy) -> None:
    browser.open(item="one", options=UNASKED)
    browser.views(60)
    browser.run("return sg.flush()")
    time.sleep(1)
    browser.driver.get("about:blank")
    time.sleep(1)

    assert proxy.posts == []
    browser.open(options=None)
    assert browser.run(MINE) == []


def test_once_granted_it_is_sent_with_the_times_at_which_it_happened(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(options=UNASKED)
    started = browser.run("return Date.now()")
    made = browser.views(5)
    made_by = browser.run("return Date.now()")
    time.sleep(1.5)

    browser.run("sg.consent({ collection: 'granted', marketing: 'denied' })")

    browser.wait_until_sent()
    for edges in collected.wait_for_all(made).values():
        assert started <= edges[0]["facts"]["ts"] <= made_by
    sent = [row for post in proxy.posts for row in post.body["events"]]
    assert [row["consent"] for row in sent] == [
        {"collection": "granted", "marketing": "denied"}
    ] * 5


def test_a_grant_is_remembered_by_the_next_page(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    browser.open(options=UNASKED)

    collected.wait_for_all(browser.views(3))


def test_a_denial_wipes_the_queue_and_the_ids_and_stops(browser: Browser, proxy: Proxy) -> None:
    proxy.is_down = True
    browser.open(item="one", options={"consent": "granted", "flushMs": 60_000})
    browser.views(20)

    browser.run("sg.consent('denied')")

    assert browser.run("return sg.cart('later')") is None
    assert browser.run("return sg.identify('u-1')") is None
    assert browser.run("return sg.ids()") is None
    assert browser.stats()["queued"] == 0
    assert browser.run(MINE) == ["sg.consent"]
    proxy.good()
    browser.driver.get("about:blank")
    browser.open(item="two", options=UNASKED)
    browser.run("return sg.flush()")
    time.sleep(0.5)
    assert proxy.posts == []


def test_a_denial_in_one_tab_stops_the_others(browser: Browser, proxy: Proxy) -> None:
    browser.open(options={"consent": "granted", "flushMs": 60_000})
    first = browser.driver.current_window_handle
    browser.views(5)
    browser.open_tab(options=UNASKED)

    browser.run("sg.consent('denied')")

    browser.driver.switch_to.window(first)
    wait_for(lambda: browser.run("return sg.cart('later')") is None, what="the news of the denial")
    assert browser.run(MINE) == ["sg.consent"]


def test_a_login_joins_the_visitor_and_a_logout_starts_another(
    browser: Browser, proxy: Proxy
) -> None:
    browser.open()
    browser.views(1, prefix="before")
    browser.run("sg.identify('u-1')")
    assert browser.run("return sg.identify('u-1')") is None  # known already
    browser.views(1, prefix="in")
    browser.run("sg.logout()")
    browser.views(1, prefix="out")
    browser.wait_until_sent()

    before, login, within, out = _rows(proxy)
    assert before["anonymous_id"] == login["anonymous_id"] == within["anonymous_id"]
    assert "user_id" not in before
    assert login["user_id"] == within["user_id"] == "u-1"
    assert "user_id" not in out
    assert out["anonymous_id"] != before["anonymous_id"]
    assert out["session_id"] != before["session_id"]


def test_another_login_on_the_same_device_is_another_visitor(
    browser: Browser, proxy: Proxy
) -> None:
    browser.open()
    browser.run("sg.identify('u-1'); sg.identify('u-2')")
    browser.wait_until_sent()

    first, second = _rows(proxy)
    assert [first["user_id"], second["user_id"]] == ["u-1", "u-2"]
    assert first["anonymous_id"] != second["anonymous_id"]


def test_visitor_and_session_stay_over_pages(browser: Browser, proxy: Proxy) -> None:
    browser.open()
    first = browser.run("return sg.ids()")
    browser.open(options=UNASKED)

    assert browser.run("return sg.ids()") == first


def test_a_session_ends_after_half_an_idle_hour(browser: Browser) -> None:
    browser.open()
    first = browser.run("return sg.ids()")
    browser.run("const now = Date.now; Date.now = () => now() + 31 * 60e3")

    second = browser.run("return sg.ids()")

    assert second["visitor"] == first["visitor"]
    assert second["session"] != first["session"]


def test_pages_tell_their_views_with_dwell_time_and_click_depth(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    how = {"consent": "granted", "dwellMs": 20_000}
    browser.open(item="one", options=how)
    time.sleep(1.2)
    browser.open(item="two", options=how)
    browser.open(options=how)
    wait_for(lambda: len(_rows(proxy)) >= 2, what="both views")
    browser.wait_until_sent()

    views = {row["item_id"]: row for row in _rows(proxy)}
    assert 1_200 <= views["one"]["dwell_ms"] < 8_000
    assert [views[i]["attributes"]["click_depth"] for i in ("one", "two")] == [1, 2]
    one = views["one"]["event_id"]
    facts = collected.wait_for_all([one])[one][0]["facts"]
    assert facts["dwell_ms"] == views["one"]["dwell_ms"]
    assert json.loads(facts["attributes"]) == {"click_depth": 1}


def test_clicks_on_marked_items_are_told_by_themselves(browser: Browser, proxy: Proxy) -> None:
    browser.open()
    browser.driver.find_element(By.ID, "tip").click()
    browser.wait_until_sent()

    (row,) = _rows(proxy)
    assert (row["event_type"], row["item_id"], row["position"]) == ("click", "tip", 2)
    assert row["recommendation_id"] == "r-1"


def test_a_page_back_out_of_the_cache_is_viewed_again(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(item="cached")
    browser.run("window.mark = 'kept'")
    browser.driver.find_element(By.ID, "next").click()
    wait_for(lambda: browser.run("return location.search") == "?item=next", what="the next page")
    browser.wait_until_ready()

    browser.driver.back()

    assert browser.run("return window.mark") == "kept"  # it really came out of the cache
    made = browser.views(3, prefix="after")
    browser.run("sg.page()")
    browser.wait_until_sent()
    collected.wait_for_all(made)
    viewed = {row["event_id"] for row in _rows(proxy) if row.get("item_id") == "cached"}
    assert len(viewed) >= 2
    assert browser.faults() == []


def _rows(proxy: Proxy) -> list[dict[str, Any]]:
    """The events that were posted, each once, in the order in which they happened."""
    rows = {row["event_id"]: row for post in proxy.posts for row in post.body["events"]}
    return sorted(rows.values(), key=lambda row: row["event_time"])
