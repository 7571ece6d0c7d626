"""
The graph in a notebook: the ``[explore]`` extra, read only.

py2neo is at the end of its life and is used nowhere else; services never import this module.
"""

from typing import Any, Self

from py2neo import Graph as Py2neoGraph

from graph.domain.ids import CampaignId, ItemId, UserId
from graph.settings import GraphSettings

Rows = list[dict[str, Any]]


class Explorer:
    """
    Questions that an analyst asks, each answered as rows that pandas takes as they are.

    ``Explorer.open().path("c_…")`` and then ``pandas.DataFrame(rows)``.
    """

    def __init__(self, graph: Py2neoGraph) -> None:
        self._graph = graph

    @classmethod
    def open(cls, settings: GraphSettings | None = None) -> Self:
        """The graph that ``NEO4J_URI``, ``NEO4J_USER`` and ``NEO4J_PASSWORD`` name."""
        wanted = settings or GraphSettings()
        auth = (
            None if wanted.password is None else (wanted.user, wanted.password.get_secret_value())
        )
        return cls(Py2neoGraph(wanted.uri, auth=auth, name=wanted.database))

    def close(self) -> None:
        """Let the connections go."""
        self._graph.service.connector.close()

    def counts(self) -> dict[str, int]:
        """How many edges there are of each type."""
        rows = self._ask(
            """
            CALL db.relationshipTypes() YIELD relationshipType AS type
            CALL (type) { MATCH ()-[edge:$(type)]->() RETURN count(edge) AS edges }
            RETURN type, edges ORDER BY type
            """
        )
        return {row["type"]: row["edges"] for row in rows}

    def path(self, user_id: UserId, *, limit: int = 50) -> Rows:
        """A person's behaviour in order of time, the newest ``limit`` events of it."""
        return self._ask(
            """
            MATCH (:User {user_id: $user_id})-[event]->(item:Item)
            WHERE event.ts IS NOT NULL
            WITH event, item ORDER BY event.ts DESC, event.seq DESC LIMIT $limit
            RETURN event.ts AS ts, type(event) AS behaviour, item.item_id AS item_id,
                   item.title AS title, event.price_minor AS price_minor
            ORDER BY ts, event.seq
            """,
            user_id=user_id,
            limit=limit,
        )

    def neighbours(self, item_id: ItemId) -> Rows:
        """The items whose embeddings are nearest, best first."""
        return self._ask(
            """
            MATCH (:Item {item_id: $item_id})-[near:SIMILAR_TO]->(other:Item)
            RETURN other.item_id AS item_id, other.title AS title, near.score AS score
            ORDER BY score DESC, item_id
            """,
            item_id=item_id,
        )

    def reach(self, campaign_id: CampaignId) -> Rows:
        """Whom a campaign reached, by arm, and how many of them used a coupon of it."""
        return self._ask(
            """
            MATCH (user:User)-[sent:TARGETED_BY]->(:Campaign {campaign_id: $campaign_id})
            RETURN sent.arm AS arm, count(*) AS people,
                   sum(CASE WHEN EXISTS {
                       MATCH (user)-[used:REDEEMED]->(:Coupon)
                       WHERE used.campaign_id = $campaign_id
                   } THEN 1 ELSE 0 END) AS redeemed
            ORDER BY arm
            """,
            campaign_id=campaign_id,
        )

    def _ask(self, query: str, **parameters: Any) -> Rows:
        return list(self._graph.run(query, parameters).data())
