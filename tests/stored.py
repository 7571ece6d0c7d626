"""What of some events and people is in the graph."""

from neo4j import ManagedTransaction

from graph.client import Graph
from graph.domain.ids import UserId
from graph.domain.models import Slot
from graph.events import PastEvent
from graph.known_people import look_up
from graph.users import Person


def stored(tx: ManagedTransaction, relationship: str) -> tuple[int, int, int]:
    """How many edges of a type there are, and how many different ids and numbers they have."""
    found = tx.run(
        f"""
        MATCH ()-[r:{relationship}]->()
        RETURN count(r) AS n, count(DISTINCT r.event_id) AS ids, count(DISTINCT r.seq) AS seqs
        """
    ).single(strict=True)
    return found["n"], found["ids"], found["seqs"]


def past_of(
    graph: Graph, user_id: UserId, *, since_ms: int = 0, limit: int = 50
) -> list[PastEvent]:
    """What a person did, newest first."""
    return list(graph.ask(look_up, user_id, slot=None, since_ms=since_ms, limit=limit).past)


def person_of(graph: Graph, user_id: UserId, *, slot: Slot | None = None) -> Person | None:
    """A person as serving sees them."""
    return graph.ask(look_up, user_id, slot=slot, since_ms=0, limit=0).person
