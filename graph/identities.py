"""Who turned out to be whom: a visitor belongs to one customer, whatever was said when."""

from collections.abc import Iterable

from neo4j import ManagedTransaction

from graph.domain.ids import UserId

SAME_PERSON = """
    CALL (me) {
        RETURN me AS person
        UNION
        MATCH (me)<-[:SAME_AS]-(person:User) RETURN person
        UNION
        MATCH (me)-[:SAME_AS]->(person:User) RETURN person
        UNION
        MATCH (me)-[:SAME_AS]->(:User)<-[:SAME_AS]-(person:User) RETURN person
    }
"""
"""Part of a query: from a node ``me`` to every node ``person`` that is the same human being."""


def derive(tx: ManagedTransaction, visitors: Iterable[UserId]) -> None:
    """
    Point ``SAME_AS`` of these visitors to the customer of their earliest ``identify``.

    The earliest by event time, then by event id, so that the order of arrival decides nothing and
    a second login on a shared device does not make one person of two (decision 007).
    """
    tx.run(
        """
        UNWIND $visitors AS visitor_id
        MATCH (visitor:User {user_id: visitor_id})-[said:IDENTIFIED]->(customer:User)
        USING INDEX SEEK visitor:User(user_id)
        WITH visitor, said, customer ORDER BY said.ts, said.event_id
        WITH visitor, head(collect({customer: customer, ts: said.ts, id: said.event_id})) AS first
        WITH visitor, first.customer AS customer, first.ts AS since, first.id AS event_id
        OPTIONAL MATCH (visitor)-[old:SAME_AS]->(other:User) WHERE other <> customer
        DELETE old
        WITH DISTINCT visitor, customer, since, event_id
        MERGE (visitor)-[same:SAME_AS]->(customer)
        SET same.since = since, same.event_id = event_id
        """,
        visitors=sorted(visitors),
    ).consume()


def one_person(tx: ManagedTransaction, user_ids: Iterable[UserId]) -> set[UserId]:
    """Everybody who is the same person as one of these, they themselves included."""
    record = tx.run(
        "UNWIND $user_ids AS user_id MATCH (me:User {user_id: user_id}) "
        "USING INDEX SEEK me:User(user_id)"
        + SAME_PERSON
        + "RETURN collect(DISTINCT person.user_id) AS user_ids",
        user_ids=sorted(user_ids),
    ).single(strict=True)
    return {UserId(user_id) for user_id in record["user_ids"]}


def siblings(tx: ManagedTransaction, user_ids: Iterable[UserId]) -> dict[UserId, frozenset[UserId]]:
    """The other ids of these people; who has none is left out."""
    record = tx.run("RETURN COUNT { ()-[:SAME_AS]->() } AS n").single(strict=True)
    if not record["n"]:
        return {}
    rows = tx.run(
        "UNWIND $user_ids AS user_id MATCH (me:User {user_id: user_id}) "
        "USING INDEX SEEK me:User(user_id) "
        "WHERE EXISTS { (me)-[:SAME_AS]-() }"
        + SAME_PERSON
        + "WITH user_id, person WHERE person.user_id <> user_id "
        "RETURN user_id, collect(DISTINCT person.user_id) AS others",
        user_ids=sorted(user_ids),
    )
    return {UserId(row["user_id"]): frozenset(map(UserId, row["others"])) for row in rows}


def claimed(tx: ManagedTransaction, visitors: Iterable[UserId]) -> set[UserId]:
    """These visitors, everybody who ever logged in on them, and the visitors of those."""
    record = tx.run(
        """
        UNWIND $visitors AS visitor_id
        MATCH (visitor:User {user_id: visitor_id})-[:IDENTIFIED]->(customer:User)
        USING INDEX SEEK visitor:User(user_id)
        OPTIONAL MATCH (customer)<-[:SAME_AS]-(other:User)
        WITH collect(visitor.user_id) + collect(customer.user_id) + collect(other.user_id) AS ids
        UNWIND ids AS user_id
        RETURN collect(DISTINCT user_id) AS user_ids
        """,
        visitors=sorted(visitors),
    ).single(strict=True)
    return {UserId(user_id) for user_id in record["user_ids"]}
