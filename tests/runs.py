"""Training runs of tests, worked on in the test's own process."""

from typing import Any

from neo4j import ManagedTransaction

from graph import training_runs
from graph.client import Graph
from graph.domain.ids import RunId
from graph.domain.models import RunState, TrainingRun
from tests import shop
from workers.leases import now_ms
from workers.settings import JobSettings
from workers.training import attempt


def asked(graph: Graph, number: int = 1, profile: str = "paper", **options: Any) -> TrainingRun:
    """A run on the small shop that somebody asked for."""
    run = TrainingRun(
        run_id=RunId(f"t-{number:032x}"),
        state=RunState.QUEUED,
        profile=profile,
        stage="queued",
        progress=0.0,
        requested_at=now_ms() + number,
        options={**shop.SMALL, **options},
    )
    return graph.write(training_runs.request, run, stale_before_ms=0)[0]


def trained(
    graph: Graph, settings: JobSettings, number: int = 1, profile: str = "paper", **options: Any
) -> TrainingRun:
    """That run, worked on until it ended."""
    run = asked(graph, number, profile, **options)
    attempt(graph, settings, run.run_id, owner=f"tests:{number}")
    return graph.read(training_runs.get, run.run_id)


def stored_vectors(tx: ManagedTransaction, slot: str, label: str = "User") -> dict[str, Any]:
    """The vectors of a slot, by user or item id."""
    rows = tx.run(
        "MATCH (n:$($label)) WHERE n[$name] IS NOT NULL"
        " RETURN coalesce(n.user_id, n.item_id) AS id, n[$name] AS vector",
        label=label,
        name=f"embedding_{slot}",
    )
    return {row["id"]: row["vector"] for row in rows}
