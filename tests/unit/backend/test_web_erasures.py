"""Erasing over HTTP, and what a process forgets when somebody was erased."""

from typing import Any

import pytest

from backend.forgetting import Forgetting
from backend.kept import Kept
from graph import tombstones
from graph.domain.ids import UserId
from graph.errors import GraphUnavailable
from tests.factories import ADMIN, NOW_MS, FakeChanges, FakeGraph, world
from workers.intake.changes import Stamp
from workers.intake.pseudonyms import Pseudonyms


def test_a_person_is_erased_by_the_pseudonym_and_the_receipt_names_nobody() -> None:
    """By either id; times are told as text."""
    here = world()
    for who in ({"user_id": "u-1"}, {"anonymous_id": "u-1"}):
        answer = here.client.post("/v1/erasures", json=who, headers=ADMIN)
        assert answer.status_code == 200
        assert answer.json == {
            "receipt_id": "e-1",
            "state": "done",
            "requested_at": "2025-10-09T08:53:20.000Z",
            "finished_at": "2025-10-09T08:53:20.000Z",
            "retrain_by": "2025-10-09T08:53:20.000Z",
            "counts": {},
        }
    erased = here.app.extensions["shopgraph"].erasures.erased
    assert [one[:2] for one in erased] == ["c_", "v_"]


@pytest.mark.parametrize("body", [{}, {"user_id": "null"}, {"user_id": 7}, {"user": "u"}])
def test_whom_to_erase_must_be_said(body: dict[str, Any]) -> None:
    """A wrong word erases nobody."""
    here = world()
    assert here.client.post("/v1/erasures", json=body, headers=ADMIN).status_code == 422
    assert here.app.extensions["shopgraph"].erasures.erased == []


def test_of_somebody_who_was_erased_no_consent_is_stored_but_a_grant() -> None:
    """A sentence says what would let them in."""
    here = world(answers={tombstones.among: {UserId("c_1")}})
    said = {"user_id": "u-1", "collection": "denied"}
    answer = here.client.put("/v1/consent", json=said, headers=ADMIN)
    assert (answer.status_code, answer.json["code"]) == (409, "erased")


class Counted(FakeChanges):
    """A shop in which somebody was erased now and then."""

    erasures = 0

    def stamp(self) -> Stamp:
        """How far it has come."""
        self._answer()
        return Stamp("e-1", 0, 0, frozenset(), self.erasures)


def test_what_was_kept_of_anybody_goes_when_somebody_is_erased() -> None:
    """Once for each change; a store that is away is asked again."""
    kept: Kept[str] = Kept(now_ms=lambda: NOW_MS)
    graph = FakeGraph({tombstones.generations: {}})
    shop = Counted()
    forgetting = Forgetting(graph, shop, Pseudonyms(b"p" * 32, b"e" * 64), [kept])
    forgetting.keep_in_step()
    kept.put("ann", "her list", until_ms=NOW_MS + 9)
    forgetting.keep_in_step()
    assert kept.get("ann") == "her list"
    shop.erasures = 1
    graph.is_away = True
    with pytest.raises(GraphUnavailable):
        forgetting.keep_in_step()
    graph.is_away = False
    forgetting.keep_in_step()
    assert kept.get("ann") is None


def test_while_valkey_is_away_nothing_is_dropped() -> None:
    """Nobody can be erased meanwhile."""
    kept: Kept[str] = Kept(now_ms=lambda: NOW_MS)
    shop = Counted()
    shop.is_away = True
    kept.put("ann", "her list", until_ms=NOW_MS + 9)
    Forgetting(FakeGraph(), shop, Pseudonyms(b"p" * 32, b"e" * 64), [kept]).keep_in_step()
    assert kept.get("ann") == "her list"
