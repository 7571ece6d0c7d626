"""GRU4Rec, a recurrent net over items and nothing else."""

from ml.fusion.config import FusionConfig
from ml.fusion.model import Fusion

CONFIG = FusionConfig(
    dim=96,
    encoder="gru",
    attention=False,
    hops=0,
    cosine=False,
    popular=True,
    epochs=5,
)


class GRU4Rec(Fusion):
    """
    One GRU layer, tied item vectors and a bias per item, sampled softmax.

    Source:
        Hidasi and Karatzoglou, Recurrent neural networks with top-k gains, 2018
        (arXiv:1706.03847). Ours learns from all positions with a shared sample, and normalises
        the state before it is compared.
    """

    def __init__(self, config: FusionConfig = CONFIG, seed: int = 1) -> None:
        super().__init__(config, seed=seed)
