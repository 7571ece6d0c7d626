"""What has been kept long enough goes by itself, and is counted."""

import time
from pathlib import Path
from typing import Any

from graph import audit, counts, users
from graph import events as stored
from graph.client import Graph
from graph.domain.events import EventType
from graph.domain.ids import DeviceId, UserId
from tests.factories import ANNA, told
from tests.privacy import everything
from workers.columns import empty, load, save
from workers.intake.deadletters import DeadLetters, Keeping
from workers.intake.letters import of_event
from workers.privacy.model_files import CACHE
from workers.privacy.retention import Retention
from workers.privacy.settings import PrivacySettings

DAY_MS = 86_400_000
NOW_MS = int(time.time() * 1_000)
"""Of this machine, since the stream dates dead letters by the server's clock."""


def swept(graph: Graph, redis_url: str, store: Path, *, days: int = 0, **changes: Any) -> Any:
    """A pass, so many days after now."""
    letters = DeadLetters(redis_url, Keeping(days=30))
    settings = PrivacySettings(**changes)
    clock = NOW_MS + days * DAY_MS
    return Retention(graph, letters, store, settings, clock=lambda: clock).run(by="test")


def lived(graph: Graph) -> None:
    """A view with words of the client, a search, an order and its return, of now."""
    now: dict[str, Any] = {"ts": NOW_MS, "received_ts": NOW_MS, "device_id": DeviceId("d_1")}
    graph.write(
        stored.record,
        [
            told("w|1", attributes='{"note": "blue"}', context='{"page": "/a"}', **now),
            told("w|2", EventType.SEARCH, item_id=None, query="boots", **now),
            told("w|3", EventType.PURCHASE, order_id="o", line=1, **now),
            told("w|4", EventType.REFUND, item_id=None, order_id="o", **now),
        ],
    )


def test_with_the_clock_moved_on_each_class_goes_in_its_time_and_is_counted(
    graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """Dead letters after 30 days, the client's words after 90, behaviour after two years."""
    lived(graph)
    letters = DeadLetters(redis_url)
    letters.add([of_event(told("w|9"), "graph_rejected", NOW_MS)])
    before = graph.read(counts.counts).relationships
    assert swept(graph, redis_url, tmp_path, days=29) == {}
    assert "blue" in str(graph.read(everything))
    assert swept(graph, redis_url, tmp_path, days=91)["payloads"] == 1
    assert "blue" not in str(graph.read(everything))
    assert graph.read(counts.counts).relationships == before
    report = swept(graph, redis_url, tmp_path, days=731)
    assert report == {
        "edges.PURCHASED": 1, "edges.REFUNDED": 1, "edges.RETURNED": 1, "edges.SEARCHED": 1,
        "edges.VIEWED": 1, "nodes.Device": 1, "nodes.Order": 1, "nodes.Query": 1, "nodes.User": 1,
    }  # fmt: skip
    assert graph.read(counts.counts).relationships == {}
    assert swept(graph, redis_url, tmp_path, days=731) == {}


def test_who_said_something_is_kept_and_who_came_back_too(
    graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """A denial must outlive the behaviour it is about."""
    lived(graph)
    graph.write(users.set_consent, ANNA, {"marketing": "denied"}, now_ms=NOW_MS)
    late = NOW_MS + 700 * DAY_MS
    ben = UserId("c_ben")
    graph.write(stored.record, [told("w|8", user_id=ben, ts=late, received_ts=late)])
    report = swept(graph, redis_url, tmp_path, days=731)
    assert "nodes.User" not in report
    assert graph.read(counts.counts).relationships["VIEWED"] == 1


def test_published_data_never_grows_old_and_pulled_arrays_go_with_their_edges(
    graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """A source that is named is left alone, as is a log's; arrays of edges that went go as well."""
    lived(graph)
    old = told("movielens|1", EventType.REVIEW, source="movielens", ts=1, received_ts=1, rating=4.0)
    graph.write(stored.record, [old])
    save(tmp_path / CACHE, empty())
    assert swept(graph, redis_url, tmp_path, days=9_000, kept_sources="app, web") == {}
    assert (tmp_path / CACHE).exists()
    taken = swept(graph, redis_url, tmp_path, days=9_000)
    assert taken["edges.VIEWED"] == 1
    assert "edges.REVIEWED" not in taken
    assert not (tmp_path / CACHE).exists()
    assert len(load(tmp_path / CACHE)) == 0


def test_each_pass_is_in_the_books(graph: Graph, redis_url: str, tmp_path: Path) -> None:
    """When, and by what."""
    swept(graph, redis_url, tmp_path)
    (entry,) = graph.read(audit.latest, 9)
    assert (entry.act, entry.by, entry.about, entry.at) == ("retention", "test", None, NOW_MS)
