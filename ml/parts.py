"""The parts of a training run: pairs to fit on, to stop on, to calibrate on, to be tested on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ml.config import PaperConfig
from ml.dataset import Interactions
from ml.errors import NotEnoughData
from ml.evaluation.pools import Pool, moment, touched_pool, training_pool
from ml.evaluation.splits import Cutoffs


@dataclass(frozen=True, slots=True)
class Parts:
    """
    Pools by part, one per cutoff, oldest first.

    Attributes:
        stop: for early stopping; sampled like the training pairs.
        calibrate: all touched pairs of the later half of the validation time; calibration,
            thresholds and the choice of the champion come from here.
        test: all touched pairs of the last part, looked at once.
        new: pairs of the calibration cutoffs that the person had not touched.
    """

    train: list[Pool] = field(default_factory=list)
    stop: list[Pool] = field(default_factory=list)
    calibrate: list[Pool] = field(default_factory=list)
    test: list[Pool] = field(default_factory=list)
    new: list[Pool] = field(default_factory=list)


def split_into_parts(
    data: Interactions, at: Cutoffs, config: PaperConfig, tell: Callable[[float], None]
) -> Parts:
    """
    Draw the pools of every cutoff.

    Args:
        tell: is told the share that is done.

    Raises:
        NotEnoughData: a part has too few pairs of one class; says how many.
    """
    rng = np.random.default_rng(config.seed)
    half = len(at.validation) // 2
    stop, calibrate = at.validation[:half], at.validation[half:]
    # With one validation cutoff there is no later slice; it then serves both purposes.
    parts = Parts()
    wanted = [
        *((cutoff, parts.train) for cutoff in at.train),
        *((cutoff, parts.stop) for cutoff in stop or calibrate),
        *((cutoff, parts.calibrate) for cutoff in calibrate),
        *((cutoff, parts.test) for cutoff in at.test),
    ]
    for done, (cutoff, pools) in enumerate(wanted, 1):
        now = moment(data, cutoff, config)
        is_whole = pools is parts.calibrate or pools is parts.test
        pools.append(touched_pool(now) if is_whole else training_pool(now, config, rng))
        if pools is parts.calibrate:
            drawn = training_pool(now, config, rng)
            parts.new.append(drawn.take(~drawn.touched))
        tell(done / len(wanted))
    _check(parts, config.min_positives)
    return parts


def _check(parts: Parts, needed: int) -> None:
    for name, pools in _measured(parts):
        pairs = sum(len(pool) for pool in pools)
        positives = sum(int((pool.label & pool.touched).sum()) for pool in pools)
        if min(positives, pairs - positives) < needed:
            raise NotEnoughData(
                f"the {name} part has too few pairs of one class",
                positives=positives,
                negatives=pairs - positives,
                needed=needed,
            )


def _measured(parts: Parts) -> Iterator[tuple[str, list[Pool]]]:
    yield "train", parts.train
    yield "stop", parts.stop
    yield "calibrate", parts.calibrate
    yield "test", parts.test
