"""Times at the door: one documented rule per form, nothing guessed."""

import os
import subprocess
import sys

import pytest
from pydantic_core import PydanticCustomError

from workers.intake.clocks import Clock
from workers.intake.times import DAY_MS, EpochMs, Moment, clocked, parse_time

NOW = 1_772_000_000_000


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-03-01T08:00:00.123Z", 1_772_352_000_123),
        ("2026-03-01T16:00:00.123+08:00", 1_772_352_000_123),
        ("2026-03-01 08:00:00.123z", 1_772_352_000_123),
        ("2026-03-01T08:00:00,123999999Z", 1_772_352_000_123),
        ("2026-03-01T08:00Z", 1_772_352_000_000),
        ("2026-03-01T04:30:00-0330", 1_772_352_000_000),
        ("2026-03-02T00:00:00+08:00", 1_772_380_800_000),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_b6_text_with_a_zone_is_one_moment_and_finer_digits_are_cut(
    text: str, expected_ms: int
) -> None:
    """The same text means the same moment, whatever the server's zone."""
    assert parse_time(text) == expected_ms


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "invalid_time"),
        ("2025-02-30T00:00:00Z", "invalid_time"),
        ("10013-01-01T00:00:00Z", "invalid_time"),
        ("2026-03-01", "invalid_time"),
        ("2026-03-01x08:00:00Z", "invalid_time"),
        ("2026-03-01T25:00:00Z", "invalid_time"),
        ("yesterday", "invalid_time"),
        ("٢٠٢٦-03-01T08:00:00Z", "invalid_time"),
        ("2026-03-01T08:00:00", "time_without_zone"),
        (1_772_352_000, "invalid_time"),
        (1_772_352_000_123, "invalid_time"),
        (1.5, "invalid_time"),
        (float("nan"), "invalid_time"),
        (True, "invalid_time"),
        (None, "invalid_time"),
    ],
)
def test_b5_everything_else_is_refused_with_a_reason(raw: object, code: str) -> None:
    """Numbers are refused, since nothing tells their unit; nothing becomes now."""
    with pytest.raises(PydanticCustomError) as caught:
        parse_time(raw)
    assert caught.value.type == code


@pytest.mark.parametrize(
    ("number", "unit"),
    [
        (1_772_352_000, "s"),
        (1_772_352_000_000, "ms"),
        (1_772_352_000_000_000, "us"),
        (1_772_352_000_000_000_000, "ns"),
    ],
)
def test_a_number_whose_unit_is_named_is_a_time(number: int, unit: str) -> None:
    """Adapters know the unit of their platform and say it."""
    assert parse_time(EpochMs.of(number, unit)) == 1_772_352_000_000  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event_ts", "ts", "flags"),
    [
        (NOW, NOW, ()),
        (NOW + 5 * 60_000, NOW + 5 * 60_000, ()),
        (NOW + 5 * 60_000 + 1, NOW, ("future_clamped",)),
        (NOW + DAY_MS, NOW, ("future_clamped",)),
        (NOW + DAY_MS + 1, None, ()),
        (NOW - 30 * DAY_MS, NOW - 30 * DAY_MS, ()),
        (NOW - 30 * DAY_MS - 1, NOW - 30 * DAY_MS - 1, ("late",)),
        (631_152_000_000, 631_152_000_000, ("late",)),
        (631_151_999_999, None, ()),
    ],
)
def test_b4_future_late_and_impossible_times(
    event_ts: int, ts: int | None, flags: tuple[str, ...]
) -> None:
    """A little ahead is clamped and flagged, far ahead and before 1990 have no time at all."""
    moment = clocked(event_ts, received_ms=NOW, imported=False)
    assert (moment.ts, moment.flags) == (ts, flags)
    assert moment.device_ts == (event_ts if ts not in (None, event_ts) else None)


def test_imported_history_is_never_late() -> None:
    """It counts as received when it happened."""
    old = NOW - 900 * DAY_MS
    assert clocked(old, received_ms=NOW, imported=True) == Moment(old)


@pytest.mark.parametrize(
    ("clock", "said", "ts"),
    [
        (Clock(-600_000), NOW + 600_000, NOW),
        (Clock(600_000), NOW - 600_000, NOW),
        (Clock(-2 * DAY_MS), NOW + 2 * DAY_MS, NOW),
        (Clock(56 * 365 * DAY_MS), NOW - 56 * 365 * DAY_MS, NOW),
    ],
)
def test_the_rules_hold_for_the_time_after_correction(clock: Clock, said: int, ts: int) -> None:
    """A phone that thinks it is 1970 tells a good time once its clock is known."""
    moment = clocked(said, received_ms=NOW, imported=False, clock=clock)
    assert moment == Moment(ts, said, ("skew_corrected",))


def test_b2_a_clock_that_shrinks_never_places_a_later_event_before_an_earlier_one() -> None:
    """What was corrected keeps its offset, and what follows stands behind it."""
    clock = Clock(-600_000, until_ts=NOW, before_ms=0)
    times = [NOW - 1, NOW, NOW + 1, NOW + 300_000, NOW + 599_999, NOW + 700_000]
    read = [clock.read(ts) for ts in times]
    assert read == sorted(read)
    assert read[1] == NOW
    assert read[-1] == NOW + 100_000


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/St_Johns", "Pacific/Apia"])
def test_b6_the_server_s_zone_changes_nothing(zone: str) -> None:
    """The same moments whatever the machine thinks the time is, also around midnight."""
    code = (
        "from workers.intake.times import parse_time as p; "
        "print(p('2026-03-01T23:59:59.999+08:00'), p('2026-03-02T00:00:00+08:00'), "
        "p('2026-03-01T16:00:00Z'), p('2026-03-29T02:30:00+01:00'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TZ": zone},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [
        "1772380799999", "1772380800000", "1772380800000", "1774747800000"
    ]  # fmt: skip
