"""Stand-ins for people and devices, so that nothing behind the door sees a raw id."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from graph.domain.ids import DeviceId, UserId
from workers.intake.errors import RefUnreadable

_PSEUDONYM_BYTES = 16
_CACHED = 65_536
_REF_USE = [b"user-ref"]


T_co = TypeVar("T_co", covariant=True)


class _Remembered(Protocol[T_co]):
    def __call__(self, raw: str, /) -> T_co: ...

    def cache_clear(self) -> None: ...


Keys = Sequence[bytes]


class Pseudonyms:
    """
    Turns raw ids into pseudonyms: always the same one for the same id and key.

    Each kind of id has its own domain, so a customer and a visitor with one raw id stay apart.
    """

    def __init__(self, pseudonym_key: bytes | Keys, encryption_key: bytes | Keys) -> None:
        """
        Args:
            pseudonym_key: 32 bytes, for HMAC-SHA-256; or those of all rotations, oldest first.
            encryption_key: 64 bytes, for AES-SIV; likewise, and the newest one seals.
        """
        self._keys = _all(pseudonym_key)
        if any(len(key) < 32 for key in self._keys):
            raise ValueError("the pseudonym key needs at least 32 bytes")
        self.key_ids = [hmac.digest(key, b"key id", "sha256").hex()[:16] for key in self._keys]
        """What tells the keys apart and nothing of them, oldest first."""
        self._returned: dict[UserId, int] = {}
        self._ciphers = [AESSIV(key) for key in reversed(_all(encryption_key))]
        self.customer: _Remembered[tuple[UserId, str]] = lru_cache(_CACHED)(self._customer)
        self.visitor: _Remembered[UserId] = lru_cache(_CACHED)(self._visitor)
        self.device: _Remembered[DeviceId] = lru_cache(_CACHED)(self._device)
        # Of the oldest one for ever: what was stored must still be known when it comes again.
        self.fingerprint_key = hmac.digest(self._keys[0], b"fingerprint", "sha256")
        """Key for hashes of payloads, so that nobody can try out what a payload said."""

    def know_returned(self, generations: Mapping[UserId, int]) -> None:
        """
        Know who came back after an erasure; they go by another pseudonym than before.

        Args:
            generations: how many times, by the first pseudonym.
        """
        if self._returned != generations:
            self._returned = dict(generations)
            self.forget()

    def forget(self) -> None:
        """Forget which raw ids were seen."""
        for remembered in (self.customer, self.visitor, self.device):
            remembered.cache_clear()

    def first(self, *, user_id: str | None = None, anonymous_id: str | None = None) -> UserId:
        """The pseudonym that a person had before any erasure."""
        if user_id is not None:
            return UserId(self._stand_in("c", user_id))
        return UserId(self._stand_in("v", anonymous_id or ""))

    def seal(self, raw: str) -> str:
        """Encrypt a direct identifier; equal inputs give equal texts."""
        return base64.urlsafe_b64encode(self._ciphers[0].encrypt(raw.encode(), _REF_USE)).decode()

    def reveal(self, ref: str) -> str:
        """
        The raw text behind ``seal`` or behind a customer's ``ref``.

        Raises:
            RefUnreadable: it was not made with this key.
        """
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(base64.urlsafe_b64decode(ref), _REF_USE).decode()
            except (InvalidTag, ValueError):
                continue
        raise RefUnreadable("the id was not encrypted with this key")

    def resealed(self, ref: str) -> str:
        """An encrypted text, encrypted with the newest key; raises ``RefUnreadable``."""
        return self.seal(self.reveal(ref))

    def renewed(self, pseudonym: str, *, since: int) -> str:
        """
        What a pseudonym of before a rotation is now.

        Args:
            since: place of the key that it was made with.
        """
        for key in self._keys[since + 1 :]:
            pseudonym = _digested(key, pseudonym[0], pseudonym)
        return pseudonym

    def _customer(self, raw: str) -> tuple[UserId, str]:
        return self._person("c", raw), self.seal(raw)

    def _visitor(self, raw: str) -> UserId:
        return self._person("v", raw)

    def _person(self, kind: str, raw: str) -> UserId:
        first = UserId(self._stand_in(kind, raw))
        again = self._returned.get(first)
        # No raw id holds the character between the parts.
        return first if not again else UserId(self._stand_in(kind, f"{raw}\0{again}"))

    def _device(self, raw: str) -> DeviceId:
        return DeviceId(self._stand_in("d", raw))

    def _stand_in(self, kind: str, raw: str) -> str:
        # Each rotation made the new pseudonym from the one before: raw ids of visitors and devices
        # are kept nowhere, and still all of them could move (decision 024).
        return self.renewed(_digested(self._keys[0], kind, f"{kind}\0{raw}"), since=0)


def _digested(key: bytes, kind: str, text: str) -> str:
    digest = hmac.digest(key, text.encode(), "sha256")
    short = base64.urlsafe_b64encode(digest[:_PSEUDONYM_BYTES]).rstrip(b"=")
    return f"{kind}_{short.decode()}"


def _all(key: bytes | Keys) -> Keys:
    return [key] if isinstance(key, bytes) else key
