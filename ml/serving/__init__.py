"""Answers from an exported model, in NumPy alone."""

from ml.serving.history import History, PastEvents
from ml.serving.model import ServingModel

__all__ = ["History", "PastEvents", "ServingModel"]
