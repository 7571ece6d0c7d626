"""What a page tells arrives, each event once, whatever happens on the way."""

from tests.browser.servers import Proxy
from tests.browser.shopper import Browser, Collected


def test_every_event_of_a_page_is_in_the_graph_once(
    browser: Browser, proxy: Proxy, collected: Collected
) -> None:
    browser.open()
    made = browser.views(120)

    assert browser.wait_until_sent() == {"delivered": 120, "refused": 0, "queued": 0, "dropped": 0}
    collected.wait_for_all(made)
    assert {post.method for post in proxy.posts} == {"POST"}  # no preflight
    assert browser.faults() == []
