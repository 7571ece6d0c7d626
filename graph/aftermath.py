"""Whom a batch of events touched beyond the people it names: read after it was stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from neo4j import ManagedTransaction

from graph import identities, refunds, users
from graph.domain.events import Event
from graph.domain.ids import UserId


@dataclass(frozen=True, slots=True)
class Aftermath:
    """
    What copies of the graph have to know.

    Attributes:
        siblings: other ids of people in the batch, for those who have any.
        changed: people whose past is another one now: who logged in, whose order was returned.
        denials: all that these people deny now.
    """

    siblings: dict[UserId, frozenset[UserId]] = field(default_factory=dict)
    changed: frozenset[UserId] = frozenset()
    denials: dict[UserId, frozenset[str]] = field(default_factory=dict)


def aftermath(tx: ManagedTransaction, events: Sequence[Event]) -> Aftermath:
    """
    What follows from events that are in the graph, whether they are new or came before.

    Asked anew each time, so that a crash between storing and telling loses nothing.
    """
    visitors = {one.visitor_id for one in events if one.visitor_id is not None}
    logged_in = identities.claimed(tx, visitors) if visitors else set()
    spoke = {one.user_id for one in events if one.consent is not None}
    return Aftermath(
        identities.siblings(tx, {one.user_id for one in events}),
        frozenset(logged_in | _buyers(tx, events)),
        users.denials(tx, spoke | logged_in) if spoke or logged_in else {},
    )


def _buyers(tx: ManagedTransaction, events: Sequence[Event]) -> set[UserId]:
    orders = refunds.orders_of(events)
    if not orders or not refunds.any_returned(tx):
        return set()
    return identities.one_person(tx, refunds.buyers_of_returned(tx, orders))
