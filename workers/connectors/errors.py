"""
What can go wrong while data is brought in.

WorkersError
└── ConnectorError
    ├── SourceMissing      the file or package is not there
    ├── SourceUnreadable   it is there, but not what it was said to be
    └── ImportInterrupted  the stream went away in the middle; the next run goes on from there
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
