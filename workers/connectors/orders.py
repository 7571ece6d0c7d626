"""Orders and refunds of a platform as rows of our event schema; what is absent is left out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workers.connectors.connector import Raw
from workers.connectors.paging import Record

CURRENCY = "CNY"
"""Of the platforms that sell in one currency and do not say it."""


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of an order, with values as the platform gave them: the door checks them.

    Attributes:
        number: its place in the order.
        amount: paid for all pieces, in fen.
    """

    number: int
    item_id: Any
    quantity: Any
    amount: Any

    def taken_back(self, *, quantity: Any, amount: Any) -> "Line":
        """The line of a refund; where nothing is said of pieces, all of them."""
        return replace(self, quantity=quantity or self.quantity, amount=amount)

    def as_row(self) -> Raw:
        """The line in our schema."""
        found = {
            "line": self.number,
            "item_id": self.item_id,
            "quantity": whole(self.quantity),
            "amount_minor": self.amount,
            "currency": None if self.amount is None else CURRENCY,
        }
        return _said(found)


def purchase(*, order_id: str, user_id: Any, event_time: Any, lines: Sequence[Line]) -> Raw:
    """A purchase, known by the id of its order."""
    return _said({
        "event_type": "purchase", "event_id": order_id, "order_id": order_id, "user_id": user_id,
        "event_time": event_time, "lines": [line.as_row() for line in lines],
    })  # fmt: skip


def refund(
    *, refund_id: str, order_id: str, user_id: Any, event_time: Any, lines: Sequence[Line] | None
) -> Raw:
    """A refund; without ``lines`` of the whole order."""
    return _said({
        "event_type": "refund", "event_id": f"refund-{refund_id}", "order_id": order_id,
        "user_id": user_id, "event_time": event_time,
        "lines": None if lines is None else [line.as_row() for line in lines],
    })  # fmt: skip


def numbered(
    records: Sequence[Record], *, key: Callable[[Record], Any]
) -> Iterator[tuple[int, Record]]:
    """Lines with numbers that do not depend on the order in which a platform lists them."""
    return enumerate(sorted(records, key=lambda one: str(key(one))), start=1)


def whole(text: Any) -> Any:
    """A whole number that a platform writes as text."""
    return int(text) if isinstance(text, str) and text.isdecimal() else text


def _said(row: Raw) -> Raw:
    return {name: value for name, value in row.items() if value is not None}
