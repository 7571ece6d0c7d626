"""
What the web floor counts, in the form that Prometheus reads.

With ``PROMETHEUS_MULTIPROC_DIR`` set, the processes of one API count in files of that folder, and
each of them shows the sums over all.
"""

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, current_app
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The counters of one application; each application has its own set."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "shopgraph_requests",
            "Answered calls.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "shopgraph_request_seconds",
            "Time to answer a call.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.events = Counter(
            "shopgraph_events",
            "Event rows, by what became of them.",
            ["status"],
            registry=self.registry,
        )
        self.rows_refused = Counter(
            "shopgraph_rows_refused",
            "Event rows not taken, by code.",
            ["code"],
            registry=self.registry,
        )
        self.flags = Counter(
            "shopgraph_events_flagged",
            "Event rows stored with a doubt, by flag.",
            ["flag"],
            registry=self.registry,
        )
        self.tracker_dropped = Counter(
            "shopgraph_tracker_dropped",
            "Events that trackers had to drop.",
            registry=self.registry,
        )
        self.quotas_exceeded = Counter(
            "shopgraph_quotas_exceeded",
            "Requests of keys that had sent enough.",
            registry=self.registry,
        )
        self.levels = Counter(
            "shopgraph_recommendations",
            "Lists, by the level that served them.",
            ["level"],
            registry=self.registry,
        )
        self.kept = Counter(
            "shopgraph_answers_kept",
            "Lists, by whether a kept answer was still true; none: it could not be kept.",
            ["found"],
            registry=self.registry,
        )
        self.degraded = Counter(
            "shopgraph_degraded", "Lists made while a store was away.", registry=self.registry
        )
        self.dropped_items = Counter(
            "shopgraph_dropped_items",
            "Items left out for want of a finite score.",
            registry=self.registry,
        )
        self.origins_refused = Counter(
            "shopgraph_origins_refused",
            "Calls from pages outside the list.",
            registry=self.registry,
        )
        self.model_age = Gauge(
            "shopgraph_model_loaded",
            "1 for the version that serves.",
            ["version"],
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.list_seconds = Histogram(
            "shopgraph_list_seconds",
            "Time to answer with a list, by the level that served it.",
            ["route", "level"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.stream_waiting = self._now("shopgraph_stream_waiting", "Entries not in the graph yet.")
        self.dead_letters = self._now("shopgraph_dead_letters", "Dead letters that wait.")
        self.model_age_seconds = self._now(
            "shopgraph_model_age_seconds", "Age of the newest behaviour that the model has seen."
        )
        self.training_progress = self._now(
            "shopgraph_training_progress", "Share of the newest training run that is done.", "stage"
        )
        self.stores_away = self._now(
            "shopgraph_store_away", "1 for a store that did not answer just now.", "store"
        )
        self.connector_gap = self._now(
            "connector_gap_minutes",
            "How much of the past a connector has not brought.",
            "connector",
        )
        self.quality = self._now(
            "shopgraph_quality",
            "A figure of the newest report.",
            "check",
            "source",
            "type",
            "detail",
        )
        self.quality_findings = self._now(
            "shopgraph_quality_findings", "What the newest report found.", "level"
        )
        self.quality_age_seconds = self._now(
            "shopgraph_quality_age_seconds", "Since the newest report on the data."
        )
        self._counters: dict[Any, tuple[Counter, list[Histogram]]] = {}
        self._serving: str | None = None
        self._stage: str | None = None
        self._measured: set[tuple[str, ...]] = set()

    def _now(self, name: str, what: str, *labels: str) -> Gauge:
        """A gauge that is set when the page is asked for."""
        return Gauge(name, what, labels, registry=self.registry, multiprocess_mode="mostrecent")

    def answered(
        self, method: str, route: str, status: int, seconds: float, level: str | None
    ) -> None:
        """A call was answered; ``level`` is what served it, if it was a list."""
        key = method, route, status, level
        counters = self._counters.get(key)
        if counters is None:
            # Looking counters up by their labels takes longer than counting.
            timed = [self.seconds.labels(method, route)]
            timed += [] if level is None else [self.list_seconds.labels(route, level)]
            counters = self._counters[key] = self.requests.labels(method, route, status), timed
        counted, timed = counters
        counted.inc()
        for timer in timed:
            timer.observe(seconds)

    def model_serves(self, version: str) -> None:
        """Say which model serves from now on."""
        if self._serving is not None:
            self.model_age.labels(self._serving).set(0)
        self.model_age.labels(version).set(1)
        self._serving = version

    def training_is_at(self, stage: str, progress: float) -> None:
        """Say where the newest training run stands."""
        if self._stage not in (None, stage):
            self.training_progress.labels(self._stage).set(0)
        self.training_progress.labels(stage).set(progress)
        self._stage = stage

    def data_is(self, values: Mapping[tuple[str, ...], float]) -> None:
        """
        Show the figures of the newest report; one that it has no more becomes NaN.

        Args:
            values: by check, source, type and detail.
        """
        for place in self._measured - values.keys():
            # Several processes share the gauges, so none can be taken away.
            self.quality.labels(*place).set(math.nan)
        for place, value in values.items():
            self.quality.labels(*place).set(value)
        self._measured |= values.keys()

    def page(self) -> bytes:
        """Everything counted, by all processes that count in one folder."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)


def init_app(app: Flask, look: Callable[[Metrics], None]) -> None:
    """
    Give the application its counters and the page that shows them.

    Args:
        look: sets what is looked up only when somebody asks.
    """
    counted = Metrics()
    app.extensions["shopgraph_metrics"] = counted

    def show() -> Response:
        look(counted)
        return Response(counted.page(), content_type=CONTENT_TYPE_LATEST)

    app.add_url_rule("/metrics", "metrics", show)


def metrics() -> Metrics:
    """The counters of the application that answers."""
    counted = current_app.extensions["shopgraph_metrics"]
    assert isinstance(counted, Metrics)
    return counted
