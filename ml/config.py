"""Hyper-parameters of a training run, and the words in which it reports."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperConfig:
    """
    Everything that decides how the paper's LSTM-ATT-GNN is trained.

    Attributes:
        attention: off means the last LSTM state stands for the sequence.
        graph: off means no graph embedding on either side.
        sequence: off means that nothing reads the person's last events in their order.
        counters: off means no statistical features; without a graph too, the item then stands
            for itself by its item2vec vector. With these two switches the parts stand alone.
        contenders: whether models on counters compete with the paper's for saying how likely a
            purchase is, and a blend with the cosine for people without a vector; what is best
            on the validation slice answers.
        stack_networks, stack_steps: small networks in the stack, and the fewest steps of each.
        window_days: history that pools and features see before a cutoff.
        horizon_days: length of the label window after a cutoff.
        train_cutoffs, validation_cutoffs, test_cutoffs: most cutoffs used per part, the latest
            ones; old behaviour teaches less than it costs.
        negative_share: part of the touched pairs without a purchase that is trained on; the
            prior is corrected once, afterwards.
        new_share: part of the first-time purchases that is trained on.
        new_negatives: never touched items drawn per person and cutoff.
        epoch_batches: most batches of an epoch, and of a look at the validation slice; a large
            shop is seen in parts, so that it is decided as often there when to stop.
        threads: CPU threads of torch; ``None`` leaves them as they are.
        min_positives: purchases that each part must have among its pairs.
        similar_min_events: items with fewer events get no ``SIMILAR_TO`` neighbours.
        behaviour_weights: strength of one event by behaviour, where it is not the usual one.
    """

    seed: int = 7
    attention: bool = True
    graph: bool = True
    sequence: bool = True
    counters: bool = True
    contenders: bool = True
    stack_networks: int = 3
    stack_steps: int = 800
    dim: int = 64
    heads: int = 2
    steps: int = 50
    neighbours: int = 20
    dropout: float = 0.1
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    batch_people: int = 64
    epoch_batches: int = 800
    max_epochs: int = 14
    patience: int = 5
    window_days: int = 60
    horizon_days: int = 7
    step_days: int = 7
    train_cutoffs: int = 10
    validation_cutoffs: int = 4
    test_cutoffs: int = 6
    negative_share: float = 0.25
    new_share: float = 0.25
    new_negatives: int = 4
    item2vec_window: int = 5
    item2vec_epochs: int = 5
    session_gap_minutes: int = 30
    threads: int | None = 2
    bootstrap_draws: int = 200
    min_positives: int = 10
    similar_count: int = 10
    similar_min_events: int = 5
    behaviour_weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: dict[str, Any]) -> "PaperConfig":
        """From the values of a manifest or of a run's options; unknown names are left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest and the training run."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """
    Where a run stands.

    Attributes:
        stage: ``item2vec``, ``features``, ``fit``, ``contenders``, ``evaluate``, ``strangers``,
            ``export`` or ``done``.
        share: part of the whole run that is done, 0 to 1.
        figures: what was just measured, by name.
    """

    stage: str
    share: float
    figures: dict[str, float] = field(default_factory=dict)


Report = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """Report to nobody."""
