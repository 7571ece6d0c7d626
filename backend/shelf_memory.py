"""The shop's word on many items, held in memory."""

from collections.abc import Mapping

from graph.domain.ids import ItemId
from graph.shelf import OnShelf

_NEVER_MS = 1 << 62


class ShelfMemory:
    """
    What is known of each item, and who of them is not for show at this moment.

    Readers need no lock: a row is replaced in one step, and so is the set of the hidden.
    """

    def __init__(self, rows: Mapping[ItemId, OnShelf] | None = None) -> None:
        self.rows: dict[ItemId, OnShelf] = dict(rows or {})
        self._hidden: frozenset[ItemId] = frozenset()
        self._border_ms = 0

    def keep(self, rows: Mapping[ItemId, OnShelf], now_ms: int) -> None:
        """Put these words in place of older ones."""
        news = {item_id: row for item_id, row in rows.items() if self.rows.get(item_id) != row}
        if not news:
            return
        self.rows.update(news)
        gone = {item_id for item_id, row in news.items() if not row.is_shown(now_ms)}
        if gone != self._hidden & news.keys():
            self._hidden = (self._hidden - news.keys()) | gone
        self._border_ms = min(self._border_ms, _next_border(news, now_ms))

    def hidden(self, now_ms: int) -> frozenset[ItemId]:
        """Items that are known not to be for show."""
        if self._border_ms <= now_ms:
            rows = self.rows.copy()
            self._hidden = frozenset(one for one, row in rows.items() if not row.is_shown(now_ms))
            self._border_ms = _next_border(rows, now_ms)
        return self._hidden

    def border_ms(self, now_ms: int) -> int:
        """The next moment at which an item comes or goes by the clock alone."""
        self.hidden(now_ms)
        return self._border_ms


def _next_border(rows: Mapping[ItemId, OnShelf], now_ms: int) -> int:
    return min(
        (
            moment
            for row in rows.values()
            for moment in (row.available_from, row.available_until)
            if moment is not None and moment > now_ms
        ),
        default=_NEVER_MS,
    )
