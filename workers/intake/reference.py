"""The page about events, built from the code: ``python -m workers.intake.reference``."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from graph.domain.events import ITEM_BEHAVIOURS, EventType
from workers.intake.attributes import MAX_ATTRIBUTES_BYTES
from workers.intake.door import MAX_ROW_BYTES
from workers.intake.explained import CODES, DEEDS, EFFECTS, EXAMPLES, FLAGS, STATES
from workers.intake.ids import GARBAGE_IDS, MAX_ID_BYTES
from workers.intake.schema import ConsentIn, ContextIn, EventBase, LineIn, ShownIn
from workers.intake.times import DAY_MS, FUTURE_CLAMP_MS, FUTURE_LIMIT_MS, LATE_MS

_OPENING = """\
# Events

<!-- Built by `python -m workers.intake.reference`; change the code, not this page. -->

An event is one thing that one person did. It is known by (`source`, `event_id`) for ever: sending
it again changes nothing, and the same id with other content is answered `conflict`, the first one
wins. Fields that are not listed here are ignored; `attributes` takes whatever else there is.
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join(_parts()) + "\n"


def models() -> dict[EventType, type[EventBase]]:
    """The model of each type of event."""
    found: dict[EventType, type[EventBase]] = {}
    for model in EventBase.__subclasses__():
        for word in get_args(model.model_fields["event_type"].annotation):
            found[EventType(word)] = model
    return {kind: found[kind] for kind in EventType}


def required(kind: EventType) -> list[str]:
    """The fields that a type needs beyond those that all events need."""
    model = models()[kind]
    return [
        name
        for name, field in model.model_fields.items()
        if field.is_required() and not EventBase.model_fields[name].is_required()
    ]


def _parts() -> Iterator[str]:
    yield _OPENING
    yield from _types()
    yield from _fields("Fields", EventBase, _OF_EVENTS)
    yield from _fields("A line of an order (`lines[]`)", LineIn)
    yield from _fields("A place of a shown list (`impression[]`)", ShownIn)
    yield from _fields("`context`", ContextIn)
    yield from _fields("`consent`", ConsentIn)
    yield from _rules()
    yield from _words("What becomes of a row (`status`)", "Status", STATES)
    yield from _words("Why a row is not taken (`code`)", "Code", CODES)
    yield from _words("What is thought of a stored row (`flags`)", "Flag", FLAGS)
    yield from _examples()


def _types() -> Iterator[str]:
    yield "## Types\n"
    yield "| Type | What happened | Also required | Effect | Edge | Weight | Half-life, days |"
    yield "|---|---|---|---|---|---|---|"
    for kind, model in models().items():
        also = ", ".join(f"`{name}`" for name in required(kind)) or "-"
        if kind is EventType.PURCHASE:
            also += ", and `lines` or `item_id`"
        behaviour = ITEM_BEHAVIOURS.get(kind)
        figures = (
            f"`{behaviour.relationship}` | {behaviour.weight:g} | {behaviour.half_life_days:g}"
            if behaviour
            else "- | - | -"
        )
        said = DEEDS.get(kind) or _one_line(model.__doc__).replace("``", "`")
        yield f"| `{kind}` | {said} | {also} | {EFFECTS[kind]} | {figures} |"
    yield ""


_OF_EVENTS = "All types take all of them; a type needs those of the table above as well."


def _fields(title: str, model: type[BaseModel], note: str = "") -> Iterator[str]:
    schema = model.model_json_schema()["properties"]
    yield f"## {title}\n"
    if note:
        yield note + "\n"
    yield "| Field | Type | | Meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        need = "required" if field.is_required() else ""
        yield f"| `{name}` | {_form(schema[name])} | {need} | {_one_line(field.description)} |"
    yield ""


def _form(schema: Mapping[str, Any]) -> str:
    """A JSON schema in few words."""
    for part in schema.get("anyOf", ()):
        if part.get("type") != "null":
            return _form(part)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if "$ref" in schema:
        return "object"
    if schema.get("format") == "date-time":
        return "time"
    if schema["type"] == "array":
        return f"list of {schema['minItems']} to {schema['maxItems']}"
    if schema["type"] == "string":
        return _text_form(schema)
    if "minimum" not in schema:
        return str(schema["type"])
    return f"{schema['type']}, {schema['minimum']:,.0f} to {schema['maximum']:,.0f}"


def _text_form(schema: Mapping[str, Any]) -> str:
    if schema.get("minLength") == 1:
        return "id"
    if "maxLength" in schema:
        return f"text, at most {schema['maxLength']} characters"
    return "three capital letters" if schema.get("pattern") == "^[A-Z]{3}$" else "text"


def _rules() -> Iterator[str]:
    garbage = ", ".join(f"`{word}`" if word else "empty" for word in sorted(GARBAGE_IDS))
    yield "## Rules\n"
    yield (
        f"- **Ids** are opaque and byte-exact: 1 to {MAX_ID_BYTES} bytes of UTF-8 without control "
        "characters, never trimmed, lower-cased or made numbers. Refused, whatever the letter case "
        f"and outer blanks: {garbage}."
    )
    yield "- **`null`** counts as absent."
    yield (
        "- **Times** are ISO-8601 text with a zone, kept to the millisecond, finer digits cut. A "
        "number is refused, since nothing tells its unit; so is a text without a zone. Nothing is "
        "guessed."
    )
    yield (
        "- **Clocks.** With `sent_at`, a device whose smallest (received - sent) of the last hours "
        f"is beyond {FUTURE_CLAMP_MS // 60_000} minutes is corrected by that, all of its events "
        "alike; the time it told is kept beside."
    )
    yield (
        f"- **Ahead and late**, after that: more than {FUTURE_CLAMP_MS // 60_000} minutes ahead is "
        f"stored as of its receipt; more than {FUTURE_LIMIT_MS // 3_600_000} hours ahead, or "
        f"before 1990, is put aside; more than {LATE_MS // DAY_MS} days old is stored and out of "
        "live signals. Imported history is never late."
    )
    yield (
        "- **Money** is a whole number of the smallest unit, with `currency`; neither without the "
        "other."
    )
    yield (
        f"- **Sizes**: a row at most {MAX_ROW_BYTES // 1024} KiB, its `attributes` at most "
        f"{MAX_ATTRIBUTES_BYTES // 1024} KiB."
    )
    yield (
        "- **Retries** keep `event_id` and `event_time` and renew `sent_at`, which is no part of "
        "the content; neither is `received_at`, which is ours whatever a client says."
    )
    yield ""


def _words(title: str, head: str, words: Mapping[Any, str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"| {head} | Meaning |"
    yield "|---|---|"
    for word, meaning in words.items():
        yield f"| `{word}` | {meaning} |"
    yield ""


def _examples() -> Iterator[str]:
    yield "## Examples\n"
    yield "One of each type, with little more than it needs.\n"
    yield "```json"
    yield from EXAMPLES.values()
    yield "```"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).removesuffix(".")


if __name__ == "__main__":
    sys.stdout.write(page())
