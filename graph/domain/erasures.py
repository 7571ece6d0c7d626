"""What is left of a person who was erased: a mark, and a receipt that names nobody."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from graph.domain.ids import DeviceId, UserId

ReceiptId = NewType("ReceiptId", str)


class ErasureState(StrEnum):
    """How far an erasure is; one that was cut short stays ``running`` until it is taken up."""

    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """
    What was taken away, by kind; nothing of the person.

    Attributes:
        retrain_by: every model in use was trained without the person at this time, milliseconds
            UTC.
        counts: things taken away by what they were, such as ``edges.VIEWED`` or ``dead_letters``.
        by: name of the key or the command that asked.
    """

    receipt_id: ReceiptId
    state: ErasureState
    requested_at: int
    retrain_by: int
    by: str
    finished_at: int | None = None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    Whom an erasure is about.

    Attributes:
        user_ids: every pseudonym of the person: the customer and the visitors they were.
        device_ids: devices that nobody else uses.
    """

    receipt: Receipt
    user_ids: frozenset[UserId]
    device_ids: frozenset[DeviceId]
