"""The page about events says what the code does."""

import re
from pathlib import Path

import orjson
import pytest

from graph.domain.events import ITEM_BEHAVIOURS, EventType
from workers.intake import faults
from workers.intake.door import Door
from workers.intake.explained import CODES, EFFECTS, EXAMPLES, FLAGS, STATES
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.reference import models, page, required
from workers.intake.rows import Status
from workers.intake.schema import EventBase

ROOT = Path(__file__).parents[3]
NOW = 1_772_700_000_000
DOOR = Door(Pseudonyms(b"p" * 32, bytes(range(64))))


def test_the_page_in_the_repository_is_the_one_that_the_code_makes() -> None:
    """Made anew by ``python -m workers.intake.reference > docs/events.md``."""
    assert (ROOT / "docs" / "events.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("kind", list(EventType))
def test_each_type_has_its_model_its_effect_and_an_example_that_is_taken(kind: EventType) -> None:
    """The example is a row of that type, and the door takes it."""
    assert kind in models()
    assert EFFECTS[kind]
    row = orjson.loads(EXAMPLES[kind])
    (result,) = DOOR.check([row], default_source="web", received_ms=NOW).rows
    assert (row["event_type"], result.status, result.flags) == (kind, Status.ACCEPTED, ())


@pytest.mark.parametrize("kind", list(EventType))
def test_without_a_field_that_the_page_requires_a_row_is_refused(kind: EventType) -> None:
    """And with the fields it names alone, no row of the type is short of one."""
    row = orjson.loads(EXAMPLES[kind])
    for name in ["event_id", "event_time", *required(kind)]:
        short = {field: value for field, value in row.items() if field != name}
        (result,) = DOOR.check([short], default_source="web", received_ms=NOW).rows
        assert "missing_field" in {fault.code for fault in result.faults}, name


def test_every_field_and_every_figure_is_on_the_page() -> None:
    """With a meaning beside it."""
    said = page()
    for name in EventBase.model_fields:
        assert re.search(rf"^\| `{name}` \| [^|]+ \|[^|]*\| [^|]+ \|$", said, re.MULTILINE), name
    for kind, behaviour in ITEM_BEHAVIOURS.items():
        figures = (
            f"`{behaviour.relationship}` | {behaviour.weight:g} | {behaviour.half_life_days:g}"
        )
        assert f"| `{kind}` |" in said
        assert figures in said
    assert "None" not in said.replace("`none`", "")


def test_codes_states_and_flags_are_those_of_the_code() -> None:
    """No word is given out that is not explained."""
    sources = "".join(
        (ROOT / "workers" / f"{name}.py").read_text(encoding="utf-8")
        for name in (
            *(f"intake/{name}" for name in ("faults", "door", "attributes", "ids", "times")),
            "connectors/robot/door",
        )
    )
    given = set(re.findall(r'(?:Fault|PydanticCustomError)\(\s*"(\w+)"', sources))
    given |= set(re.findall(r'return "(\w+)"', Path(faults.__file__).read_text(encoding="utf-8")))
    given.discard("event_type")  # the field of a fault, not its code
    assert given | {"invalid_text", "erased"} == CODES.keys()
    assert set(STATES) == set(Status)
    assert all(f'"{flag}"' in sources for flag in FLAGS)
