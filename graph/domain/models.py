"""Models and the runs that make them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from graph.domain.ids import ModelVersion, RunId


class Slot(StrEnum):
    """One of the two places a node has for an embedding; the idle one is written, then live."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Slot":
        """The slot that is not this one."""
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE


class Profile(StrEnum):
    """What a run trains: the paper's model alone, also models that compete with it, or nothing."""

    PAPER = "paper"
    FUSION = "fusion"
    RENEWAL = "renewal"
    """The live model's weights with vectors and counters as of now, and with new items."""


class ModelStatus(StrEnum):
    """Where a model stands in its life."""

    CANDIDATE = "candidate"
    LIVE = "live"
    RETIRED = "retired"
    FAILED = "failed"


class RunState(StrEnum):
    """Where a training run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """
    One trained model.

    Attributes:
        as_of_ms: end of the behaviour it has seen, milliseconds UTC.
        data_seq: last event sequence number it has learned from.
        vectors_seq: last one that its vectors were made of; a renewal brings this alone forward.
        metrics: figures by name, flat; each set has its base rate.
        champion: which of the models of the run says how likely a purchase is.
        erasures: how many people had been erased when its events were read.
    """

    version: ModelVersion
    status: ModelStatus
    slot: Slot
    profile: str
    as_of_ms: int
    data_seq: int
    created_at: int
    metrics: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    champion: str = "paper"
    vectors_seq: int | None = None
    erasures: int = 0

    @property
    def seen_seq(self) -> int:
        """The last event that its vectors know."""
        return self.data_seq if self.vectors_seq is None else self.vectors_seq


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """
    One run from pull to swap.

    Attributes:
        stage: the step it is in, by name; ``queued`` before the first, ``done`` after the last.
        progress: share of the whole that is done, 0 to 1.
        figures: what the run has measured so far, JSON values by name.
    """

    run_id: RunId
    state: RunState
    profile: str
    stage: str
    progress: float
    requested_at: int
    started_at: int | None = None
    finished_at: int | None = None
    model_version: ModelVersion | None = None
    error: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)


NOT_SERVED = "not served: "
"""How the reason begins of a failed model whose embeddings were never written to the graph."""


def is_stored(model: Model, models: Iterable[Model]) -> bool:
    """Whether a model was served and its embeddings are still in its slot, so that it may again."""
    if model.status in (ModelStatus.CANDIDATE, ModelStatus.FAILED):
        return False
    return not is_overwritten(model, models)


def is_overwritten(model: Model, models: Iterable[Model]) -> bool:
    """Whether a later one of the models was written over this one's slot, or began to be."""
    return any(
        other.slot is model.slot
        and other.created_at > model.created_at
        and not (other.reason or "").startswith(NOT_SERVED)
        for other in models
    )
