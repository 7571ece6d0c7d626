"""The two-tower model: sequences and content in, vectors of people and items out."""

from ml.fusion.config import Content, FusionConfig
from ml.fusion.model import Fusion

__all__ = ["Content", "Fusion", "FusionConfig"]
