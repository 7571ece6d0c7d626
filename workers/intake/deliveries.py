"""What a shop's own systems send by themselves: signed, and each delivery taken once."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workers.intake.valkey import connect, ours

TOLERANCE_S = 300
"""How much clocks may differ, and how long a delivery may be on its way."""

_KEY = "shopgraph:webhook:"


@dataclass(frozen=True, slots=True, repr=False)
class Webhook:
    """
    One sender.

    Attributes:
        rows: what a body says, as rows of our event schema.
    """

    name: str
    secret: bytes
    rows: Callable[[Any], list[dict[str, Any]]]

    def signs(self, signature: str, timestamp: str, body: bytes) -> bool:
        """Whether a signature is that of time and body: ``sha256=`` and hexadecimal digits."""
        expected = hmac.digest(self.secret, timestamp.encode() + b"." + body, "sha256").hex()
        return hmac.compare_digest(f"sha256={expected}".encode(), signature.encode())


class Deliveries:
    """Remembers signatures for as long as their time is good; ``StreamUnavailable`` while away."""

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)

    def is_known(self, name: str, signature: str) -> bool:
        """Whether a delivery was taken before."""
        with ours():
            return bool(self._client.exists(_key(name, signature)))

    def note(self, name: str, signature: str) -> None:
        """Its rows are on disk."""
        with ours():
            self._client.set(_key(name, signature), b"1", ex=2 * TOLERANCE_S)


def _key(name: str, signature: str) -> str:
    return f"{_KEY}{name}:{signature}"
