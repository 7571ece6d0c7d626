"""What a page tells by itself: views with dwell time and click depth, clicks on tips."""

import time
from collections.abc import Callable
from typing import Any

from selenium.webdriver.common.by import By

from tests.browser.servers import Proxy, wait_for
from tests.browser.shopper import Browser, Collected

LONG = {"consent": "granted", "dwellMs": 60_000}
LEAVE_AND_RETURN = """
for (const type of ['pagehide', 'pageshow']) {
  dispatchEvent(new PageTransitionEvent(type, { persisted: true }));
}
"""


def _rows(proxy: Proxy, kind: str) -> list[dict[str, Any]]:
    rows = [row for post in proxy.posts for row in post.body["events"]]
    return [row for row in rows if row["event_type"] == kind]


def test_a_page_of_an_item_tells_its_view_when_it_is_left(browser: Browser, proxy: Proxy) -> None:
    browser.open(item="颜色/红", options=LONG)
    browser.run("return new Promise((done) => setTimeout(done, 1200))")
    assert _rows(proxy, "view") == []

    browser.driver.get("about:blank")

    view = wait_for(lambda: _rows(proxy, "view"), what="the view")[0]
    assert view["item_id"] == "颜色/红"
    assert 1_000 <= view["dwell_ms"] < 10_000
    assert view["context"]["page"] == "/page"


def test_a_view_that_lasts_is_told_after_the_longest_dwell_time_and_once(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(item="one", options={"consent": "granted", "dwellMs": 500})
    wait_for(lambda: _rows(proxy, "view"), what="the view")

    browser.driver.get("about:blank")
    browser.open()

    browser.wait_until_sent()
    ids = {row["event_id"] for row in _rows(proxy, "view")}
    assert len(ids) == 1
    collected.wait_for_all([*ids])


def test_click_depth_counts_the_views_of_a_session(browser: Browser, proxy: Proxy) -> None:
    for item in ("one", "two", "three"):
        browser.open(item=item, options=LONG)
    browser.run("sg.view('four'); sg.page()")

    browser.run("sg.close()")

    # By their ids: a page that is left tells what it has told before.
    wait_for(lambda: len({row["event_id"] for row in _rows(proxy, "view")}) >= 5, what="the views")
    depths = {row["item_id"]: row["attributes"]["click_depth"] for row in _rows(proxy, "view")}
    assert depths == {"one": 1, "two": 2, "three": 5, "four": 4}


def test_a_page_out_of_the_back_forward_cache_is_a_new_view(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    # A page that is just sending holds a lock, and the cache takes no such page.
    browser.open(item="one", options={**LONG, "flushMs": 60_000})
    browser.run("window.sign = 'kept'")
    made = browser.views(5)
    browser.driver.find_element(By.ID, "next").click()
    wait_for(lambda: browser.run("return location.search") == "?item=next", what="the next page")
    browser.wait_until_ready()
    browser.driver.back()
    item = "one"
    if not _is_within(3, lambda: browser.run("return window.sign") == "kept"):
        # The cache is the browser's to give, and it gives none on a machine that is short of
        # anything; then the page is told what it would be told.
        item = "again"
        browser.open(item=item, options={**LONG, "flushMs": 60_000})
        browser.run(LEAVE_AND_RETURN)

    made += browser.views(5, prefix="after")
    browser.driver.get("about:blank")

    wait_for(lambda: len(_views_of(item, proxy)) == 2, what="two views")
    collected.wait_for_all(made)


def _views_of(item: str, proxy: Proxy) -> set[str]:
    return {row["event_id"] for row in _rows(proxy, "view") if row["item_id"] == item}


def _is_within(seconds: float, is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.1)
    return False


def test_a_click_on_a_tip_names_the_answer_and_the_place(browser: Browser, proxy: Proxy) -> None:
    browser.open()

    browser.driver.find_element(By.ID, "tip").click()

    browser.wait_until_sent()
    click = _rows(proxy, "click")[0]
    assert (click["item_id"], click["recommendation_id"], click["position"]) == ("tip", "r-1", 2)


def test_there_is_one_call_for_each_type(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(options={"consent": "granted", "source": "web"})
    made = browser.run(
        """
        const calls = ['click', 'view', 'cart', 'uncart', 'favorite', 'unfavorite', 'inquiry',
          'share'].map((name) => sg[name]('i-1'));
        return [...calls, sg.review('i-1', 4.5), sg.search('red shoes'),
          sg.impression(['i-1', 'i-2'], { recommendation_id: 'r-9' }), sg.identify('u-9'),
          sg.purchase('o-9', [{ item_id: 'i-1', quantity: 2, price_minor: 500, currency: 'EUR' }]),
          sg.refund('o-9'), sg.page()];
        """
    )

    stats = browser.wait_until_sent()

    assert stats["refused"] == 0
    assert made.pop() is None  # this page shows no item
    wait_for(lambda: browser.stats()["delivered"] == 14, what="all fourteen")
    assert len({row["event_type"] for post in proxy.posts for row in post.body["events"]}) == 14
    collected.wait_for_all(made[:10])
