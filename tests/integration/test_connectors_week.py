"""A made-up week on every platform: whatever goes wrong, each order is in the graph once."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from neo4j import ManagedTransaction

from graph.client import Graph
from tests.platforms.server import Platform
from tests.platforms.setups import KINDS, Setup, intake_settings, set_up
from tests.platforms.shop import BEGIN_MS, DAY_MS, HOUR_MS
from workers.connectors.connector import Clock
from workers.connectors.running import pull_if_due
from workers.ingest.consumer import Consumer
from workers.ingest.settings import IngestSettings
from workers.intake.bookmarks import Bookmarks


@pytest.fixture(params=KINDS)
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setup]:
    """Each connector beside its platform, on which much goes wrong."""
    with set_up(request.param, tmp_path) as one:
        one.platform.faults.every = 13
        one.platform.faults.stirs = True
        yield one


def bought(tx: ManagedTransaction) -> Counter[tuple[str, str, int, int]]:
    """Lines of orders in the graph: order, item, pieces, fen."""
    rows = tx.run(
        "MATCH (:User)-[p:PURCHASED]->(i:Item)"
        " RETURN p.order_id AS o, i.item_id AS i, p.quantity AS n, p.amount_minor AS fen"
    )
    return Counter((row["o"], row["i"], row["n"], row["fen"]) for row in rows)


def given_back(tx: ManagedTransaction) -> Counter[tuple[str, str]]:
    """Refunded lines in the graph: order, item."""
    rows = tx.run("MATCH (:User)-[r:REFUNDED]->(i:Item) RETURN r.order_id AS o, i.item_id AS i")
    return Counter((row["o"], row["i"]) for row in rows)


def sold(platform: Platform, name: str) -> Counter[tuple[str, str, int, int]]:
    """What there is to find."""
    return Counter(
        (str(sale.number), str(item), pieces, fen * (pieces if name == "jd" else 1))
        for sale in platform.shop.sales
        if sale.is_paid
        for item, pieces, fen in sale.lines
    )


def test_j1_after_a_week_of_faults_every_order_is_in_the_graph_exactly_once(
    setup: Setup, graph: Graph, redis_url: str
) -> None:
    """Pulled every four hours, half a day without the platform, and three tokens that expire."""
    platform, clock = setup.platform, setup.platform.clock
    fake = Clock(clock.now_ms, clock.sleep)
    bookmarks, intake = Bookmarks(redis_url), intake_settings(redis_url)
    gaps: list[float] = []
    for hour in range(0, 7 * 24 + 12, 4):
        clock.ms = max(clock.ms, BEGIN_MS + hour * HOUR_MS)
        platform.faults.is_down = 100 <= hour < 112
        if hour in (20, 60, 132):
            platform.expire()
        pull_if_due(setup.name, graph, setup.settings, intake, fake)
        progress = bookmarks.get(setup.name)
        assert progress is not None
        gaps.append(progress.gap_minutes(clock.ms))
    Consumer(graph, redis_url, IngestSettings()).drain()

    assert graph.read(bought) == sold(platform, setup.name)
    refunds = {
        (str(sale.number), str(sale.lines[one.line][0]))
        for sale, one in platform.shop.refunds(0, clock.ms)
    }
    assert graph.read(given_back) == Counter(refunds)
    assert refunds
    assert set(platform.faults.met) == {"429", "500", "empty", "html"}
    assert max(gaps) > 600
    assert gaps[-1] < 5
    progress = bookmarks.get(setup.name)
    assert progress is not None
    assert progress.problem is None
    assert progress.until_ms >= BEGIN_MS + 7 * DAY_MS
