"""What processes tell each other of changed items, on a real Valkey."""

import time

import pytest
import redis

from graph.domain.ids import ItemId, UserId
from workers.intake import changes as module
from workers.intake.changes import EPOCH, PENDING, CatalogueChanges
from workers.intake.errors import StreamUnavailable
from workers.intake.online import OnlineState
from workers.intake.pages import KEPT_S, Listed, Pages

A, B, C = ItemId("a"), ItemId("颜色/红"), ItemId("c")


def test_a_change_raises_the_version_and_names_what_changed(redis_url: str) -> None:
    """Each item once, however often it changed; what changed before is not named."""
    changes = CatalogueChanges(redis_url)
    first = changes.stamp()
    for item_ids in ([A, B], [A], [C]):
        changes.begin(item_ids)
        changes.done(item_ids)
    now = changes.stamp()
    assert (now.epoch, now.version - first.version) == (first.epoch, 3)
    assert set(changes.since(first.version) or []) == {A, B, C}
    assert changes.since(now.version - 1) == [C]
    assert changes.since(now.version) == []


def test_what_is_being_changed_is_pending_until_it_is_done(redis_url: str) -> None:
    """Of a long list nobody names the items, but it is known that they are many."""
    changes = CatalogueChanges(redis_url)
    changes.begin([A, B])
    assert changes.stamp().pending == {A, B}
    changes.done([A])
    assert changes.stamp().pending == {B}
    many = [ItemId(f"i-{number}") for number in range(module.MOST_PENDING + 1)]
    changes.begin(many)
    assert changes.stamp().pending is None
    changes.done(many)
    assert changes.stamp().pending == {B}


def test_a_change_that_was_cut_short_is_settled_after_a_while(redis_url: str) -> None:
    """Everybody reads the item again, whatever became of the change."""
    changes = CatalogueChanges(redis_url)
    changes.begin([A])
    before = changes.stamp()
    assert changes.settle() == 0
    with redis.Redis.from_url(redis_url) as client:
        client.zadd(PENDING, {A: 1.0})
    assert changes.settle() == 1
    after = changes.stamp()
    assert (after.version, after.pending) == (before.version + 1, frozenset())
    assert changes.since(before.version) == [A]


def test_whoever_missed_too_much_reads_everything(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many changes are kept."""
    monkeypatch.setattr(module, "KEPT_CHANGES", 2)
    changes = CatalogueChanges(redis_url)
    start = changes.stamp().version
    for item_id in (A, B, C):
        changes.done([item_id])
    assert changes.since(start) is None
    assert changes.since(start + 1) == [B, C]


def test_a_valkey_that_lost_everything_begins_another_epoch(redis_url: str) -> None:
    """Its numbers must not be compared with those of before."""
    changes = CatalogueChanges(redis_url)
    first = changes.stamp()
    assert changes.stamp().epoch == first.epoch
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    assert changes.stamp().epoch != first.epoch


def test_a_person_is_looked_up_together_with_the_stamp(redis_url: str) -> None:
    """One round trip; before the first epoch there is no stamp."""
    online, changes = OnlineState(redis_url), CatalogueChanges(redis_url)
    assert online.recent(UserId("c_1")).stamp is None
    changes.done([A])
    changes.renewed()
    stamp = changes.stamp()
    assert online.recent(UserId("c_1")).stamp == stamp
    assert (stamp.version, stamp.vectors) == (1, 1)
    with redis.Redis.from_url(redis_url) as client:
        assert client.exists(EPOCH)


def test_with_valkey_away_nobody_may_change_items() -> None:
    """Nobody could be told."""
    with pytest.raises(StreamUnavailable):
        CatalogueChanges("redis://127.0.0.1:1/0").begin([A])


def test_the_rest_of_a_list_is_kept_as_it_was_ranked(redis_url: str) -> None:
    """Scores, ids with any characters, and places without a score; under a name of its own."""
    pages = Pages(redis_url)
    listed = Listed(
        level="personal",
        model_version="m-1",
        items=[("a", 0.1 + 0.2), (B, -3.5), ("🙂", None)],
        user_id="c_1",
    )
    name = pages.keep(listed)
    assert pages.find(name) == listed
    assert Pages(redis_url).find(name) == listed, "by another process"
    assert pages.keep(listed) != name
    assert pages.find("0" * 32) is None
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl(f"shopgraph:page:{name}") <= KEPT_S


def test_a_list_that_cannot_be_kept_has_no_name_once_that_is_known() -> None:
    """The first one is written behind the answer; after that every answer knows."""
    pages = Pages("redis://127.0.0.1:1/0", rest_s=0.01)
    listed = Listed(level="popular", model_version=None, items=[("a", 1.0)])
    until = time.monotonic() + 10

    def keep_on() -> None:
        while time.monotonic() < until:
            pages.keep(listed)

    with pytest.raises(StreamUnavailable):
        keep_on()
