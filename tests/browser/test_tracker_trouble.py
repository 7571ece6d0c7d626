"""The way to the API fails, in each of the ways it can; what was told still arrives, once."""

import time

from selenium.webdriver.common.by import By

from tests.browser.servers import Answer, Proxy, wait_for
from tests.browser.shopper import Browser, Collected


def test_events_made_offline_arrive_when_the_network_is_back(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    browser.go_offline()
    made = browser.views(30)
    browser.run("return sg.flush()")
    assert browser.stats()["queued"] == 30

    browser.go_offline(False)

    browser.wait_until_sent()
    collected.wait_for_all(made)
    assert browser.faults() == []


def test_after_an_error_of_the_server_the_same_events_are_sent_again(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    proxy.answer = Answer(500)
    made = browser.views(20)
    wait_for(lambda: len(proxy.posts) >= 2, what="a second try")

    proxy.answer = None

    browser.wait_until_sent()
    collected.wait_for_all(made)
    first, last = proxy.posts[0].body, proxy.posts[-1].body
    assert first["events"] == last["events"]
    assert first["sent_at"] < last["sent_at"]


def test_a_slow_server_is_asked_again_and_doubles_nothing(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    proxy.delay_s = 2.5  # longer than the page waits
    made = browser.views(20)
    wait_for(lambda: len(proxy.posts) >= 2, what="a second try")

    proxy.delay_s = 0.5

    browser.wait_until_sent()
    collected.wait_for_all(made)


def test_answers_that_get_lost_double_nothing(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    proxy.loses_answers = True
    made = browser.views(20)
    wait_for(lambda: len(proxy.posts) >= 3, what="a third try")

    proxy.loses_answers = False

    assert browser.wait_until_sent()["delivered"] == 20
    collected.wait_for_all(made)


def test_retry_after_is_honoured_by_the_page_and_by_the_next_one(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    proxy.answer = Answer(429, {"Retry-After": "3"})
    made = browser.views(5)
    told = wait_for(lambda: proxy.posts, what="a first try")[0].at

    proxy.answer = None
    browser.open()

    browser.wait_until_sent()
    assert len(proxy.posts) == 2
    assert proxy.posts[1].at - told >= 2.9
    collected.wait_for_all(made)


def test_a_refused_beacon_leaves_all_to_the_next_page(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(options={"consent": "granted", "flushMs": 60_000})
    browser.run("navigator.sendBeacon = () => false; window.fetch = () => Promise.reject(Error())")
    made = browser.views(10)
    browser.open(options=None)
    assert proxy.posts == []

    browser.open()

    browser.wait_until_sent()
    collected.wait_for_all(made)


def test_a_refused_beacon_becomes_a_fetch_that_outlives_the_page(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(options={"consent": "granted", "flushMs": 60_000})
    browser.run("navigator.sendBeacon = () => false")
    made = browser.views(10)

    browser.driver.get("about:blank")

    wait_for(lambda: proxy.posts, what="the fetch of the page that was left")
    collected.wait_for_all(made)


def test_a_wrong_origin_is_refused_and_asked_for_with_growing_pauses_only(
    browser: Browser, proxy: Proxy
) -> None:
    elsewhere = browser.shop.origin.replace("127.0.0.1", "localhost")
    options = {"consent": "granted", "retryMs": 200, "maxRetryMs": 60_000}
    browser.open(origin=elsewhere, options=options)
    browser.views(20)

    time.sleep(5)

    # Pauses of at least 100, 200, 400, 800, 1600 and 3200 ms.
    assert 2 <= len(proxy.posts) <= 6
    assert {post.status for post in proxy.posts} == {403}
    assert browser.stats() == {"delivered": 0, "refused": 0, "queued": 20, "dropped": 0}
    assert browser.faults() == []


def test_a_wrong_key_is_tried_once_a_page_and_the_events_wait_for_the_right_one(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open(options={"consent": "granted", "key": "wrong"})
    made = browser.views(5)
    wait_for(lambda: proxy.posts, what="a first try")
    browser.views(60, prefix="more")
    time.sleep(1)
    assert [post.status for post in proxy.posts] == [401]
    assert browser.run("return told") == [
        "Error: nothing is taken from this page: key_wrong",
    ]

    browser.open()

    browser.wait_until_sent()
    collected.wait_for_all(made)


def test_an_answer_that_is_not_ours_confirms_nothing(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    proxy.answer = Answer(200, {"Content-Type": "text/html"}, b"<h1>Welcome to our WLAN</h1>")
    made = browser.views(5)
    wait_for(lambda: len(proxy.posts) >= 2, what="a second try")

    proxy.answer = None

    browser.wait_until_sent()
    collected.wait_for_all(made)


def test_a_row_that_is_refused_takes_no_other_along(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    made = browser.views(3)
    browser.run("sg.cart('undefined'); sg.cart(undefined)")
    made += browser.views(3, prefix="after")

    assert browser.wait_until_sent() == {"delivered": 6, "refused": 2, "queued": 0, "dropped": 0}
    collected.wait_for_all(made)
    assert sorted(browser.run("return told")) == [
        "Error: event refused: invalid_id item_id",
        "Error: event refused: missing_field item_id",
    ]


def test_a_body_that_is_too_large_for_the_server_is_sent_in_halves(
    browser: Browser, proxy: Proxy
) -> None:
    browser.open(options={"consent": "granted", "flushMs": 60_000})
    browser.views(40)
    proxy.answer = Answer(413)

    browser.run("return sg.flush()")

    # Each event was offered alone in the end, and none of them twice.
    assert browser.stats() == {"delivered": 0, "refused": 40, "queued": 0, "dropped": 0}
    alone = [post.event_ids[0] for post in proxy.posts if len(post.event_ids) == 1]
    assert len(alone) == len(set(alone)) == 40


def test_l2_events_of_a_tab_that_closes_arrive_without_a_preflight(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    first = browser.driver.current_window_handle
    browser.open_tab(options={"consent": "granted", "flushMs": 60_000})
    made = browser.views(50)

    browser.driver.close()

    browser.driver.switch_to.window(first)
    wait_for(lambda: proxy.posts, what="the beacon")
    assert {post.method for post in proxy.posts} == {"POST"}
    assert proxy.posts[0].content_type.startswith("text/plain")
    collected.wait_for_all(made)


def test_l7_with_a_wrong_host_the_page_stays_responsive(browser: Browser, proxy: Proxy) -> None:
    nowhere = {"consent": "granted", "host": "http://127.0.0.1:9", "maxRetryMs": 60_000}
    browser.open(options=nowhere)
    browser.run(
        """
        window.tries = 0;
        const real = window.fetch;
        window.fetch = (...all) => (tries++, real(...all));
        """
    )
    browser.views(200)
    time.sleep(4)

    assert browser.run("return tries") <= 6
    started = time.monotonic()
    browser.driver.find_element(By.ID, "tip").click()
    assert time.monotonic() - started < 1.0
    assert browser.faults() == []


def test_l7_a_blocked_script_leaves_the_shop_working(browser: Browser, proxy: Proxy) -> None:
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*tracker.js*"]})
    browser.driver.get(f"{browser.shop.origin}/page")
    assert browser.run("return typeof sg") == "undefined"

    browser.driver.find_element(By.ID, "next").click()

    assert browser.driver.current_url.endswith("item=next")
