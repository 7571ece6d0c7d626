"""From records of an interface to rows of our event schema, as a file says."""

from collections.abc import Iterator
from typing import Any

from workers.connectors.connector import Raw, iso
from workers.connectors.files.layouts.layout import Unusable
from workers.connectors.files.mapping import MONEY, TimeForm
from workers.connectors.money import in_minor
from workers.connectors.rest_form import Shape, found

_TIMES = ("event_time", "sent_at")


def rows_of(shape: Shape, record: Any) -> Iterator[Raw]:
    """
    The event that a record is, or none.

    What does not fit stays as it is: the door refuses it, and it can be mended there.
    """
    if shape.only is not None and not found(shape.only, record):
        return
    values = {ours: found(theirs, record) for ours, theirs in shape.event.items()}
    row = _in_minor({name: value for name, value in values.items() if value is not None})
    if isinstance(row.get("lines"), list):
        currency = row.get("currency")
        row["lines"] = [_line(one, currency) for one in row["lines"]]
        row.pop("currency", None)
    for name in _TIMES:
        if name in row:
            row[name] = _moment(row[name], shape.time)
    yield row


def _line(one: Any, currency: Any) -> Any:
    if not isinstance(one, dict):
        return one
    said = {name: value for name, value in one.items() if value is not None}
    if currency is not None and said.keys() & {*MONEY, *MONEY.values()}:
        said.setdefault("currency", currency)
    return _in_minor(said)


def _in_minor(row: Raw) -> Raw:
    for theirs, ours in MONEY.items():
        if theirs in row:
            row[ours] = in_minor(row.pop(theirs), str(row.get("currency", "")))
    return row


def _moment(told: Any, form: TimeForm | None) -> Any:
    if form is None:
        return told
    try:
        return iso(form.read(str(told)))
    except Unusable:
        return told
