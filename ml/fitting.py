"""Fits the paper's model: Adam, binary cross-entropy, early stopping on the validation loss."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ml.batches import Batch, PoolBatches
from ml.config import PaperConfig
from ml.errors import TrainingDiverged
from ml.evaluation.pools import Pool
from ml.models.paper import PaperModel


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training pairs, or a part of them; losses in nats per pair."""

    number: int
    train_loss: float
    validation_loss: float
    is_best: bool


def standardise(model: PaperModel, pool: Pool) -> None:
    """Take the features' mean and deviation from the training pairs."""
    mean, deviation = pool.features.mean(axis=0), pool.features.std(axis=0)
    model.mean.copy_(torch.from_numpy(mean))
    model.deviation.copy_(torch.from_numpy(np.where(deviation > 1e-6, deviation, 1.0)))


def fit(
    model: PaperModel,
    train: list[PoolBatches],
    validation: list[PoolBatches],
    config: PaperConfig,
    tell: Callable[[Epoch], None],
) -> list[Epoch]:
    """
    Train until the validation loss has not improved for ``patience`` epochs; keep the best.

    Raises:
        TrainingDiverged: a loss or a weight is not finite.
    """
    rng = np.random.default_rng(config.seed)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    best, best_weights, history = math.inf, copy.deepcopy(model.state_dict()), list[Epoch]()
    since_best = 0
    for number in range(1, config.max_epochs + 1):
        train_loss = _train_epoch(model, train, optimiser, rng, config.epoch_batches)
        loss = validation_loss(model, validation, config.epoch_batches)
        if not (math.isfinite(train_loss) and math.isfinite(loss)):
            raise TrainingDiverged(f"the loss of epoch {number} is not finite")
        since_best = 0 if loss < best else since_best + 1
        if loss < best:
            best, best_weights = loss, copy.deepcopy(model.state_dict())
        history.append(Epoch(number, train_loss, loss, since_best == 0))
        tell(history[-1])
        if since_best >= config.patience:
            break
    model.load_state_dict(best_weights)
    model.eval()
    if not all(bool(torch.isfinite(weight).all()) for weight in model.state_dict().values()):
        raise TrainingDiverged("a weight is not finite")
    return history


def validation_loss(model: PaperModel, parts: list[PoolBatches], most: int) -> float:
    """
    Mean cross-entropy, nothing dropped out.

    Args:
        most: batches; where there are more it is every second, third and so on, always the same.
    """
    model.eval()
    queue = [(part, group) for part in parts for group in part.groups(None)]
    total, count = 0.0, 0
    with torch.no_grad():
        for part, group in queue[:: max(-(-len(queue) // most), 1)]:
            batch = part.batch(group)
            logit = forward(model, part.scene.table, batch)
            total += float(_loss(logit, batch.label, "sum"))
            count += len(batch.label)
    return total / max(count, 1)


def forward(model: PaperModel, table: torch.Tensor, batch: Batch) -> torch.Tensor:
    """(P,) logits of one batch."""
    people = model.people(table, batch.sequences, batch.users)
    return model.logits(people, model.items(batch.items), batch.pairs)


def _train_epoch(
    model: PaperModel,
    parts: list[PoolBatches],
    optimiser: torch.optim.Optimizer,
    rng: np.random.Generator,
    most: int,
) -> float:
    model.train()
    queue = [(part, group) for part in parts for group in part.groups(rng)]
    total, count = 0.0, 0
    for at in rng.permutation(len(queue))[:most]:
        part, group = queue[at]
        batch = part.batch(group)
        loss = _loss(forward(model, part.scene.table, batch), batch.label, "mean")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingDiverged("the training loss is not finite")
        optimiser.step()
        total, count = total + value * len(batch.label), count + len(batch.label)
    return total / max(count, 1)


def _loss(logit: torch.Tensor, label: torch.Tensor, reduction: str) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(logit, label, reduction=reduction)
