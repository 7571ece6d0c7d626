"""What this process remembers of people, dropped when somebody was erased or came back."""

from typing import Any, Protocol

import structlog

from backend.breaker import GraphPort
from backend.kept import Kept
from graph import tombstones
from workers.intake.changes import Stamp
from workers.intake.errors import StreamUnavailable
from workers.intake.pseudonyms import Pseudonyms

log = structlog.get_logger(__name__)


class _Stamps(Protocol):
    def stamp(self) -> Stamp: ...


class Forgetting:
    """Keeps the memory of a process in step with the erasures of all of them."""

    def __init__(
        self, graph: GraphPort, stamps: _Stamps, pseudonyms: Pseudonyms, memories: list[Kept[Any]]
    ) -> None:
        self._graph = graph
        self._stamps = stamps
        self._pseudonyms = pseudonyms
        self._memories = memories
        self._seen: int | None = None

    def keep_in_step(self) -> None:
        """
        Drop everything if somebody was erased, or came back, since the last look.

        Raises:
            GraphError: it cannot be said who came back; the next look tries again.
        """
        try:
            erasures = self._stamps.stamp().erasures
        except StreamUnavailable:
            return  # nobody can be erased meanwhile
        if erasures == self._seen:
            return
        self.look_for_returned()
        self._pseudonyms.forget()
        for memory in self._memories:
            memory.clear()
        self._seen = erasures

    def look_for_returned(self) -> None:
        """Know by which pseudonym those go now who came back; raises ``GraphError``."""
        self._pseudonyms.know_returned(self._graph.read(tombstones.generations))
