"""Raw rows that are put aside: what may tell of a person is sealed, the rest stays readable."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from workers.intake.pseudonyms import Pseudonyms
from workers.intake.schema import ConsentIn, EventBase, LineIn, ShownIn

_PEOPLE = ("user_id", "anonymous_id", "device_id")
_DOUBTFUL = ("attributes", "context")
"""Free objects; of a refused row nobody has looked into them."""

_PARTS: dict[str, frozenset[str]] = {
    "lines": frozenset(LineIn.model_fields),
    "impression": frozenset(ShownIn.model_fields),
    "consent": frozenset(ConsentIn.model_fields),
}
_READABLE = frozenset(EventBase.model_fields).difference(_PEOPLE)
_MARKS = ({"sealed"}, {"sealed_json"})


def sealed(raw: Mapping[str, Any], pseudonyms: Pseudonyms, *, is_looked_at: bool) -> dict[str, Any]:
    """
    A raw row without raw ids of people, and without anything that the schema does not know.

    Args:
        is_looked_at: the door found its attributes to hold nobody's phone number or address.
    """
    return {
        name: value if _is_readable(name, value, is_looked_at) else _seal(value, pseudonyms)
        for name, value in raw.items()
    }


def sealed_again(row: Mapping[str, Any], pseudonyms: Pseudonyms) -> dict[str, Any]:
    """A mended row: what was sealed stays so, what was put in is sealed as in any other row."""
    return {
        name: value
        if _is_sealed(value) or _is_readable(name, value, False)
        else _seal(value, pseudonyms)
        for name, value in row.items()
    }


def resealed(payload: str, pseudonyms: Pseudonyms) -> str:
    """
    The row with all seals made anew, by the newest key.

    Raises:
        RefUnreadable: something was sealed with none of the keys.
    """
    row: dict[str, Any] = orjson.loads(payload)
    for value in row.values():
        if _is_sealed(value):
            ((mark, text),) = value.items()
            value[mark] = pseudonyms.resealed(text)
    return json.dumps(row, ensure_ascii=False)


def unsealed(payload: str, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """
    The row as it came.

    Raises:
        RefUnreadable: something was not sealed with this key.
    """
    row: dict[str, Any] = orjson.loads(payload)
    for name, value in row.items():
        if not _is_sealed(value):
            continue
        ((mark, text),) = value.items()
        told = pseudonyms.reveal(text)
        row[name] = told if mark == "sealed" else orjson.loads(told)
    return row


def _is_sealed(value: object) -> bool:
    return isinstance(value, dict) and value.keys() in _MARKS and _has_text(value)


def _has_text(value: dict[str, Any]) -> bool:
    return all(isinstance(text, str) for text in value.values())


def _is_readable(name: str, value: object, is_looked_at: bool) -> bool:
    if value is None:
        return True
    if name not in _READABLE:
        return False
    if name in _PARTS:
        parts = value if isinstance(value, list) else [value]
        return all(_is_plain(part, _PARTS[name]) for part in parts)
    if name == "attributes":
        # Else a client could have the text of somebody else's seal opened by a replay.
        return is_looked_at and not _is_sealed(value)
    return name not in _DOUBTFUL and not isinstance(value, dict | list)


def _is_plain(part: object, known: frozenset[str]) -> bool:
    return (
        isinstance(part, Mapping)
        and part.keys() <= known
        and not any(isinstance(value, dict | list) for value in part.values())
    )


def _seal(value: object, pseudonyms: Pseudonyms) -> dict[str, str]:
    is_text = isinstance(value, str)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    ref = pseudonyms.seal(text.encode("utf-8", "replace").decode())
    return {"sealed" if is_text else "sealed_json": ref}
