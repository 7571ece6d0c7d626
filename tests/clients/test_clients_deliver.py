"""The server clients before the real API."""

import os
import uuid
from collections.abc import Iterator

import pytest
from neo4j import ManagedTransaction

from tests.browser.servers import wait_for
from tests.clients.conftest import Send
from workers.benchmarks.stack import Stack, running_stack
from workers.local.errors import LocalError

ELSEWHERE = ("NEO4J_URI", "NEO4J_USER", "NEO4J_PASSWORD", "REDIS_URL", "SHOPGRAPH_API_KEYS")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The real API on a real graph and stream."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ELSEWHERE:
            patch.delenv(name, raising=False)
        try:
            with running_stack(["api", "ingest"]) as found:
                yield found
        except LocalError as error:
            if os.environ.get("REQUIRE_SERVICES") == "1" or os.environ.get("CI"):
                pytest.fail(f"the services are required: {error}")
            pytest.skip(f"no services: {error}")


def test_every_event_is_in_the_graph_once_also_when_sent_twice(send: Send, stack: Stack) -> None:
    user = f"u-{uuid.uuid4()}"
    views = [
        {"event_id": str(uuid.uuid4()), "event_type": "view", "user_id": user, "item_id": f"i{i}"}
        for i in range(150)
    ]
    for view in views:
        view |= {"event_time": "2026-03-01T08:00:00Z", "source": "till"}
    url, key = f"http://127.0.0.1:{stack.target.port}", stack.target.key

    first, second = send(url, views, key=key), send(url, views, key=key)

    assert {row["status"] for row in first.rows} == {"accepted"}
    assert {row["status"] for row in second.rows} == {"duplicate"}
    wait_for(lambda: stack.graph.read(_edges, views) == 150, within_s=30, what="150 edges")


def test_a_faulty_event_is_told_in_its_place(send: Send, stack: Stack) -> None:
    good = {"event_type": "view", "user_id": "u-1", "item_id": "i"}
    faulty = {"event_type": "view", "user_id": "u-1"}

    sent = send(f"http://127.0.0.1:{stack.target.port}", [good, faulty, good], key=stack.target.key)

    assert [row["status"] for row in sent.rows] == ["accepted", "rejected", "accepted"]
    assert (sent.rows[1]["code"], sent.rows[1]["field"]) == ("missing_field", "item_id")


def test_a_wrong_key_is_refused(send: Send, stack: Stack) -> None:
    sent = send(f"http://127.0.0.1:{stack.target.port}", [{"event_type": "view"}], key="wrong")

    assert (sent.error, sent.status) == ("EventsRefused", 401)


def _edges(tx: ManagedTransaction, views: list[dict[str, str]]) -> int:
    record = tx.run(
        """
        MATCH ()-[fact:VIEWED]->()
        WHERE fact.event_id IN $event_ids
        RETURN count(fact) AS n
        """,
        event_ids=[f"till|{view['event_id']}" for view in views],
    ).single(strict=True)
    return int(record["n"])
