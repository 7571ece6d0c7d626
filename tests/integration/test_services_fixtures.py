"""The fixtures themselves."""

import redis

from graph.client import Graph


def test_the_graph_answers(graph: Graph) -> None:
    graph.ping()


def test_the_stream_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
