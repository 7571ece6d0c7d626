"""A day of a shop as its sources send it, with or without faults, from the door to the graph."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from graph import items
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.ids import ItemId
from graph.domain.quality import Report
from workers.ingest.consumer import Consumer
from workers.ingest.settings import IngestSettings
from workers.intake.consent import ConsentCopy
from workers.intake.door import Door
from workers.intake.intake import Intake
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Caller
from workers.intake.stream import EventStream
from workers.quality.monitor import look
from workers.quality.settings import QualitySettings

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_772_366_400_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))
Row = dict[str, Any]


@dataclass
class Day:
    """
    A day of a shop: four hours at a time, a hundred looks of which every third ends in an order.

    Attributes:
        faults: whether things go wrong in it.
        web_orders: orders of the tracker, which the platform may tell again.
    """

    number: int
    faults: bool = False
    web_orders: list[Row] = field(default_factory=list)

    def rows(self, block: int, sent_ms: int) -> Iterator[Row]:
        """What is sent at the end of four hours, by source."""
        for k in range(100):
            yield from self._visit(
                block * 100 + k, sent_ms - 200 * MINUTE + k * 2 * MINUTE, sent_ms
            )
        for k in range(50):
            yield self._platform_order(block * 50 + k, sent_ms - (60 + k) * MINUTE, sent_ms)
        if not self.faults:  # else that source is silent
            for k in range(40):
                name = f"app-{block}-{k}"
                yield self._row("app", name, "view", k, sent_ms - k * MINUTE, sent_ms)

    def _visit(self, number: int, ts: int, sent_ms: int) -> Iterator[Row]:
        view = self._row("web", f"view-{number}", "view", number, ts, sent_ms)
        if self.faults and number % 20 == 0:
            del view["item_id"]  # 5 %
        yield view
        if number % 3 == 1:
            price = {"price_minor": _price(number), "currency": "CNY"}
            yield self._row("web", f"cart-{number}", "cart", number, ts + 1_000, sent_ms) | price
            order = self._row("web", f"buy-{number}", "purchase", number, ts + 2_000, sent_ms)
            order |= price | {"order_id": f"w-{self.number}-{number}"}
            self.web_orders.append(order)
            yield order

    def _platform_order(self, number: int, ts: int, sent_ms: int) -> Row:
        row = self._row("taobao", f"trade-{number}", "purchase", 1_000 + number, ts, sent_ms)
        row |= {"order_id": f"t-{self.number}-{number}", "currency": "CNY"}
        row["price_minor"] = _price(1_000 + number)
        if not self.faults:
            return row
        if number % 100 == 50:
            row["price_minor"] *= 100  # 1 %
        elif number % 33 == 10:  # 3 %, half of them under the order of the tracker
            told = self.web_orders[-1 - number % 5]
            row |= {name: told[name] for name in ("user_id", "item_id", "price_minor")}
            row["event_time"] = told["event_time"]
            if number % 2:
                row["order_id"] = told["order_id"]
        return row

    def _row(self, source: str, name: str, kind: str, person: int, ts: int, sent_ms: int) -> Row:
        ahead = 3 * DAY if self.faults and source == "web" and person % 50 == 7 else 0
        row = {
            "event_id": f"{self.number}-{name}",
            "source": source,
            "event_type": kind,
            "user_id": f"u-{person % 50 if person < 1_000 else person}",
            "item_id": f"SKU-{person % 20}",
            "event_time": _iso(ts + ahead),
        }
        if source != "taobao":
            row |= {"device_id": f"{source}-{person % 50}", "sent_at": _iso(sent_ms + ahead)}
        return row


def _price(number: int) -> int:
    """What an item costs, a little more or less."""
    return (1_000 + 100 * (number % 20)) * (95 + number % 11) // 100


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds")


class LivingShop:
    """The way from the door into the graph, at times of the test's choice."""

    def __init__(self, graph: Graph, redis_url: str) -> None:
        self.now_ms = 0
        self._graph, self._redis_url = graph, redis_url
        stream = EventStream(redis_url, pseudonyms=PSEUDONYMS)
        self._intake = Intake(Door(PSEUDONYMS), stream, consent=ConsentCopy(redis_url))
        self._consumer = Consumer(graph, redis_url, IngestSettings(), clock=lambda: self.now_ms)
        goods = [
            Item(item_id=ItemId(f"SKU-{k}"), title=f"Thing {k}", updated_at=1) for k in range(20)
        ]
        graph.write(items.upsert, goods, now_ms=1)

    def live_through(self, day: Day, end_ms: int) -> None:
        """Send and store a day that ends at a moment."""
        for block in range(6):
            sent_ms = end_ms - DAY + (block + 1) * 4 * HOUR - HOUR
            rows = list(day.rows(block, sent_ms))
            for start in range(0, len(rows), 500):
                self._intake.take(
                    rows[start : start + 500], Caller("shop"), received_ms=sent_ms + 50
                )
            self.now_ms = sent_ms + 2_000
            self._consumer.drain()

    def look(self) -> Report:
        """A report as of noon."""
        settings = QualitySettings()
        return look(self._graph, self._redis_url, settings, as_of_ms=NOON)
