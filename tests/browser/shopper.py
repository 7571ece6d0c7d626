"""What the tests do in a browser, and what they count in the graph."""

import json
from collections import Counter
from typing import Any
from urllib.parse import urlencode

from neo4j import ManagedTransaction
from selenium.webdriver.chrome.webdriver import WebDriver

from graph.client import Graph
from tests.browser.servers import Shop, wait_for

GRANTED = {"consent": "granted"}


class Browser:
    """A browser with the shop open."""

    def __init__(self, driver: WebDriver, shop: Shop) -> None:
        self.driver = driver
        self.shop = shop

    def open(
        self,
        *,
        item: str | None = None,
        options: dict[str, Any] | None = GRANTED,
        origin: str | None = None,
    ) -> None:
        """
        Open a page of the shop and wait until its tracker is there.

        Args:
            options: what the tracker is made with; None: the page makes none.
        """
        query = {"options": "none" if options is None else json.dumps(options)}
        if item is not None:
            query["item"] = item
        self.driver.get(f"{origin or self.shop.origin}/page?{urlencode(query)}")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the page's script has run."""
        wait_for(lambda: self.run("return window.isReady === true"), what="the page's script")

    def open_tab(self, **how: Any) -> str:
        """Open the page in one more tab; its handle."""
        self.driver.switch_to.new_window("tab")
        self.open(**how)
        return str(self.driver.current_window_handle)

    def run(self, script: str, *values: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *values)

    def views(self, count: int, *, prefix: str = "item") -> list[str]:
        """Let the page make this many events; their ids."""
        made = self.run(
            "return Array.from({length: arguments[0]}, (_, i) => sg.cart(arguments[1] + '-' + i))",
            count,
            prefix,
        )
        assert isinstance(made, list)
        assert len(set(made)) == count
        assert None not in made
        return [str(one) for one in made]

    def stats(self) -> dict[str, int]:
        """What the tracker says of itself."""
        found = self.run("return sg.stats()")
        assert isinstance(found, dict)
        return found

    def wait_until_sent(self, *, within_s: float = 15.0) -> dict[str, int]:
        """Wait until nothing waits any more."""
        wait_for(lambda: self.stats()["queued"] == 0, within_s=within_s, what="an empty queue")
        return self.stats()

    def faults(self) -> list[str]:
        """What reached the page as an error."""
        found = self.run("return window.faults")
        assert isinstance(found, list)
        return found

    def go_offline(self, is_offline: bool = True) -> None:
        """Take the network away from this tab, or give it back."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        limits = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        how = {"offline": is_offline, **limits}
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", how)

    def before_every_page(self, script: str) -> None:
        """Run a script before any of this tab's pages runs its own."""
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})


class Collected:
    """What is in the graph, by the ids that the tracker gave."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def edges(self, event_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
        """The edges of each event."""
        found: dict[str, list[dict[str, Any]]] = {one: [] for one in event_ids}
        for row in self._graph.read(_edges, [f"web|{one}" for one in event_ids]):
            found[row["event_id"].split("|")[1]].append(row)
        return found

    def wait_for_all(self, event_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
        """Wait until every event is there, and see that none is there twice."""
        wait_for(
            lambda: all(self.edges(event_ids).values()), within_s=30, what="all edges in the graph"
        )
        found = self.edges(event_ids)
        assert Counter(len(edges) for edges in found.values()) == {1: len(event_ids)}
        return found


def _edges(tx: ManagedTransaction, event_ids: list[str]) -> list[dict[str, Any]]:
    rows = tx.run(
        """
        MATCH ()-[fact]->(thing)
        WHERE fact.event_id IN $event_ids AND type(fact) <> 'SAME_AS'
        RETURN fact.event_id AS event_id, type(fact) AS kind, properties(fact) AS facts,
               coalesce(thing.item_id, thing.text) AS thing
        """,
        event_ids=event_ids,
    )
    return [dict(row) for row in rows]
