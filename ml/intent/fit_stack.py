"""Learns a stack: trees, then networks, then how much each of the two counts."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml.calibration import sigmoid
from ml.evaluation.metrics import log_loss
from ml.intent.stack import Stack
from ml.intent.table import Table
from ml.intent.trees import Trees, TreeSettings

SHARES = (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)
"""Parts of the networks that are tried on validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """
    What is put together.

    Attributes:
        epochs, least_steps: how long each network learns, whichever is longer.
        share: the networks' part in the logit; ``None`` chooses it on validation (half without).
    """

    trees: int = 1
    networks: int = 3
    share: float | None = None
    tree: TreeSettings = field(default_factory=TreeSettings)
    epochs: int = 2
    least_steps: int = 800


def fit_stack(
    table: Table,
    *,
    validation: Table | None = None,
    kinds: NDArray[np.int32] | None = None,
    settings: StackSettings | None = None,
    seed: int = 0,
) -> Stack:
    """
    Learn from pairs whose weights bring them to the natural rate.

    Args:
        validation: stops the trees and chooses the networks' part; later than ``table``.
        kinds: (V,) kind of each item, -1 where unknown.
    """
    how = settings or StackSettings()
    trees = [Trees(seed=seed + 1000 * k, settings=how.tree) for k in range(how.trees)]
    for tree in trees:
        tree.fit(table, validation=validation)
    networks = []
    if how.networks:
        # Torch is large and slow to load, and a stack of trees alone does without it.
        from ml.intent.mlp import Inputs, MlpSettings, train

        network = MlpSettings(epochs=how.epochs, least_steps=how.least_steps)
        inputs = Inputs.of(table, kinds, np.random.default_rng(seed))
        networks = [
            train(inputs, seed=seed + 1000 * k, settings=network) for k in range(how.networks)
        ]
    stack = Stack(names=table.names, trees=trees, networks=networks, share=0.5 if networks else 0.0)
    if not networks or (how.share is None and validation is None):
        return stack
    share = _best_share(stack, validation) if how.share is None else how.share
    return Stack(names=stack.names, trees=trees, networks=networks, share=float(share or 0.0))


def _best_share(stack: Stack, validation: Table | None) -> float:
    assert validation is not None
    trees, networks = stack.tree_logits(validation), stack.network_logits(validation)
    loss = [
        log_loss(validation.label, sigmoid((1 - share) * trees + share * networks))
        for share in SHARES
    ]
    return SHARES[int(np.argmin(loss))]
