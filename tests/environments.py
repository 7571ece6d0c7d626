"""What a process that a test starts has to be told."""

import os

from graph.settings import GraphSettings


def process_environment(settings: GraphSettings, redis_url: str, **more: str) -> dict[str, str]:
    """
    The environment of the tests, with the servers of this test and whatever else is named.

    A password that the environment names for another server is not passed on.
    """
    found = {name: value for name, value in os.environ.items() if name != "NEO4J_PASSWORD"}
    found |= {"NEO4J_URI": settings.uri, "NEO4J_USER": settings.user, "REDIS_URL": redis_url}
    if settings.password is not None:
        found["NEO4J_PASSWORD"] = settings.password.get_secret_value()
    return found | more
