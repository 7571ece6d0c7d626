"""What a person did a moment ago: a copy of the graph in Valkey, quick to ask."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import orjson

from graph.domain.events import ITEM_BEHAVIOURS, Event, EventType
from graph.domain.ids import ItemId, UserId
from graph.events import PastEvent
from workers.intake.changes import STAMP, STAMP_KEYS, Stamp, read_stamp
from workers.intake.consent import ERASED, denied_key
from workers.intake.valkey import Question, connect, ours

KEPT_EVENTS = 50
KEPT_S = 14 * 86_400
_NOTHING = b"-"
_DENIED = denied_key("personalisation")
_ERASED = denied_key(ERASED)

_REMEMBER = """
for user, pairs in pairs(cjson.decode(ARGV[1])) do
  local list, state = 'shopgraph:recent:' .. user, 'shopgraph:state:' .. user
  local is_gone = redis.call('SISMEMBER', KEYS[1], user) == 1
  if not is_gone then
    redis.call('INCR', state)
    redis.call('EXPIRE', state, ARGV[2])
  end
  if is_gone or #pairs == 0 then
    redis.call('DEL', list)
  elseif redis.call('EXISTS', list) == 1 then
    redis.call('ZADD', list, unpack(pairs))
    redis.call('ZREMRANGEBYRANK', list, 0, -1 - tonumber(ARGV[3]))
  end
end
"""
_LOOK = f"""
{STAMP}
local held, state = redis.call('ZREVRANGE', KEYS[6], 0, -1), redis.call('GET', KEYS[7])
return {{held, state, redis.call('SISMEMBER', KEYS[8], ARGV[1]), stamp()}}
"""
_FILL = """
if (redis.call('GET', KEYS[2]) or '0') ~= ARGV[1] then return 0 end
if redis.call('SISMEMBER', KEYS[3], ARGV[3]) == 1 then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[1], unpack(ARGV, 4))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""
"""A list read from the graph counts only if nothing happened since the state was asked."""


class Held(Sequence[PastEvent]):
    """Events as Valkey holds them, read only if somebody looks: a kept answer needs none."""

    def __init__(self, members: Sequence[bytes]) -> None:
        self._members = [member for member in members if member != _NOTHING]

    @cached_property
    def _events(self) -> list[PastEvent]:
        return [_past(member) for member in self._members]

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, at: int) -> PastEvent: ...
    @overload
    def __getitem__(self, at: slice) -> list[PastEvent]: ...
    def __getitem__(self, at: int | slice) -> PastEvent | list[PastEvent]:
        return self._events[at]

    def __iter__(self) -> Iterator[PastEvent]:
        return iter(self._events)


@dataclass(frozen=True, slots=True)
class Recent:
    """
    What is known of a person's last events.

    Attributes:
        events: newest first; ``None`` when no copy is held and the graph must be asked.
        state: changes whenever the person does something.
        is_denied: the person does not want lists of their own.
        stamp: how far the shop has come, asked together with the rest.
    """

    events: Sequence[PastEvent] | None
    state: int
    is_denied: bool = False
    stamp: Stamp | None = None


class OnlineState:
    """
    The last events per person.

    Lists are made only by ``fill``, from the graph; ``remember`` adds to those that exist. So a
    list is never half of the truth, also after Valkey lost everything.
    """

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)
        self._remember = self._client.register_script(_REMEMBER)
        self._fill = self._client.register_script(_FILL)
        self._look = Question(self._client, _LOOK)

    def remember(
        self,
        events: Iterable[Event],
        *,
        siblings: Mapping[UserId, Iterable[UserId]] | None = None,
        changed: Iterable[UserId] = (),
    ) -> None:
        """
        Add events that are new in the graph now; doing it twice changes no list.

        Args:
            siblings: other ids of the same people, who did this as well.
            changed: people whose list has to be read from the graph again.
        """
        by_user: dict[str, dict[str, int]] = defaultdict(dict)
        others = siblings or {}
        for event in events:
            if event.type in ITEM_BEHAVIOURS and event.item_id is not None:
                past = PastEvent(event.type, event.item_id, event.ts, event.price_minor)
                member = _member(past).decode()
                by_user[event.user_id][member] = event.ts
                for other in others.get(event.user_id, ()):
                    by_user[other][member] = event.ts
        pairs = {user: _newest(members) for user, members in by_user.items()}
        pairs |= {user: [] for user in changed}
        if pairs:
            with ours():
                self._remember(keys=[_ERASED], args=[orjson.dumps(pairs), KEPT_S, KEPT_EVENTS])

    def recent(self, user_id: UserId) -> Recent:
        """The last events of a person; raises ``StreamUnavailable``."""
        keys = (*STAMP_KEYS, _list_key(user_id), _state_key(user_id), _DENIED)
        with ours():
            members, state, is_denied, shop = self._look.ask(keys, [user_id])
        events = Held(members) if members else None
        return Recent(events, int(state or 0), bool(is_denied), read_stamp(shop))

    def fill(self, user_id: UserId, events: Sequence[PastEvent], state: int) -> bool:
        """
        Hold what the graph knows of a person, unless more happened since ``state`` was asked.

        Returns:
            Whether it is held.
        """
        pairs: list[Any] = [-1, _NOTHING]
        for event in events[:KEPT_EVENTS]:
            pairs += (event.ts, _member(event))
        keys = [*keys_of(user_id), _ERASED]
        with ours():
            return bool(self._fill(keys=keys, args=[str(state), KEPT_S, user_id, *pairs]))

    def ping(self) -> None:
        """Ask for a sign of life; raises ``StreamUnavailable``."""
        with ours():
            self._client.ping()


def _newest(members: dict[str, int]) -> list[str]:
    newest = sorted(members.items(), key=lambda pair: (-pair[1], pair[0]))[:KEPT_EVENTS]
    return [text for member, ts in newest for text in (str(ts), member)]


def _member(event: PastEvent) -> bytes:
    return orjson.dumps([event.type.value, event.item_id, event.ts, event.price_minor])


def _past(member: bytes) -> PastEvent:
    kind, item_id, ts, price_minor = orjson.loads(member)
    return PastEvent(EventType(kind), ItemId(item_id), ts, price_minor)


def keys_of(user_id: UserId) -> list[str]:
    """Where something of a person is held."""
    return [_list_key(user_id), _state_key(user_id)]


def _list_key(user_id: UserId) -> str:
    return f"shopgraph:recent:{user_id}"


def _state_key(user_id: UserId) -> str:
    return f"shopgraph:state:{user_id}"
