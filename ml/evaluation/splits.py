"""Where the past ends: one time split for everybody, and the cutoffs inside each part."""

from dataclasses import dataclass

import numpy as np

from ml.config import DAY_MS, PaperConfig
from ml.dataset import Interactions
from ml.errors import NotEnoughData


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """
    7:2:1 of the events by time, where the two last parts are long enough for a label then.

    Attributes:
        first_ms: time of the first event.
        train_end_ms: time of the 70 % event, or before it; training labels end by then.
        validation_end_ms: time of the 90 % event, or before it; the test part follows.
        end_ms: the first moment after the last event that is not a straggler.
        tied_share: share of events that have the time of another one.
    """

    first_ms: int
    train_end_ms: int
    validation_end_ms: int
    end_ms: int
    tied_share: float


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Moments at which the question is asked, per part, oldest first."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def time_split(data: Interactions, *, label_ms: int = 0) -> TimeSplit:
    """
    Cut the log by event count.

    Args:
        label_ms: validation and test last at least so long. A shop that has grown tenfold overnight
            has three tenths of its events since, and no label of a week fits into a night.

    Raises:
        NotEnoughData: there are fewer than ten events.
    """
    n = len(data)
    if n < 10:
        raise NotEnoughData("too few events to split by time", events=n, needed=10)
    _, counts = np.unique(data.ts, return_counts=True)
    end = data.settled_end_ms
    validation_end = min(int(data.ts[int(n * 0.9)]), end - label_ms)
    return TimeSplit(
        first_ms=int(data.ts[0]),
        train_end_ms=min(int(data.ts[int(n * 0.7)]), validation_end - label_ms),
        validation_end_ms=validation_end,
        end_ms=end,
        tied_share=float(counts[counts > 1].sum() / n),
    )


def cutoffs(split: TimeSplit, config: PaperConfig) -> Cutoffs:
    """
    The latest cutoffs of each part, a step apart, whose label window ends inside that part.

    Raises:
        NotEnoughData: a part is shorter than the label window.
    """
    first = split.first_ms + config.horizon_days * DAY_MS
    return Cutoffs(
        train=_back_from("training", split.train_end_ms, first, config.train_cutoffs, config),
        validation=_back_from(
            "validation",
            split.validation_end_ms,
            split.train_end_ms,
            config.validation_cutoffs,
            config,
        ),
        test=_back_from("test", split.end_ms, split.validation_end_ms, config.test_cutoffs, config),
    )


def _back_from(part: str, end: int, start: int, count: int, config: PaperConfig) -> tuple[int, ...]:
    """At most ``count`` cutoffs c ≥ start with c + horizon ≤ end."""
    last = end - config.horizon_days * DAY_MS
    found = range(last, start - 1, -config.step_days * DAY_MS)[:count]
    if not found:
        raise NotEnoughData(
            f"the {part} part is shorter than the label window",
            days=max(end - start, 0) / DAY_MS,
            needed_days=config.horizon_days,
        )
    return tuple(reversed(found))
