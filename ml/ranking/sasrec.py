"""SASRec, self-attention over items and nothing else."""

from ml.fusion.config import FusionConfig
from ml.fusion.model import Fusion

CONFIG = FusionConfig(
    encoder="attention",
    attention=False,
    hops=0,
    cosine=False,
    popular=True,
    epochs=5,
)


class SASRec(Fusion):
    """
    One causal transformer block with learned places, tied item vectors, sampled softmax.

    Source:
        Kang and McAuley, Self-attentive sequential recommendation, 2018 (arXiv:1808.09781), with
        the loss of Klenitskiy and Vasilev, 2023 (arXiv:2309.07602): one uniform negative, as in
        the first paper, is far weaker.
    """

    def __init__(self, config: FusionConfig = CONFIG, seed: int = 1) -> None:
        super().__init__(config, seed=seed)
