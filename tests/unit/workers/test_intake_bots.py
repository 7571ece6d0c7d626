"""Programs are told from people, flagged, and stored all the same."""

from typing import Any

import pytest

from workers.intake.bots import is_robot
from workers.intake.door import Door
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Caller, RowResult, Seen, Status

NOW = 1_772_352_000_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HEADLESS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "HeadlessChrome/140.0.0.0 Safari/537.36"
)


def send(caller: Caller | None, *, seen: Seen | None = None, **changes: Any) -> RowResult:
    """What becomes of one good view."""
    row = {
        "event_id": "e1",
        "event_type": "view",
        "user_id": "u-17",
        "device_id": "phone",
        "item_id": "SKU-1",
        "event_time": "2026-03-01T08:00:00Z",
    } | changes
    checked = Door(PSEUDONYMS).check(
        [row], default_source="web", received_ms=NOW, caller=caller, seen=seen or Seen()
    )
    assert checked.rows[0].status is Status.ACCEPTED
    assert checked.events[0].flags == checked.rows[0].flags
    assert "user_agent" not in (checked.events[0].context or "")
    return checked.rows[0]


@pytest.mark.parametrize(
    ("user_agent", "is_one"),
    [
        (FIREFOX, False),
        (PHONE, False),
        (GOOGLEBOT, True),
        (HEADLESS, True),
        ("Mozilla/5.0 PhantomJS/2.1.1", True),
        ("python-requests/2.32", True),
        ("curl/8.5", True),
    ],
)
def test_programs_are_known_by_name(user_agent: str, is_one: bool) -> None:
    """Crawlers, scripts, and browsers without a screen; not what people use."""
    assert is_robot(user_agent) is is_one


@pytest.mark.parametrize("user_agent", [GOOGLEBOT, HEADLESS, "", None])
def test_a_browser_key_is_used_by_browsers(user_agent: str | None) -> None:
    """Whoever names itself a program, or names itself not at all, is one."""
    assert send(Caller("web", is_browser=True, user_agent=user_agent)).flags == ("bot",)


@pytest.mark.parametrize("user_agent", ["python-requests/2.32", None, FIREFOX])
def test_a_server_is_a_program_and_speaks_for_people(user_agent: str | None) -> None:
    """Its own name says nothing about them."""
    assert send(Caller("shop", user_agent=user_agent)).flags == ()


@pytest.mark.parametrize(
    ("context", "flags"),
    [
        ({"user_agent": GOOGLEBOT}, ("bot",)),
        ({"user_agent": FIREFOX}, ()),
        ({"automated": True}, ("bot",)),
        ({"automated": False}, ()),
        ({"page": "/"}, ()),
    ],
)
@pytest.mark.parametrize("caller", [Caller("shop"), Caller("web", True, FIREFOX), None])
def test_a_row_may_tell_of_a_program(
    context: dict[str, Any], flags: tuple[str, ...], caller: Caller | None
) -> None:
    """From a server, a browser and an import alike; what tells it is not stored."""
    assert send(caller, context=context).flags == flags


def test_a_device_that_was_too_fast_is_one() -> None:
    """The stores count; the door believes them, for that device alone."""
    seen = Seen(robots=frozenset({PSEUDONYMS.device("phone")}))
    browser = Caller("web", True, FIREFOX)
    assert send(browser, seen=seen).flags == ("bot",)
    assert send(browser, seen=seen, device_id="tablet").flags == ()


def test_flags_stand_beside_each_other() -> None:
    """A program may be late as well."""
    late = send(Caller("web", True, GOOGLEBOT), event_time="2026-01-01T08:00:00Z")
    assert late.flags == ("late", "bot")
