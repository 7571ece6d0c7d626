"""Prices of platforms as minor units."""

from typing import Any

from workers.connectors.files.layouts.layout import Unusable
from workers.connectors.files.layouts.values import minor


def in_minor(price: Any, currency: str) -> Any:
    """
    A decimal price in minor units; one that makes no sense stays, for the door to refuse.

    So a row with a wrong price becomes a dead letter, and is not lost.
    """
    if price is None:
        return None
    try:
        return minor(str(price), currency)
    except Unusable:
        return price


def yuan(price: Any) -> Any:
    """A price in yuan as fen."""
    return in_minor(price, "CNY")
