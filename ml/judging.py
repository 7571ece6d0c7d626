"""All models of a run on the same pairs: scored, compared, and the champion chosen."""

from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from ml.calibration import Platt
from ml.config import PaperConfig
from ml.contenders import BLENDS, Contenders
from ml.evaluation.champion import choose
from ml.evaluation.comparison import Comparison, Logits, compare
from ml.evaluation.pools import Pool
from ml.models import BASELINES
from ml.parts import Parts

log = structlog.get_logger(__name__)

INCUMBENT = "paper"
"""What answers as long as nothing is better beyond doubt."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What the comparison found.

    Attributes:
        champion: the model that answers, chosen on the validation pairs alone.
        calibrations: Platt's line of every model.
    """

    compared: Comparison
    calibrations: dict[str, Platt]
    champion: str


def judge(
    parts: Parts,
    paper: dict[str, NDArray[np.float64]],
    contenders: Contenders,
    config: PaperConfig,
) -> Verdict:
    """
    Compare the paper's model with contenders and baselines.

    Args:
        paper: the paper model's log-odds of the ``validation`` and the ``test`` pairs.
        contenders: already fitted; they may be none.
    """
    pools = {"validation": Pool.join(parts.calibrate), "test": Pool.join(parts.test)}
    logits: Logits = {
        "validation": {"paper": paper["validation"], **contenders.logits(parts.calibrate)},
        "test": {"paper": paper["test"], **contenders.logits(parts.test)},
    }
    champion = _champion(pools["validation"], logits["validation"], config)
    learn = Pool.join(parts.train)
    for name, make in BASELINES.items():
        baseline = make()
        baseline.fit(learn)
        for part, pool in pools.items():
            logits[part][name] = baseline.logits(pool)
    compared, calibrations = compare(pools, logits, config, champion)
    return Verdict(compared, calibrations, champion)


def _champion(pool: Pool, logits: dict[str, NDArray[np.float64]], config: PaperConfig) -> str:
    chosen = choose(
        pool.label,
        pool.user,
        logits,
        INCUMBENT,
        parts=BLENDS,
        draws=config.bootstrap_draws,
        rng=np.random.default_rng(config.seed),
    )
    log.info("champion_chosen", champion=chosen.name, reason=chosen.reason)
    return chosen.name
