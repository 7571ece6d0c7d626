"""What operators watch, looked up when they ask: lag, letters, age, training, data."""

from collections.abc import Callable

from backend.metrics import Metrics
from backend.wiring import clock_ms, graph, models, parts
from graph import quality_reports, training_runs
from graph.domain.quality import Level
from graph.errors import GraphError
from workers.intake.errors import StreamUnavailable


def look(counted: Metrics) -> None:
    """Set the gauges; a store that is away keeps its last ones, and is told of."""
    counted.stores_away.labels("valkey").set(_is_away(lambda: _look_at_stream(counted)))
    counted.stores_away.labels("graph").set(_is_away(lambda: _look_at_training(counted)))
    loaded = models().current()
    if loaded is not None:
        counted.model_age_seconds.set(max(0, clock_ms() - loaded.model.as_of_ms) / 1_000)


def _look_at_stream(counted: Metrics) -> None:
    counted.stream_waiting.set(parts().intake.depth())
    counted.dead_letters.set(parts().letters.depth())


def _look_at_training(counted: Metrics) -> None:
    for run in graph().read(training_runs.latest, 1):
        counted.training_is_at(run.stage, run.progress)
    _look_at_quality(counted)


def _look_at_quality(counted: Metrics) -> None:
    report = graph().read(quality_reports.latest)
    if report is None:
        return
    told: dict[tuple[str, ...], float] = {
        (one.check, one.source, one.event_type, one.detail): one.value
        for one in report.figures
        if one.value is not None
    }
    counted.data_is(told)
    for level in Level:
        n = sum(found.level is level for found in report.findings)
        counted.quality_findings.labels(level.value).set(n)
    counted.quality_age_seconds.set(max(0, clock_ms() - report.as_of_ms) / 1_000)


def _is_away(look_at: Callable[[], None]) -> bool:
    try:
        look_at()
    except (GraphError, StreamUnavailable):
        return True
    return False
