"""Items that are bought together get vectors that point the same way."""

from itertools import pairwise

import numpy as np
from gensim.models import Word2Vec
from numpy.typing import NDArray

from ml.config import PaperConfig
from ml.dataset import Interactions
from ml.errors import NotEnoughData
from ml.models.fallback import fill_from_category


def sessions(data: Interactions, gap_minutes: int) -> list[list[str]]:
    """The items of each visit in order of time; a pause longer than the gap starts a new one."""
    order = np.argsort(data.user, kind="stable")
    user, ts = data.user[order], data.ts[order]
    starts = (np.diff(user) != 0) | (np.diff(ts) > gap_minutes * 60_000)
    words = data.item[order].astype(np.str_).tolist()
    edges = [0, *(np.flatnonzero(starts) + 1).tolist(), len(words)]
    return [words[a:b] for a, b in pairwise(edges) if b > a]


def item2vec(data: Interactions, config: PaperConfig) -> NDArray[np.float32]:
    """
    Skip-gram over visits; one thread, so that a seed repeats exactly.

    Returns:
        (V, dim) float32, scaled to deviation 1 over all numbers. An item that was never seen
        takes the mean of its category; zeros where that was not seen either.

    Source:
        Barkan and Koenigstein, Item2Vec, 2016 (arXiv:1603.04259).
    """
    if not len(data):
        raise NotEnoughData("no events to learn item vectors from", events=0)
    model = Word2Vec(
        sessions(data, config.session_gap_minutes),
        vector_size=config.dim,
        window=config.item2vec_window,
        sg=1,
        min_count=1,
        epochs=config.item2vec_epochs,
        seed=config.seed,
        workers=1,
    )
    table = np.zeros((data.n_items, config.dim), np.float32)
    table[np.array(model.wv.index_to_key).astype(np.int64)] = model.wv.vectors
    seen = np.zeros(data.n_items, bool)
    seen[data.item] = True
    table /= max(float(table[seen].std()), 1e-9)
    return fill_from_category(table, seen, data.catalogue.category)
