"""Who denied what: a copy of the graph in Valkey, so that every process knows it at once."""

from collections.abc import Iterable, Mapping

from graph.domain.ids import UserId
from workers.intake.valkey import connect, ours

PURPOSES = ("collection", "personalisation", "marketing")
ERASED = "erased"
LOADED = "shopgraph:denied:loaded"


def denied_key(purpose: str) -> str:
    """The set of pseudonyms that denied a purpose; whoever was erased is in every one."""
    return f"shopgraph:denied:{purpose}"


class ConsentCopy:
    """
    The copy; the graph is the truth, and the copy is whole only while its mark is there.

    Every method raises ``StreamUnavailable`` when Valkey is away.
    """

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)

    def is_loaded(self) -> bool:
        """Whether the copy is whole."""
        with ours():
            return bool(self._client.exists(LOADED))

    def load(self, denied: Mapping[str, Iterable[UserId]]) -> None:
        """Put what the graph knows, of denials and of erasures, in place of the copy."""
        erased = set(denied.get(ERASED, ()))
        with ours(), self._client.pipeline(transaction=True) as pipe:
            for purpose in (*PURPOSES, ERASED):
                pipe.delete(denied_key(purpose))
                people = sorted({*denied.get(purpose, ()), *erased})
                for start in range(0, len(people), 10_000):
                    pipe.sadd(denied_key(purpose), *people[start : start + 10_000])
            pipe.set(LOADED, 1)
            pipe.execute()

    def note(self, denials: Mapping[UserId, Iterable[str]]) -> set[UserId]:
        """
        Note for each of these people all that they deny now.

        Returns:
            Those of whom a denial was lifted. Who read the graph before this call had better read
            it again for them: they may have denied anew in between.
        """
        if not denials:
            return set()
        changes = [
            (user_id, purpose, purpose in denied)
            for user_id, denied in denials.items()
            for purpose in PURPOSES
        ]
        with ours(), self._client.pipeline(transaction=True) as pipe:
            for user_id, purpose, is_denied in changes:
                (pipe.sadd if is_denied else pipe.srem)(denied_key(purpose), user_id)
            done = pipe.execute()
        lifted = {
            user_id
            for (user_id, _, is_denied), n in zip(changes, done, strict=True)
            if n and not is_denied
        }
        if erased := self.denied(ERASED, lifted):  # since their denials were read
            self.erase(erased)
        return lifted

    def erase(self, user_ids: Iterable[UserId]) -> None:
        """From now on nothing of these people is taken, and no answer is about them."""
        people = sorted(user_ids)
        with ours(), self._client.pipeline(transaction=True) as pipe:
            for purpose in (*PURPOSES, ERASED):
                pipe.sadd(denied_key(purpose), *people)
            pipe.execute()

    def denies(self, user_id: UserId, purpose: str) -> bool:
        """Whether a person denied a purpose."""
        with ours():
            return bool(self._client.sismember(denied_key(purpose), user_id))

    def denied(self, purpose: str, user_ids: Iterable[UserId]) -> set[UserId]:
        """Those of these people who denied a purpose."""
        people = list(user_ids)
        if not people:
            return set()
        with ours():
            answers = self._client.smismember(denied_key(purpose), people)  # type: ignore[no-untyped-call]
        return {one for one, is_denied in zip(people, answers, strict=True) if is_denied}
