"""Valkey after a change of keys: copies go, since the graph has them; dead letters move."""

from typing import Any

from graph.domain.events import Event
from graph.domain.ids import DeviceId, UserId
from workers.intake.changes import EPOCH
from workers.intake.codec import decode, encode
from workers.intake.consent import ERASED, LOADED, PURPOSES, denied_key
from workers.intake.deadletters import DEAD_LETTERS, EDITED
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.sealing import resealed
from workers.intake.valkey import connect, ours

_COPIES = ("recent", "state", "clock", "pace", "page")
_MOVED_TO = "shopgraph:deadletters:key"
_PAGE = 1_000


class Rekeying:
    """Brings Valkey to the newest keys; every method raises ``StreamUnavailable``."""

    def __init__(self, redis_url: str, pseudonyms: Pseudonyms, *, since: int) -> None:
        """
        Args:
            since: place of the key that everything was made with until now.
        """
        self._client = connect(redis_url)
        self._pseudonyms = pseudonyms
        self._since = since

    def drop_copies(self) -> int:
        """Forget what is read from the graph again when it is asked for; says how much that was."""
        keys: list[Any] = [EPOCH, LOADED, *map(denied_key, (*PURPOSES, ERASED))]
        with ours():
            for name in _COPIES:
                keys += self._client.scan_iter(f"shopgraph:{name}:*", count=5_000)
            return sum(
                int(self._client.delete(*keys[start : start + _PAGE]))
                for start in range(0, len(keys), _PAGE)
            )

    def move_letters(self) -> int:
        """Write all dead letters anew under their ids, in one step; says how many."""
        key_id = self._pseudonyms.key_ids[-1].encode()
        with ours(), self._client.pipeline(transaction=True) as pipe:
            if self._client.get(_MOVED_TO) == key_id:
                return 0
            letters = self._client.xrange(DEAD_LETTERS)
            edited = self._client.hgetall(EDITED)
            pipe.set(_MOVED_TO, key_id)
            pipe.delete(DEAD_LETTERS, EDITED)
            for entry_id, fields in letters:
                pipe.xadd(DEAD_LETTERS, self._letter(fields), id=entry_id)
            for entry_id, told in edited.items():
                at, _, payload = told.decode().partition(" ")
                pipe.hset(EDITED, entry_id, f"{at} {resealed(payload, self._pseudonyms)}")
            pipe.execute()
        return len(letters)

    def _letter(self, fields: dict[bytes, bytes]) -> Any:
        stage, payload = fields[b"stage"], fields[b"payload"]
        moved = dict(fields)
        if person := fields[b"person"].decode():
            moved[b"person"] = self._renewed(person).encode()
        if stage == b"graph":
            moved[b"payload"] = encode([self._event(one) for one in decode(payload)])
        elif stage == b"door":
            moved[b"payload"] = resealed(payload.decode(), self._pseudonyms).encode()
        return moved

    def _event(self, event: Event) -> Event:
        visitor, device, ref = event.visitor_id, event.device_id, event.user_ref
        return event._replace(
            user_id=UserId(self._renewed(event.user_id)),
            visitor_id=None if visitor is None else UserId(self._renewed(visitor)),
            device_id=None if device is None else DeviceId(self._renewed(device)),
            user_ref=None if ref is None else self._pseudonyms.resealed(ref),
        )

    def _renewed(self, pseudonym: str) -> str:
        return self._pseudonyms.renewed(pseudonym, since=self._since)
