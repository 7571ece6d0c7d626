"""Moving every pseudonym and every encrypted id to the newest keys; a cut-short move goes on."""

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from graph import audit, erasures, key_ring
from graph.client import Graph
from graph.edges import ALL_EDGES
from ml.forgetting import forget, people_in
from workers.errors import RotationRefused
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rekeying import Rekeying
from workers.intake.stream import EventStream

Renewed = Callable[[str, str | None], str]

log = structlog.get_logger(__name__)


class Rotation:
    """
    The move of one data folder; nothing may take events or write them meanwhile.

    Each new pseudonym is made from the old one, so whoever comes with the raw id is known again.
    """

    def __init__(
        self,
        graph: Graph,
        redis_url: str,
        pseudonyms: Pseudonyms,
        store: Path,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """
        Args:
            pseudonyms: made with all keys, the newest one included.
        """
        self._graph = graph
        self._redis_url = redis_url
        self._pseudonyms = pseudonyms
        self._store = store
        self._clock = clock

    def check(self) -> None:
        """
        Make sure that further keys may be made; raises ``RotationRefused``.

        Everything must go by the newest of the keys that there are.
        """
        newest = self._pseudonyms.key_ids[-1]
        if self._graph.write(key_ring.settle, newest) != newest:
            raise RotationRefused("an earlier move was cut short; go on with it by --resume")
        self._refuse_unless_quiet()

    def run(self, *, by: str) -> dict[str, int]:
        """
        Move everything.

        Returns:
            How much was moved, by what it was.

        Raises:
            RotationRefused: events wait on the stream, an erasure is open, or the graph was made
                with keys that are not among these.
        """
        since = self._since()
        self._refuse_unless_quiet()
        key_id = self._pseudonyms.key_ids[-1]

        def renewed(told: str, made_with: str | None) -> str:
            known = self._pseudonyms.key_ids
            at = since if made_with is None else known.index(made_with)
            return self._pseudonyms.renewed(told, since=at)

        moved = {place.label: self._moved(place, key_id, renewed) for place in key_ring.PLACES}
        moved["edges"] = self._moved_edges(key_id, renewed)
        valkey = Rekeying(self._redis_url, self._pseudonyms, since=since)
        moved["dead_letters"] = valkey.move_letters()
        valkey.drop_copies()
        for folder in self._store.glob("m-*/"):
            forget(folder, people_in(folder))  # their vectors are in the graph
        self._graph.write(key_ring.change, key_id)
        entry = audit.Entry(at=self._clock(), act=audit.Act.KEY_ROTATION, by=by, about=None)
        self._graph.write(audit.note, entry, moved)
        log.info("keys_rotated", moved=moved)
        return moved

    def _since(self) -> int:
        """Place of the key that the graph was made with."""
        known = self._pseudonyms.key_ids
        # A graph that never met one was made with what was the newest until now.
        current = self._graph.write(key_ring.settle, known[max(len(known) - 2, 0)])
        if current not in known:
            raise RotationRefused("the graph was made with keys that are not among the given ones")
        return known.index(current)

    def _refuse_unless_quiet(self) -> None:
        if EventStream(self._redis_url).depth():
            raise RotationRefused("events wait on the stream; let `shopgraph ingest` finish them")
        if self._graph.read(erasures.unfinished):
            raise RotationRefused("an erasure was cut short; end it with `shopgraph erase` first")

    def _moved_edges(self, key_id: str, renewed: Renewed) -> int:
        total = 0
        for edge in ALL_EDGES:
            while n := self._graph.write(key_ring.move_edges, edge, key_id, renewed):
                total += n
        return total

    def _moved(self, place: key_ring.Place, key_id: str, renewed: Renewed) -> int:
        total = 0
        while n := self._graph.write(
            key_ring.move, place, key_id, renewed, self._pseudonyms.resealed
        ):
            total += n
        return total
