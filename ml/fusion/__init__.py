"""The two-tower model: sequences and content in, vectors of people and items out."""

from ml.fusion.config import Ahead, Content, FusionConfig
from ml.fusion.model import Fusion
from ml.fusion.plans import Plans

__all__ = ["Ahead", "Content", "Fusion", "FusionConfig", "Plans"]
