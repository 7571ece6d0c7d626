"""
What can go wrong with a local Neo4j server.

ServerError
├── JavaMissing       no Java 17 or 21 on this machine
├── LockMalformed     the list of jars cannot be read
├── JarUnavailable    a jar could not be fetched
├── JarRefused        a jar is not the one that the lock names
└── StartFailed       the server ended, or was not ready in time
"""

from graph.errors import GraphError


class ServerError(GraphError):
    """Anything that goes wrong with a local server."""


class JavaMissing(ServerError):
    """There is no Java that the server can run on."""


class LockMalformed(ServerError):
    """The list of jars cannot be read."""


class JarUnavailable(ServerError):
    """A jar could not be fetched."""


class JarRefused(ServerError):
    """A jar does not have the content that the lock names."""


class StartFailed(ServerError):
    """The server did not come up."""
