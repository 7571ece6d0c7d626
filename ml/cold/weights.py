"""Weights of a blend, learned from which candidates turned out to be right."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize


def softmax_weights(
    features: NDArray[np.float32],
    start: NDArray[np.int64],
    is_right: NDArray[np.bool_],
    guess: NDArray[np.float64],
    *,
    ridge: float = 3e-3,
    begin: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """
    (F,) weights that make the right candidates of each case likely; convex, so always the same.

    Every case counts once, however many right candidates it has; ``ridge`` pulls to ``guess``.
    The search starts at ``begin``, else at the guess.

    Shapes, C cases with R candidates in all:
        features: (R, F); start (C + 1,), the rows of case k are ``start[k]:start[k + 1]``
        is_right: (R,); a case without a right candidate teaches nothing
    """
    right = np.add.reduceat(is_right.astype(np.float64), start[:-1]) if len(start) > 1 else start
    worth = 1 / np.maximum(right, 1)
    owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
    taught = (right > 0).astype(np.float64)
    if not taught.sum():
        return guess
    share = (is_right * worth[owner]) @ features

    def loss(weight: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        score = features @ weight.astype(np.float32)
        top = np.maximum.reduceat(score, start[:-1])
        grown = np.exp(score - top[owner])
        total = np.add.reduceat(grown, start[:-1]).astype(np.float64)
        pull = (taught / total).astype(np.float32)[owner]  # the table must not become float64
        away = weight - guess
        fit = taught @ (np.log(total) + top) - share @ weight
        slope = (grown * pull) @ features - share
        n = taught.sum()
        return fit / n + ridge * away @ away, slope / n + 2 * ridge * away

    found: NDArray[np.float64] = minimize(
        loss, guess if begin is None else begin, jac=True, method="L-BFGS-B"
    ).x
    return found
