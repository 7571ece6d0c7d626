"""The queue: it outlives pages and tabs, keeps within its bounds, and manages without storage."""

import urllib.request
from collections import Counter
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException

from tests.browser.servers import Proxy, wait_for
from tests.browser.shopper import Browser, Collected
from workers.benchmarks.stack import Stack
from workers.local.secrets import load_secrets

SLOWLY = {"consent": "granted", "flushMs": 60_000}
FORBIDDEN = """
Object.defineProperty(window, 'localStorage', {
  get() { throw new DOMException('The operation is insecure.', 'SecurityError'); },
});
"""
FULL = """
Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };
"""
NO_LOCKS = "Object.defineProperty(navigator, 'locks', { value: undefined });"


def test_l1_a_full_queue_drops_its_oldest_and_says_how_many(
    browser: Browser, proxy: Proxy, collected: Collected, stack: Stack
) -> None:
    before = _told_dropped(stack)
    browser.open()
    proxy.is_down = True
    made = [one for part in range(10) for one in browser.views(500, prefix=str(part))]
    assert browser.stats() == {"delivered": 0, "refused": 0, "queued": 1000, "dropped": 4000}
    assert browser.run("localStorage.setItem('mine', 'x'); return localStorage.mine") == "x"

    proxy.is_down = False

    stats = browser.wait_until_sent(within_s=30)
    assert stats == {"delivered": 1000, "refused": 0, "queued": 0, "dropped": 0}
    assert _told_dropped(stack) - before == 4000
    # What was just being sent when the queue was full is not dropped for what is newer.
    collected.wait_for_all(made[-500:])
    stored = wait_for(lambda: _stored(collected, made), what="a thousand events in the graph")
    assert [len(edges) for edges in stored] == [1] * 1000
    assert browser.faults() == []


def test_l4_events_made_offline_arrive_from_the_next_page_with_their_true_times(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    browser.go_offline()
    proxy.is_down = True  # Chromium lets a beacon through where the tab alone is offline
    made = browser.views(5)
    now = browser.run("return Date.now()")
    browser.driver.get("about:blank")
    proxy.good()
    browser.go_offline(False)

    browser.open()

    browser.wait_until_sent()
    found = collected.wait_for_all(made)
    for edges in found.values():
        assert now - 5_000 < edges[0]["facts"]["ts"] <= now


def test_what_a_killed_tab_had_not_sent_is_sent_by_the_next(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    first = browser.driver.current_window_handle
    browser.open_tab(options=SLOWLY)
    made = browser.views(40)
    viewed = browser.run("return sg.view('seen')")
    with pytest.raises(WebDriverException, match="crashed"):
        browser.driver.execute_cdp_cmd("Page.crash", {})
    assert proxy.posts == []

    browser.driver.switch_to.window(first)
    browser.open(options={"consent": "granted", "dwellMs": -4_000})

    browser.wait_until_sent()
    found = collected.wait_for_all([*made, viewed])
    assert "dwell_ms" not in found[viewed][0]["facts"]


def test_a5_two_tabs_share_one_queue_and_send_it_once(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    proxy.is_down = True
    browser.open(options=SLOWLY)
    first = browser.driver.current_window_handle
    made = browser.views(60, prefix="first")
    browser.open_tab(options=SLOWLY)
    made += browser.views(60, prefix="second")
    assert browser.stats()["queued"] == 120
    proxy.good()
    proxy.delay_s = 0.3
    # A tab that is left hands its events over once more: not what is looked at here.
    browser.run("navigator.sendBeacon = () => true")

    _flush_in_both(browser, first)

    posted = Counter(one for post in proxy.posts for one in post.event_ids)
    assert posted == dict.fromkeys(made, 1)
    collected.wait_for_all(made)


def test_a5_two_tabs_without_locks_double_nothing_in_the_graph(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    proxy.is_down = True
    browser.before_every_page(NO_LOCKS)
    browser.open(options=SLOWLY)
    first = browser.driver.current_window_handle
    made = browser.views(60, prefix="first")
    browser.driver.switch_to.new_window("tab")
    browser.before_every_page(NO_LOCKS)
    browser.open(options=SLOWLY)
    made += browser.views(60, prefix="second")
    proxy.good()
    proxy.delay_s = 0.3

    _flush_in_both(browser, first)

    collected.wait_for_all(made)


def test_a_full_storage_disturbs_nobody_and_loses_nothing(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(options=None)
    browser.run(
        """
        let size = 1 << 20, n = 0;
        while (size) {
          try { localStorage.setItem('shop' + n++, 'x'.repeat(size)); } catch { size >>= 1; }
        }
        window.sg = create({ consent: 'granted' });
        """
    )
    made = browser.views(50)

    browser.wait_until_sent()
    collected.wait_for_all(made)
    assert browser.run("return localStorage.shop0.length") == 1 << 20
    assert browser.faults() == []


@pytest.mark.parametrize("trouble", [FORBIDDEN, FULL], ids=["on access", "on write"])
def test_l8_storage_that_throws_is_done_without(
    trouble: str, browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.before_every_page(trouble)
    browser.open()
    made = browser.views(50)
    browser.wait_until_sent()
    made += browser.views(10, prefix="last")

    browser.driver.get("about:blank")

    collected.wait_for_all(made)


def test_l8_storage_that_throws_brings_no_error_into_the_page(browser: Browser) -> None:
    browser.before_every_page(FORBIDDEN)
    browser.open(item="one")
    browser.run("sg.identify('u-1'); sg.logout(); sg.consent('denied'); sg.close()")

    assert browser.faults() == []


def test_large_events_never_fill_the_shops_storage(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    proxy.is_down = True
    browser.open(options=SLOWLY)
    made = browser.run(
        """
        const note = 'é'.repeat(3900);
        return Array.from({ length: 400 }, () => sg.cart('large', { attributes: { note } }));
        """
    )
    used = browser.run("return Object.entries(localStorage).flat().join('').length")
    assert used < 1_100_000

    proxy.good()
    browser.run("return sg.flush()")

    browser.wait_until_sent(within_s=40)
    collected.wait_for_all(made)
    assert max(post.size for post in proxy.posts) < 60_000


def test_at_the_exit_no_beacon_has_more_than_60_kb(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(options=SLOWLY)
    made = browser.run("return Array.from({ length: 300 }, () => sg.cart('颜色/红'))")
    browser.driver.get("about:blank")
    wait_for(lambda: proxy.posts, what="a beacon")
    assert 50_000 < proxy.posts[0].size < 60_000
    assert len(proxy.posts[0].event_ids) < 300

    browser.open()

    # What no beacon took waited for this page.
    browser.wait_until_sent()
    collected.wait_for_all(made)


def test_an_event_that_no_body_could_hold_is_refused_at_once(
    browser: Browser, proxy: Proxy
) -> None:
    browser.open()
    browser.run("sg.cart('x', { attributes: { note: 'x'.repeat(60_000) } })")

    assert browser.stats() == {"delivered": 0, "refused": 1, "queued": 0, "dropped": 0}


def _flush_in_both(browser: Browser, first: str) -> None:
    browser.run("sg.flush()")
    browser.driver.switch_to.window(first)
    browser.run("return sg.flush()")
    browser.wait_until_sent()


def _stored(collected: Collected, made: list[str]) -> list[list[dict[str, Any]]] | None:
    found = [edges for edges in collected.edges(made).values() if edges]
    return found if len(found) >= 1000 else None


def _told_dropped(stack: Stack) -> float:
    request = urllib.request.Request(f"http://127.0.0.1:{stack.target.port}/metrics")
    request.add_header("X-API-Key", load_secrets(stack.home).admin_key)
    with urllib.request.urlopen(request) as response:
        lines = response.read().decode().splitlines()
    values = [line.split()[-1] for line in lines if line.startswith("shopgraph_tracker_dropped_to")]
    return sum(map(float, values))
