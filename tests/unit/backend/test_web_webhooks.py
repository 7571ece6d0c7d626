"""Signed reports of a shop's own systems."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.factories import NOW_MS, World, world
from workers.intake.deliveries import Webhook

SECRET = b"till-webhook-secret"
EVENT = {
    "event_type": "purchase", "event_id": "17", "order_id": "17", "user_id": "u-1",
    "event_time": "2025-10-09T08:00:00Z", "lines": [{"line": 1, "item_id": "A"}],
}  # fmt: skip


@dataclass
class KnownDeliveries:
    """Signatures in memory."""

    known: set[tuple[str, str]] = field(default_factory=set)

    def is_known(self, name: str, signature: str) -> bool:
        return (name, signature) in self.known

    def note(self, name: str, signature: str) -> None:
        self.known.add((name, signature))


def listening() -> World:
    """An application that a till may report to."""
    till = Webhook("till", SECRET, lambda body: body["orders"])
    return world(webhooks={"till": till}, deliveries=KnownDeliveries())


def send(
    one: World,
    body: Any,
    *,
    secret: bytes = SECRET,
    at_s: int | str = NOW_MS // 1_000,
    name: str = "till",
    sent: bytes | None = None,
) -> TestResponse:
    """Report a body, signed; ``sent`` is what travels in its place."""
    raw = json.dumps(body).encode()
    digest = hmac.new(secret, f"{at_s}.".encode() + raw, hashlib.sha256).hexdigest()
    headers = {"X-Shopgraph-Timestamp": str(at_s), "X-Shopgraph-Signature": f"sha256={digest}"}
    url = f"/v1/webhooks?connector={name}"
    return one.client.post(url, data=raw if sent is None else sent, headers=headers)


def test_a_signed_report_is_taken() -> None:
    """It is on disk with the 202, and answered row by row."""
    one = listening()
    answer = send(one, {"orders": [EVENT]})
    assert (answer.status_code, answer.json["accepted"]) == (202, 1)
    assert len(one.stream.taken) == 1


@pytest.mark.parametrize(
    "how",
    [{"secret": b"other"}, {"sent": b"{}"}, {"name": "nobody"}],
    ids=["another secret", "another body", "an unknown name"],
)
def test_what_is_not_signed_is_refused(how: dict[str, Any]) -> None:
    """Nor does the answer say which names there are, or what was expected."""
    one = listening()
    answer = send(one, {"orders": [EVENT]}, **how)
    assert (answer.status_code, answer.json["code"]) == (401, "signature_wrong")
    assert one.stream.taken == []
    assert "till" not in answer.text


@pytest.mark.parametrize("at_s", [NOW_MS // 1_000 - 301, NOW_MS // 1_000 + 301, "", "now"])
def test_an_old_report_is_refused_however_well_it_is_signed(at_s: int | str) -> None:
    """Who recorded it cannot send it again later."""
    one = listening()
    answer = send(one, {"orders": [EVENT]}, at_s=at_s)
    assert (answer.status_code, answer.json["code"]) == (401, "signature_expired")
    assert one.stream.taken == []


def test_a_report_that_comes_again_is_taken_once() -> None:
    """The sender missed the answer: it hears that all is well."""
    one = listening()
    assert send(one, {"orders": [EVENT]}).status_code == 202
    again = send(one, {"orders": [EVENT]})
    assert (again.status_code, again.json["duplicate"], again.json["accepted"]) == (202, 1, 0)
    assert len(one.stream.taken) == 1


def test_a_report_that_could_not_be_stored_may_come_again() -> None:
    """It counts as known only once it is on disk."""
    one = listening()
    one.stream.is_away = True
    assert send(one, {"orders": [EVENT]}).status_code == 503
    one.stream.is_away = False
    assert send(one, {"orders": [EVENT]}).json["accepted"] == 1


def test_a_report_of_nothing_and_one_that_is_no_json() -> None:
    """The first is well, the second is not."""
    one = listening()
    assert send(one, {"orders": []}).status_code == 202
    raw = b"<order/>"
    digest = hmac.new(SECRET, f"{NOW_MS // 1_000}.".encode() + raw, hashlib.sha256).hexdigest()
    headers = {
        "X-Shopgraph-Timestamp": str(NOW_MS // 1_000), "X-Shopgraph-Signature": f"sha256={digest}",
    }  # fmt: skip
    answer = one.client.post("/v1/webhooks?connector=till", data=raw, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_json")
