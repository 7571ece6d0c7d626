"""
What can go wrong while data is brought in.

WorkersError
└── ConnectorError
    ├── SourceMissing        the file or package is not there
    ├── SourceUnreadable     it is there, but not what it was said to be
    ├── ImportInterrupted    the stream went away in the middle; the next run goes on from there
    ├── UnknownConnector     nothing of that name is set up
    ├── ConnectorBusy        another process brings in the same orders right now
    └── PlatformError        a platform gave no answer that can be used; nothing was skipped
        ├── PlatformTrouble      it may answer the same question later
        ├── PlatformRefused      it will not answer this question, however often it is asked
        ├── TokenExpired         the access token is not taken any more
        └── CredentialsRefused   nor is a new one: somebody has to look
"""

from workers.errors import WorkersError


class ConnectorError(WorkersError):
    """Anything that goes wrong while data is brought in."""


class SourceMissing(ConnectorError):
    """The file, folder or package is not there."""


class SourceUnreadable(ConnectorError):
    """The file as a whole makes no sense in the form that was named."""


class ImportInterrupted(ConnectorError):
    """The import stopped half-way; run again, it goes on from there."""


class UnknownConnector(ConnectorError):
    """No connector of that name is set up."""


class ConnectorBusy(ConnectorError):
    """Another process runs the connector."""


class PlatformError(ConnectorError):
    """
    A platform gave no answer that can be used.

    Attributes:
        retry_after_s: how long the platform wants to be left alone, where it says so.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PlatformTrouble(PlatformError):
    """The platform is away, busy or confused; the same question may be answered later."""


class PlatformRefused(PlatformError):
    """The platform does not answer this question."""


class TokenExpired(PlatformError):
    """The access token is not taken any more."""


class CredentialsRefused(PlatformError):
    """No token can be had with these credentials."""
