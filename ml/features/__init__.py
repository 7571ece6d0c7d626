"""The statistical features of the model: from arrays of events to columns of numbers."""

from ml.features.items import ItemCounters, item_counters
from ml.features.names import FEATURES
from ml.features.pairs import PairFeatures, Window

__all__ = ["FEATURES", "ItemCounters", "PairFeatures", "Window", "item_counters"]
