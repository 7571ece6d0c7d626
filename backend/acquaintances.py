"""Who is in the graph: a stranger is told apart without asking it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.breaker import GraphPort
from graph import pulls
from graph.domain.ids import UserId
from workers.intake.online import Recent

_PAGE = 50_000


class Acquaintances:
    """
    Everybody the graph knew at a moment, eight bytes each.

    Whoever came later has a state in Valkey, as long as Valkey has lost nothing since.
    """

    def __init__(self) -> None:
        self._known: tuple[str, NDArray[np.int64]] | None = None

    def learn(self, graph: GraphPort, epoch: str | None) -> None:
        """
        Read all people.

        Args:
            epoch: of Valkey, asked before; ``None``: it is away, and nobody counts as a stranger.

        Raises:
            GraphError: the graph could not say.
        """
        if epoch is None:
            self._known = None
            return
        marks: list[NDArray[np.int64]] = []
        after = 0
        while (page := graph.read(pulls.users, after_idx=after, page=_PAGE)).n:
            marks.append(np.fromiter(map(hash, page.user_id), np.int64, page.n))
            after = page.last
        self._known = epoch, np.sort(np.concatenate([np.zeros(0, np.int64), *marks]))

    @property
    def epoch(self) -> str | None:
        """Of Valkey, when all people were read."""
        return self._known[0] if self._known else None

    def is_stranger(self, user_id: UserId, recent: Recent) -> bool:
        """Whether neither the graph nor Valkey can know anything of this person."""
        known, stamp = self._known, recent.stamp
        if known is None or stamp is None or recent.state or recent.events:
            return False
        epoch, marks = known
        return stamp.epoch == epoch and not _holds(marks, hash(user_id))


def _holds(marks: NDArray[Any], mark: int) -> bool:
    place = int(np.searchsorted(marks, mark))
    return place < len(marks) and int(marks[place]) == mark
