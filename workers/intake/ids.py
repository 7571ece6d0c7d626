"""Which texts are ids: opaque, byte-exact, and not the rubbish that broken clients send."""

import re
from functools import lru_cache

from pydantic_core import PydanticCustomError

MAX_ID_BYTES = 255
GARBAGE_IDS = frozenset(
    {"", "null", "undefined", "none", "nan", "0", "[object object]", "guest", "anonymous"}
)
"""What clients send when they have no id, compared without letter case and outer blanks."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def checked_id(raw: str) -> str:
    """
    The id, exactly as it came.

    Raises:
        PydanticCustomError: ``invalid_id`` or ``id_too_long``.
    """
    if raw.strip().lower() in GARBAGE_IDS:
        raise PydanticCustomError("invalid_id", "not an id of anybody or anything")
    if raw.isascii():
        if len(raw) <= MAX_ID_BYTES and raw.isprintable():
            return raw
    elif len(raw.encode()) <= MAX_ID_BYTES and not _CONTROL.search(raw):
        return raw
    if _CONTROL.search(raw):
        raise PydanticCustomError("invalid_id", "an id has no control characters")
    raise PydanticCustomError("id_too_long", "an id has at most 255 bytes of UTF-8")


repeated_id = lru_cache(maxsize=65_536)(checked_id)
"""As ``checked_id``, remembered: for ids that come again and again, such as items."""


def event_key(source: str, event_id: str, line: int | None = None) -> str:
    """
    The id under which an event, or one line of an order, is known in the graph.

    A bar inside the client's id is doubled, so that no two different triples share a key.
    """
    if "|" in event_id:
        event_id = event_id.replace("|", "||")
    return f"{source}|{event_id}" if line is None else f"{source}|{event_id}|{line}"
