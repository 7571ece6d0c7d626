"""Pseudonyms: stable, apart by kind, and not to be undone without the key."""

import pytest

from workers.intake.errors import RefUnreadable
from workers.intake.pseudonyms import Pseudonyms

ONE = Pseudonyms(b"p" * 32, bytes(range(64)))
OTHER = Pseudonyms(b"q" * 32, bytes(range(1, 65)))


def test_the_same_id_has_always_the_same_pseudonym() -> None:
    """Over processes, too: nothing is random."""
    again = Pseudonyms(b"p" * 32, bytes(range(64)))
    assert ONE.customer("u-1") == again.customer("u-1")
    assert len(ONE.customer("u-1")[0]) == 24


def test_kinds_and_keys_stay_apart() -> None:
    """One raw id as customer, visitor and device, under two keys: six pseudonyms."""
    made = {
        maker
        for keys in (ONE, OTHER)
        for maker in (keys.customer("x")[0][2:], keys.visitor("x")[2:], keys.device("x")[2:])
    }
    assert len(made) == 6


def test_the_shops_own_id_can_be_had_back_with_the_key_alone() -> None:
    """Deterministic encryption: equal ids, equal texts."""
    ref = ONE.customer("颜-42")[1]
    assert ONE.reveal(ref) == "颜-42"
    with pytest.raises(RefUnreadable):
        OTHER.reveal(ref)
    with pytest.raises(RefUnreadable):
        ONE.reveal("no base64 ÄÖ")
