"""Pages of a list whose records change while it is read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from workers.connectors.calls import within
from workers.connectors.errors import PlatformTrouble

Record = Mapping[str, Any]


def from_last_page(
    total: int, size: int, page: Callable[[int], Iterable[Record]]
) -> Iterator[Record]:
    """
    All records of a window that has a fixed end, from the last page to the first.

    A record that is changed meanwhile leaves such a window and those behind it move up, towards
    pages that are still to come: read in this direction, some come twice and none is missed.

    Args:
        total: how many there were at the beginning.
        page: the records of a page, counted from 1.
    """
    for number in range(-(-total // size), 0, -1):
        yield from page(number)


def listed(found: Any, *, is_due: Any) -> list[Record]:
    """
    The records of a page.

    Raises:
        PlatformTrouble: there should be some, and there are none: an error in disguise.
    """
    if is_due and not found:
        raise PlatformTrouble("records are counted and not listed")
    return found or []


def in_order(records: Iterable[Record], *, modified: str, key: str) -> list[Record]:
    """Each record once, as it was last seen, by time of change and then by id."""
    latest = {str(within(one, key)): one for one in records}
    return [
        latest[name] for name in sorted(latest, key=lambda n: (str(latest[n].get(modified)), n))
    ]
