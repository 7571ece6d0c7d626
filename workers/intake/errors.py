"""
What can go wrong on an event's way in.

IntakeError
├── BodyMalformed        the request body is not JSON, or holds no rows
├── StreamUnavailable    the event stream is away: nothing was stored, try again later
│   └── StreamFull       it is there, but too much is waiting to be written to the graph
├── QuotaExceeded        the key sent more than it may; try again later
├── RefUnreadable        an encrypted id was not made with this key
└── UnknownDeadLetter    no dead letter has that id
"""


class IntakeError(Exception):
    """Anything that goes wrong on an event's way in."""


class BodyMalformed(IntakeError):
    """The body cannot be read as rows."""


class StreamUnavailable(IntakeError):
    """
    Nothing was stored; the same call may succeed later.

    Attributes:
        retry_after_s: how long the caller had better wait.
    """

    def __init__(self, message: str = "the event stream is away", retry_after_s: int = 2) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StreamFull(StreamUnavailable):
    """Too much waits to be written to the graph."""

    def __init__(self) -> None:
        super().__init__("too much waits to be written to the graph", retry_after_s=5)


class QuotaExceeded(IntakeError):
    """
    The key sent more than it may; nothing was stored.

    Attributes:
        retry_after_s: when the time it is counted over ends.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("this key has sent as many events as it may for now")
        self.retry_after_s = retry_after_s


class RefUnreadable(IntakeError):
    """The encrypted id was not made with this key."""


class UnknownDeadLetter(IntakeError):
    """No dead letter has that id."""
