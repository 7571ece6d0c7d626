"""Vectors for items that nobody has touched yet."""

import numpy as np
from numpy.typing import NDArray


def fill_from_category(
    table: NDArray[np.float32], seen: NDArray[np.bool_], category: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Give unseen items the mean vector of the seen ones in their category, else zeros."""
    n = int(category.max(initial=-1)) + 1
    known = seen & (category >= 0)
    total = np.zeros((n + 1, table.shape[1]), np.float64)
    np.add.at(total, category[known], table[known])
    count = np.bincount(category[known], minlength=n + 1)
    means = (total / np.maximum(count, 1)[:, None]).astype(np.float32)
    return np.where(seen[:, None], table, means[category])
