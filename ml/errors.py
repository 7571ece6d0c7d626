"""
What can go wrong with models.

MLError
├── NotEnoughData      too little behaviour to learn from; the message has the numbers
├── NotEnoughMemory    a run would take more than there is; the message has the numbers
├── TrainingDiverged   the loss is no number any more; nothing was exported
└── ModelBroken        an exported model that must not be served
"""


class MLError(Exception):
    """Base of everything that models raise on purpose."""


class NotEnoughData(MLError):
    """The data cannot teach or test a model; ``figures`` says what was found and what is needed."""

    def __init__(self, message: str, **figures: float) -> None:
        """Keep the numbers beside the sentence."""
        listed = ", ".join(f"{name} {value:g}" for name, value in figures.items())
        super().__init__(f"{message} ({listed})" if listed else message)
        self.figures = dict(figures)


class NotEnoughMemory(MLError):
    """A run would take more memory than there is; nothing was begun."""


class TrainingDiverged(MLError):
    """A loss or a weight is not finite; the run stops and exports nothing."""


class ModelBroken(MLError):
    """The files of a model are missing, changed, or hold values that are not finite."""
