"""Columns of what is bought together, and of what similar people buy."""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from ml.intent.moment import Columns, Moment
from ml.intent.spells import Numbers, Rows

DECAY_DAYS = 21.0
RANK = 32


def graph_scores(at: Moment) -> Columns:
    """Score of the pair by the person's late baskets, and by a low-rank picture of all pairs."""
    recent, counts = _matrices(at)
    user, slot = at.user, at.history.slot[at.item]
    together = _together(at)
    score = (recent @ together).tocsr()
    near = np.asarray(score[user, slot]).ravel()
    total = np.asarray(recent.sum(axis=1)).ravel()[user]
    found: Columns = {
        "together": near,
        "together_share": near / np.maximum(total, 1e-3),
    }
    if min(counts.shape) > RANK + 1:
        found["low_rank"] = _low_rank(counts, user, slot)
    return found


def _matrices(at: Moment) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    history, pair = at.history, at.pair
    key = history.bought.key
    user, slot = key // history.n_items, history.slot[key % history.n_items]
    shape = (history.n_users, history.n_asked)
    recent = pair.decayed(DECAY_DAYS)[:-1]
    kept = np.flatnonzero(recent > 0)
    made = [
        sp.csr_matrix((value[kept].astype(np.float32), (user[kept], slot[kept])), shape=shape)
        for value in (recent, np.log1p(pair.decayed(60)[:-1]))
    ]
    return made[0], made[1]


def _together(at: Moment) -> sp.csr_matrix:
    """(Q, Q) how much more often two items shared a shopping day than their sales explain."""
    history = at.history
    spells = history.bought
    rows = spells.within(at.first, at.period)
    key = spells.key[spells.group[rows]]
    day = (key // history.n_items) * (int(spells.day.max(initial=0)) + 1) + spells.day[rows]
    _, basket = np.unique(day, return_inverse=True)
    slot = history.slot[key % history.n_items]
    size = np.bincount(basket)
    n = np.bincount(slot, minlength=history.n_asked)
    weight = (1 / np.sqrt(size[basket])).astype(np.float32)
    bought = sp.csr_matrix((weight, (basket, slot)), shape=(len(size), history.n_asked))
    scale = sp.diags((1 / np.sqrt(n + 5)).astype(np.float32))
    scaled = (scale @ (bought.T @ bought) @ scale).tocsr()
    scaled.setdiag(0)
    scaled.data[scaled.data < 0.01] = 0
    scaled.eliminate_zeros()
    return scaled


def _low_rank(counts: sp.csr_matrix, user: Rows, slot: Rows) -> Numbers:
    left, values, right = svds(counts, k=RANK, v0=np.ones(min(counts.shape)), tol=1e-3)
    score: Numbers = np.einsum("pk,pk->p", (left * values)[user], right.T[slot])
    return score
