"""What the accept script looks up before it stores: consent, quotas, clocks, pace."""

from dataclasses import dataclass
from typing import Any

import orjson

from graph.domain.ids import UserId
from workers.intake.clocks import ABSURD_MS, Clock
from workers.intake.rows import Checked, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What is held against a key; 0 is no limit.

    Attributes:
        needs_consent_copy: nothing is stored while it is not known who denied.
    """

    name: str
    per_minute: int = 0
    per_day: int = 0
    bot_per_minute: int = 0
    needs_consent_copy: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether rows count, also those that are refused: they take room as dead letters."""
        return self.per_minute > 0 or self.per_day > 0


def facts_of(checked: Checked, limits: Limits | None) -> list[bytes]:
    """The last four arguments of the script: people, copy needed, facts, denials."""
    denials = orjson.dumps(sorted(checked.denials)) if checked.denials else b""
    if limits is None:
        return [b"", b"0", b"", denials]
    people = "".join(checked.people).encode()
    return [people, b"1" if limits.needs_consent_copy else b"0", _facts(checked, limits), denials]


def seen_in(answer: bytes) -> Seen:
    """What the script found."""
    found: dict[str, Any] = orjson.loads(answer.removeprefix(b"seen"))
    return Seen(
        clocks={device: _clock(told) for device, told in dict(found.get("clocks") or {}).items()},
        denied=frozenset(UserId(one) for one in found.get("denied", ())),
        erased=frozenset(UserId(one) for one in found.get("erased", ())),
        robots=frozenset(found.get("robots", ())),
        is_cold=bool(found.get("cold", False)),
        quota_s=None if "quota" not in found else max(1, int(found["quota"])),
    )


def _facts(checked: Checked, limits: Limits) -> bytes:
    samples = {
        device: [one.difference_ms, one.newest_ts]
        for device, one in checked.samples.items()
        if abs(one.difference_ms) <= ABSURD_MS
    }
    if not samples and not limits.is_counted and limits.bot_per_minute == 0:
        return b""
    facts: dict[str, Any] = {"now": checked.received_ms}
    if samples:
        facts["clocks"] = samples
    if limits.is_counted:
        facts |= {
            "name": limits.name,
            "rows": len(checked.rows),
            "minute": limits.per_minute,
            "day": limits.per_day,
        }
    if limits.bot_per_minute > 0 and checked.paces:
        facts |= {"bot": limits.bot_per_minute, "paces": checked.paces}
    return orjson.dumps(facts)


def _clock(told: list[Any]) -> Clock:
    offset, until, before = told
    # Lua says false where there is nothing.
    is_moved = until is not False and until is not None
    return Clock(int(offset), int(until) if is_moved else None, int(before or 0))
