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


def test_a_new_key_makes_new_pseudonyms_from_the_old_ones() -> None:
    """So what is stored can move without a raw id, and whoever brings one is met again."""
    both = Pseudonyms([b"p" * 32, b"q" * 32], [bytes(range(64)), bytes(range(1, 65))])
    for old, new in (
        (ONE.customer("u")[0], both.customer("u")[0]),
        (ONE.visitor("u"), both.visitor("u")),
        (ONE.device("u"), both.device("u")),
    ):
        assert old != new
        assert both.renewed(old, since=0) == new
        assert both.renewed(new, since=1) == new
    assert both.fingerprint_key == ONE.fingerprint_key, "what comes again is known again"
    assert both.key_ids[0] == ONE.key_ids[0]


def test_what_an_old_key_sealed_is_read_and_sealed_anew() -> None:
    """The old key alone does not read the new seal."""
    both = Pseudonyms([b"p" * 32, b"q" * 32], [bytes(range(64)), bytes(range(1, 65))])
    again = both.resealed(ONE.seal("u"))
    assert again == OTHER.seal("u") == both.seal("u")
    with pytest.raises(RefUnreadable):
        ONE.reveal(again)


def test_who_came_back_after_an_erasure_goes_by_another_name() -> None:
    """Each time another one; others keep theirs."""
    made = Pseudonyms(b"p" * 32, bytes(range(64)))
    first, other = made.customer("u")[0], made.customer("v")[0]
    names = [first]
    for turn in (1, 2):
        made.know_returned({first: turn})
        names.append(made.customer("u")[0])
    assert len(set(names)) == 3
    assert made.first(user_id="u") == first
    assert made.customer("v")[0] == other


def test_the_shops_own_id_can_be_had_back_with_the_key_alone() -> None:
    """Deterministic encryption: equal ids, equal texts."""
    ref = ONE.customer("颜-42")[1]
    assert ONE.reveal(ref) == "颜-42"
    with pytest.raises(RefUnreadable):
        OTHER.reveal(ref)
    with pytest.raises(RefUnreadable):
        ONE.reveal("no base64 ÄÖ")
