"""One stored browser queue that is sent again a thousand times."""

import time
from collections import Counter

from graph import counts
from graph.client import Graph
from workers.ingest.consumer import Consumer
from workers.ingest.settings import IngestSettings
from workers.intake.consent import ConsentCopy
from workers.intake.door import Door
from workers.intake.intake import Intake
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Caller, Status
from workers.intake.stream import EventStream

NOW = 1_772_352_000_000
EVENTS = 20
REPLAYS = 1_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))
QUEUE = [
    {
        "event_id": f"e{number}",
        "event_type": "view",
        "anonymous_id": "a-17",
        "item_id": f"SKU-{number}",
        "event_time": "2026-03-01T08:00:00Z",
    }
    for number in range(EVENTS)
]


def test_a5_a_browser_queue_replayed_a_thousand_times_is_one_edge_per_event(
    graph: Graph, redis_url: str
) -> None:
    """Each repeat is told and counted, nothing piles up, and the last is as quick as the first."""
    ConsentCopy(redis_url).load({})
    stream = EventStream(redis_url, pseudonyms=PSEUDONYMS)
    intake = Intake(Door(PSEUDONYMS), stream, consent=ConsentCopy(redis_url))
    consumer = Consumer(graph, redis_url, IngestSettings(block_ms=1))
    told: Counter[Status] = Counter()
    spent_s = []
    for replay in range(REPLAYS):
        began = time.process_time()
        results = intake.take(QUEUE, Caller("web"), received_ms=NOW + replay)
        spent_s.append(time.process_time() - began)
        told.update(result.status for result in results)
        if replay % 250 == 0:
            consumer.drain()
    assert told == {Status.ACCEPTED: EVENTS, Status.DUPLICATE: EVENTS * (REPLAYS - 1)}
    assert (stream.depth(), stream.backlog_bytes()) == (0, 0)
    assert graph.read(counts.counts).relationships["VIEWED"] == EVENTS
    first, last = sorted(spent_s[:200])[100], sorted(spent_s[-200:])[100]
    assert last < 3 * first


def test_a5_repeats_that_get_past_the_door_are_found_in_the_graph(
    graph: Graph, redis_url: str
) -> None:
    """An import looks for no repeats; the graph has each event once all the same."""
    stream = EventStream(redis_url, pseudonyms=PSEUDONYMS)
    consumer = Consumer(graph, redis_url, IngestSettings(block_ms=1))
    events = Door(PSEUDONYMS).check(QUEUE, default_source="web", received_ms=NOW).events
    for _ in range(REPLAYS):
        stream.append(events)
    consumer.drain()
    assert (stream.depth(), stream.backlog_bytes()) == (0, 0)
    assert graph.read(counts.counts).relationships["VIEWED"] == EVENTS
