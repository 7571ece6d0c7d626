"""
What can go wrong with the services and processes of one machine.

LocalError
├── FolderHeld          the data folder is in use by running services or another `shopgraph up`
├── PortTaken           something else listens on a port that is needed
├── ServicesNotRunning  there is no graph or no stream to talk to
├── StateUnreadable     a file in the data folder is damaged
├── ServiceFailed       a service did not come up
└── BackupRefused       a backup cannot be made or put back; nothing was changed
"""


class LocalError(Exception):
    """Anything that goes wrong with the services of this machine."""


class FolderHeld(LocalError):
    """The data folder belongs to somebody who is at work."""


class PortTaken(LocalError):
    """A port that is needed is in use."""


class ServicesNotRunning(LocalError):
    """The services are not there."""


class StateUnreadable(LocalError):
    """A file in the data folder cannot be understood."""


class ServiceFailed(LocalError):
    """A service did not come up."""


class BackupRefused(LocalError):
    """A backup cannot be made, or cannot be put back; nothing was changed."""
