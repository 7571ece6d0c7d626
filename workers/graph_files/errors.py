"""
What can go wrong with a graph in files.

WorkersError
└── GraphFilesError
    ├── ExportRefused    the folder holds something else; nothing was written
    ├── FilesDamaged     the folder is incomplete, or not what its manifest says
    ├── RestoreRefused   the graph may not be written to; nothing was changed
    └── RestoreIncomplete what is in the graph is not what was in the files; it is not served
"""

from workers.errors import WorkersError


class GraphFilesError(WorkersError):
    """Anything that goes wrong with a graph in files."""


class ExportRefused(GraphFilesError):
    """An export cannot be written to that folder."""


class FilesDamaged(GraphFilesError):
    """The files are not a whole export."""


class RestoreRefused(GraphFilesError):
    """The graph is not one that may be written to."""


class RestoreIncomplete(GraphFilesError):
    """The restored graph lacks something, or holds something else."""
