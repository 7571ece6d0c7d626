"""Writes a run's progress to its node, not more often than a person can read it."""

import time
from typing import Any

import structlog

from graph import training_runs
from graph.domain.ids import ModelVersion
from graph.domain.models import RunState, TrainingRun
from workers.leases import HeldLease, now_ms

log = structlog.get_logger(__name__)

EVERY_S = 1.0


class Reporter:
    """Keeps stage, share and figures of one run, and writes them about once a second."""

    def __init__(self, held: HeldLease, run: TrainingRun, *, attempt: int = 1) -> None:
        self._held = held
        self._run = run
        self._figures: dict[str, Any] = {**run.figures, "attempts": attempt}
        self.attempt = attempt
        self._written = float("-inf")
        self._began = time.monotonic()
        self.stage = run.stage
        self.share = 0.0

    def at(
        self,
        stage: str,
        share: float,
        figures: dict[str, Any] | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """Where the run stands; the share never goes back, raises ``LeaseLost``."""
        is_new_stage = stage != self.stage
        self.stage = stage
        self.share = min(max(self.share, share), 1.0)
        self._figures |= figures or {}
        if is_new_stage:
            began_s = self._figures[f"{stage}_began_s"] = round(time.monotonic() - self._began, 1)
            log.info("training_stage", stage=stage, began_s=began_s)
        if at_once or is_new_stage or time.monotonic() - self._written >= EVERY_S:
            self._written = time.monotonic()
            self._held.write(
                training_runs.progress,
                self._run.run_id,
                stage=stage,
                progress=self.share,
                figures=self._figures,
                now_ms=now_ms(),
            )

    def finish(self, version: ModelVersion, figures: dict[str, Any]) -> None:
        """The run ended with a model."""
        self._figures |= figures
        self._end(RunState.FINISHED, version, None)

    def fail(self, reason: str) -> None:
        """The run ended without one; the model before it still answers."""
        self._end(RunState.FAILED, None, reason)

    def _end(self, state: RunState, version: ModelVersion | None, error: str | None) -> None:
        self._figures["duration_s"] = round(time.monotonic() - self._began, 1)
        self._held.write(
            training_runs.finish,
            self._run.run_id,
            state=state,
            model_version=version,
            error=error,
            figures=self._figures,
            now_ms=now_ms(),
        )
        log.info("training_ended", state=state, version=version, error=error)
