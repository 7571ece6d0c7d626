"""Connector files: what they may say, and what becomes of a record."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.platforms.rest import FORM
from tests.platforms.setups import KeptTokens
from tests.platforms.shop import BEGIN_MS, FakeClock
from workers.connectors import registry
from workers.connectors.connector import Clock, Raw
from workers.connectors.errors import (
    PlatformTrouble,
    SourceMissing,
    SourceUnreadable,
    UnknownConnector,
)
from workers.connectors.job import bells
from workers.connectors.rest_form import read_rest_form
from workers.connectors.settings import ConnectorSettings
from workers.connectors.webhooks import webhooks
from workers.jobs import Jobs

PLAIN = """
name = "desk"
base_url = "https://desk.example"
[auth]
kind = "key"
header = "X-Key"
[[lists]]
path = "/notes"
since = "from"
until = "to"
asks = "wall"
zone = "Asia/Shanghai"
records = "notes"
modified = "at"
pages = { kind = "cursor", next = "next" }
[lists.event]
event_type = "kind"
event_id = "id"
event_time = "at"
user_id = "who"
item_id = "what"
price = "paid"
currency = "coin"
"""
HOOK = """
[[webhook.lists]]
records = "[@]"
[webhook.lists.event]
event_type = "'view'"
event_id = "id"
event_time = "at"
"""


def read(
    folder: Path, *answers: dict[str, Any], seen: list[httpx.Request] | None = None
) -> list[Raw]:
    """What a connector of this file makes of these answers."""
    (folder / "desk.toml").write_text(PLAIN)
    settings = ConnectorSettings(connector_folder=folder, connector_secrets={"desk": "key-1"})  # type: ignore[dict-item]
    left, clock = list(answers), FakeClock()

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        means = registry.Means(http, KeptTokens(), Clock(clock.now_ms, clock.sleep))
        connector = registry.build("desk", settings, means)
        return list(connector.read(BEGIN_MS - 60_000, BEGIN_MS))


def note(number: int, **more: Any) -> dict[str, Any]:
    """A record."""
    told = {"id": f"n{number}", "kind": "cart", "at": "2026-03-01T15:59:30Z", "who": "u-1"}
    return {**told, "what": "A", **more}


def test_fields_are_found_and_prices_become_minor_units(tmp_path: Path) -> None:
    """By the currency that the record names; what is absent is left out."""
    told = {"notes": [note(1, paid="12.5", coin="JPY"), note(2)], "next": None}
    assert read(tmp_path, told) == [
        {"event_id": "n1", "event_type": "cart", "event_time": "2026-03-01T15:59:30Z",
         "user_id": "u-1", "item_id": "A", "price_minor": 12, "currency": "JPY"},
        {"event_id": "n2", "event_type": "cart", "event_time": "2026-03-01T15:59:30Z",
         "user_id": "u-1", "item_id": "A"},
    ]  # fmt: skip


def test_a_record_of_another_kind_is_left_to_the_door(tmp_path: Path) -> None:
    """It lacks what it should say, and is refused there for that."""
    told = {"notes": [{"id": 1, "at": 2}, note(2)], "next": None}
    assert [row.get("event_type") for row in read(tmp_path, told)] == [None, "cart"]


def test_the_window_is_asked_for_as_the_file_says_and_the_key_is_in_its_header(
    tmp_path: Path,
) -> None:
    """Never in the address, which is written into logs."""
    seen: list[httpx.Request] = []
    read(tmp_path, {"notes": [], "next": None}, seen=seen)
    assert dict(seen[0].url.params) == {"from": "2026-03-01 23:59:00", "to": "2026-03-02 00:00:00"}
    assert seen[0].headers["X-Key"] == "key-1"


def test_pages_are_followed_and_a_circle_is_seen(tmp_path: Path) -> None:
    """A cursor that comes again would be followed for ever."""
    one, two = {"notes": [note(1)], "next": "c"}, {"notes": [note(2)], "next": None}
    assert [row["event_id"] for row in read(tmp_path, one, two)] == ["n1", "n2"]
    with pytest.raises(PlatformTrouble, match="circle"):
        read(tmp_path, one)


@pytest.mark.parametrize("answer", [{"error": "no"}, {"notes": None}, {"notes": [], "next": "c"}])
def test_j2_an_answer_without_its_list_is_an_error(tmp_path: Path, answer: dict[str, Any]) -> None:
    """With status 200, too."""
    with pytest.raises(PlatformTrouble):
        read(tmp_path, answer)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("item_id", "item"), "no fields of events: item"),
        (('event_id = "id"\n', ""), "nothing says the event_id"),
        (('records = "notes"', 'records = "notes["'), "is no JMESPath expression"),
        (("[auth]", "[auth"), "is no TOML"),
        (("X-Key", 'X-Key"\nsecret = "x'), "secret: Extra inputs"),
        (('kind = "key"', 'kind = "basic"'), "auth"),
        (("Asia/Shanghai", "Asia/Nowhere"), "no known zone"),
        (('base_url = "https://desk.example"\n', ""), "lists need a base_url"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(
    change: tuple[str, str], sentence: str, tmp_path: Path
) -> None:
    """Before anything is asked."""
    path = tmp_path / "desk.toml"
    path.write_text(PLAIN.replace(*change))
    with pytest.raises(SourceUnreadable, match=sentence):
        read_rest_form(path)
    with pytest.raises(SourceMissing):
        read_rest_form(tmp_path / "other.toml")


def test_two_connectors_of_one_name_and_one_that_is_not_there(tmp_path: Path) -> None:
    """Both are named."""
    (tmp_path / "a.toml").write_text(FORM.format(url="https://a.example"))
    settings = ConnectorSettings(connector_folder=tmp_path)
    with pytest.raises(UnknownConnector, match="no connector jd is set up; there are: till"):
        registry.build("jd", settings, None)  # type: ignore[arg-type]
    (tmp_path / "b.toml").write_text(FORM.format(url="https://b.example"))
    with pytest.raises(SourceUnreadable, match="two connectors with the name till"):
        registry.set_up(settings)


def test_each_connector_has_its_bell(tmp_path: Path) -> None:
    """It asks for that connector alone, and a ring that nobody heard in time is void."""
    (tmp_path / "a.toml").write_text(FORM.format(url="https://a.example"))
    asked: list[tuple[str, float]] = []

    class Asking(Jobs):
        def pull(self, name: str, *, expires_s: float | None = None) -> None:
            asked.append((name, expires_s or 0))

    settings = ConnectorSettings(
        connector_folder=tmp_path, jd_app_key="k", pull_every_s=60, taobao_app_key=""
    )
    hung = bells(Asking("redis://127.0.0.1:1/0"), settings)
    assert [bell.name for bell in hung] == ["pull-jd", "pull-till"]
    for bell in hung:
        bell.ring()
    assert asked == [("jd", 60), ("till", 60)]


def test_a_webhook_needs_a_secret(tmp_path: Path) -> None:
    """Without one the start says which is missing."""
    (tmp_path / "desk.toml").write_text(PLAIN + HOOK)
    settings = ConnectorSettings(connector_folder=tmp_path)
    with pytest.raises(SourceUnreadable, match="SHOPGRAPH_WEBHOOK_SECRETS holds nothing for desk"):
        webhooks(settings)
    known = webhooks(settings.model_copy(update={"webhook_secrets": {"desk": _secret("s")}}))
    body = {"id": "e1", "at": "2026-03-01T15:59:30Z"}
    assert known["desk"].rows(body) == [
        {"event_type": "view", "event_id": "e1", "event_time": "2026-03-01T15:59:30Z"}
    ]


def _secret(text: str) -> Any:
    return ConnectorSettings(webhook_secrets={"x": text}).webhook_secrets["x"]  # type: ignore[dict-item]
