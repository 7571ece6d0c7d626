"""What a training run is told, and when its model may answer."""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

from graph.domain.models import Model, Profile, TrainingRun
from ml.config import PaperConfig
from ml.errors import ModelBroken
from ml.serving.store import read_card

TOLERANCE = 0.0
"""A model must beat popularity by more than this, in average precision on the last slice."""


def configured(run: TrainingRun, weights: Mapping[str, float] | None = None) -> PaperConfig:
    """
    The run's profile and options as hyper-parameters: switches, and numbers for small worlds.

    Args:
        weights: of the shop's behaviours, unless the run has its own.
    """
    options = run.options
    known = {one.name for one in fields(PaperConfig)}
    given = {name: value for name, value in options.items() if name in known}
    return replace(
        PaperConfig(**{"behaviour_weights": weights or {}, **given}),
        contenders=run.profile != Profile.PAPER,
        attention=not options.get("no_attention", False),
        graph=not options.get("no_graph", False),
    )


def is_up_to_date(
    live: Model, run: TrainingRun, config: PaperConfig, read: tuple[int, int], store: Path
) -> bool:
    """
    Whether the same training on the same events is live already, and was not insisted on.

    Args:
        read: number of the last event, and how many people had been erased.
    """
    return (
        not run.options.get("force", False)
        and live.profile == run.profile
        and (live.data_seq, live.erasures) == read
        and not is_ablation(config)
        and _weights(store / live.version) in (None, dict(config.behaviour_weights))
    )


def _weights(folder: Path) -> dict[str, float] | None:
    """What a model was told that behaviours count; ``None`` where nobody can say."""
    try:
        told: dict[str, float] = read_card(folder)["config"].get("behaviour_weights", {})
    except (ModelBroken, KeyError):
        return None
    return told


def is_ablation(config: PaperConfig) -> bool:
    """Whether a part of the model is switched off, to see what it is worth."""
    return not (config.attention and config.graph)


def refusal(metrics: Mapping[str, float], config: PaperConfig, champion: str) -> str | None:
    """
    Why a model may not answer; ``None`` when it may.

    It may not when a figure is missing or not finite, when it is no better than popularity on the
    last slice, or when it is an ablation.
    """
    ours, popular = (metrics.get(f"test_{name}_ap", math.nan) for name in (champion, "popularity"))
    broken = sorted(name for name, value in metrics.items() if not math.isfinite(value))
    if broken:
        return f"figures are not finite: {', '.join(broken)}"
    if not (math.isfinite(ours) and math.isfinite(popular)):
        return "the last slice has no average precision to compare"
    if ours <= popular + TOLERANCE:
        return f"AP {ours:.4f} on the last slice is not above popularity's {popular:.4f}"
    if is_ablation(config):
        return "an ablation is measured, not served"
    return None
