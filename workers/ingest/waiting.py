"""Refunds that came before their purchase wait here for it."""

from collections.abc import Iterable, Sequence

from graph.domain.events import Event, EventType
from workers.intake.codec import decode, encode
from workers.intake.valkey import connect, ours

WAITING = "shopgraph:waiting"


class WaitingRefunds:
    """Refunds of whole orders whose purchase is not known yet, by person and order."""

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)

    def keep(self, refunds: Sequence[Event]) -> None:
        """Let refunds wait; keeping one twice changes nothing."""
        with ours(), self._client.pipeline(transaction=True) as pipe:
            for refund in refunds:
                pipe.hset(f"{WAITING}:{_order(refund)}", refund.event_id, encode([refund]))
                pipe.sadd(WAITING, _order(refund))
            pipe.execute()

    def due(self, events: Iterable[Event]) -> list[Event]:
        """The refunds whose purchase is among ``events``."""
        with ours():
            if not self._client.exists(WAITING):
                return []
            bought = {_order(event) for event in events if event.type is EventType.PURCHASE}
            waiting = self._client.smembers(WAITING)
            orders = sorted(bought & {order.decode() for order in waiting})
            found: list[Event] = []
            for order in orders:
                found += (decode(text)[0] for text in self._client.hvals(f"{WAITING}:{order}"))
        return found

    def drop(self, refunds: Iterable[Event]) -> None:
        """Forget refunds that are in the graph."""
        orders = sorted({_order(refund) for refund in refunds})
        with ours(), self._client.pipeline(transaction=True) as pipe:
            for order in orders:
                pipe.delete(f"{WAITING}:{order}")
                pipe.srem(WAITING, order)
            pipe.execute()


def _order(event: Event) -> str:
    return f"{event.user_id}|{event.order_id}"
