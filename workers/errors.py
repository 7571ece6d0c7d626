"""
What can go wrong on the workers' floor.

WorkersError
├── JobsUnavailable     the broker cannot be reached; nothing was enqueued
├── NoTrainingWorker    nobody listens to the training queue
├── TrainExtraMissing   training needs torch, and it is not installed here
├── RunInterrupted      the graph went away in the middle of a run; it will be tried again
├── RunFailed           a training run ended without a new model; the old one stays
├── GateRefused         a model was trained, but it may not go live
├── NoReport            nobody has measured the data yet
├── NoRows              a check that is not known, or that no row by itself can fail
├── RotationRefused     keys cannot be changed as things stand; nothing was moved
├── ModelUnusable       a model cannot answer any more, or never could
├── ApiUnavailable      the HTTP interface does not answer
└── ApiRefused          the HTTP interface answered with an error
"""


class WorkersError(Exception):
    """Base of everything that workers and commands raise on purpose."""


class JobsUnavailable(WorkersError):
    """The broker cannot be reached right now."""


class NoTrainingWorker(WorkersError):
    """No worker serves the training queue."""


class TrainExtraMissing(WorkersError):
    """Torch is not installed where a training job should run."""


class RunInterrupted(WorkersError):
    """A run could not go on; its worker is well, so this try counts for nothing."""


class RunFailed(WorkersError):
    """A training run ended without a new model."""


class GateRefused(WorkersError):
    """A freshly trained model is not good enough to answer; ``figures`` says why."""


class NoReport(WorkersError):
    """There is no report on the quality of the data."""


class NoRows(WorkersError):
    """A check of which no rows can be told."""


class RotationRefused(WorkersError):
    """Keys cannot be changed as things stand."""


class ModelUnusable(WorkersError):
    """A model that cannot be put to work."""


class ApiUnavailable(WorkersError):
    """The HTTP interface does not answer."""


class ApiRefused(WorkersError):
    """The HTTP interface refused a request."""
