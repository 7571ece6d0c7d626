"""What every ranker has in common, on a checkerboard of likes where the answer is known."""

import numpy as np
import pytest

from ml.errors import NotEnoughData
from ml.fusion import Fusion, FusionConfig
from ml.ranking.blend import Blend
from ml.ranking.causal_attention import CausalAttention, CausalAttentionConfig
from ml.ranking.ease import EASE
from ml.ranking.factors import ALS, BPR
from ml.ranking.history import OwnHistory
from ml.ranking.item_knn import ItemKNN
from ml.ranking.lightgcn import LightGCN, LightGCNConfig
from ml.ranking.markov import Markov
from ml.ranking.popular import Popular
from ml.ranking.rerank import RerankConfig, Reranker
from ml.ranking.rules import SequentialRules
from ml.ranking.sequences import Sequences
from ml.ranking.shortlist import Channel, Shortlist, ShortlistConfig
from ml.ranking.slist import SLIST
from ml.ranking.vsknn import VSKNN, Neighbourhood

PEOPLE, ITEMS = 40, 12
"""Even people take even items, odd people odd ones; each leaves one of its colour out."""

UNSOLD = ITEMS
"""The last item of the catalogue, which nobody ever touched."""

TOWERS = FusionConfig(dim=16, epochs=40, batch=64, negatives=8, learning_rate=0.01)
TREES = RerankConfig(held_out=0.5, candidates=ITEMS, trees=40, leaves=4, smallest=5)

RANKERS = {
    "popular": Popular,
    "popular lately": lambda: Popular(half_life_sequences=20),
    "history": OwnHistory,
    "markov": Markov,
    "co-visits": lambda: Markov(backward=1.0, half_life_sequences=30),
    "item knn": lambda: ItemKNN(decay=0.9),
    "ease": lambda: EASE(ridge=2.0),
    "slist": lambda: SLIST(ridge=2.0),
    "als": lambda: ALS(factors=2, regularisation=1.0, seed=3),
    "bpr": lambda: BPR(factors=8, seed=3),
    "lightgcn": lambda: LightGCN(LightGCNConfig(dim=8, batch=64, negatives=8), seed=3),
    "causal attention": lambda: CausalAttention(
        CausalAttentionConfig(dim=16, layers=1, epochs=60, batch=16, negatives=8, dropout=0), seed=3
    ),
    "shortlist": lambda: Shortlist(
        {
            "neighbours": Channel(make=ItemKNN, weight=1.0),
            "order": Channel(make=Markov, weight=0.2),
        },
        ShortlistConfig(items=8, dim=4, trees=20, smallest=5),
        seed=3,
    ),
    "rules": lambda: SequentialRules(steps=5),
    "vsknn": VSKNN,
    "vsknn lately": lambda: VSKNN(Neighbourhood(half_life=30.0, reach=0.5)),
    "fusion": lambda: Fusion(TOWERS, seed=3),
    "fixed blend": lambda: Blend(Fusion(TOWERS, seed=3), VSKNN(), share=0.5),
    "re-ranker": lambda: Reranker({"memory": VSKNN, "rules": SequentialRules}, TREES, seed=3),
}
"""Every ranker, with small settings; add yours here."""

IMPERSONAL = {"popular", "popular lately", "history"}
"""They do not look at who took what together, so the checkerboard cannot be known to them."""

BY_ORDER = {"popular lately", "co-visits", "re-ranker", "vsknn lately"}
"""They are told that sequences lie in order of time, so that order matters to them."""

BY_CHANCE = {"als", "bpr", "causal attention", "fixed blend", "fusion", "lightgcn", "shortlist"}
"""They draw random numbers, which fall to others when the sequences are mixed."""


def board() -> tuple[Sequences, np.ndarray]:
    """(likes, left out): the k-th person of a colour leaves out the k-th item of that colour."""
    rng = np.random.default_rng(5)
    likes, left = [], []
    for person in range(PEOPLE):
        own = np.arange(person % 2, ITEMS, 2)
        missing = own[person // 2 % len(own)]
        left.append(missing)
        likes.append(rng.permutation(own[own != missing]))
    return Sequences.of(likes, ITEMS + 1), np.array(left)


def colour(scores):
    """(S,) whether even or odd items have the higher scores."""
    return scores[:, 0:ITEMS:2].mean(axis=1) > scores[:, 1:ITEMS:2].mean(axis=1)


@pytest.fixture(params=sorted(RANKERS))
def name(request):
    """Each ranker of the list."""
    return request.param


def fitted(name, past=None):
    """A ranker that knows the board."""
    one = RANKERS[name]()
    one.fit(board()[0] if past is None else past)
    return one


def test_one_finite_score_per_sequence_and_item(name):
    """Also for the item that nobody touched."""
    scores = fitted(name).scores(board()[0])
    assert scores.shape == (PEOPLE, ITEMS + 1)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_the_item_left_out_comes_first_among_those_not_yet_taken(name):
    """Whoever has the rest of a colour wants the last one of it."""
    if name in IMPERSONAL:
        pytest.skip("knows no neighbours")
    likes, left = board()
    scores = fitted(name).scores(likes)
    scores[likes.owner, likes.item] = -np.inf
    assert np.array_equal(scores.argmax(1), left)


def test_equal_seeds_give_equal_scores(name):
    """Nothing but the constructor's seed decides about chance."""
    likes = board()[0]
    assert np.array_equal(fitted(name).scores(likes), fitted(name).scores(likes))


def test_an_empty_prefix_is_answered_with_what_sells(name):
    """Nobody is sent away: the item that nobody touched is never the first answer."""
    scores = fitted(name).scores(Sequences.of([[], [0, 2]], ITEMS + 1))
    assert np.isfinite(scores).all()
    assert scores[0].argmax() != UNSOLD


def test_an_item_that_nobody_touched_can_stand_in_a_prefix(name):
    """A new item of today is no reason to fail."""
    scores = fitted(name).scores(Sequences.of([[UNSOLD], [0, UNSOLD]], ITEMS + 1))
    assert np.isfinite(scores).all()


def test_a_prefix_is_scored_the_same_whoever_is_asked_beside_it(name):
    """Batches are a matter of speed only."""
    one, likes = fitted(name), board()[0]
    together = one.scores(likes)
    rows = np.array([7, 3, 20])
    assert np.allclose(one.scores(likes.take(rows)), together[rows], rtol=1e-4, atol=1e-5)


def test_the_order_of_the_sequences_teaches_nothing(name):
    """Unless a ranker is told that they lie in order of time."""
    if name in BY_ORDER:
        pytest.skip("reads the order as time")
    likes = board()[0]
    mixed = likes.take(np.random.default_rng(1).permutation(len(likes)))
    first, second = fitted(name).scores(likes), fitted(name, mixed).scores(likes)
    if name in BY_CHANCE:
        assert np.array_equal(colour(first), colour(second))
    else:
        assert np.allclose(first, second, rtol=1e-3, atol=1e-4)


def test_what_it_is_given_stays_as_it_was(name):
    """Neither learning nor asking writes into the arrays."""
    likes = board()[0]
    item, start = likes.item.copy(), likes.start.copy()
    one = fitted(name, likes)
    one.scores(likes)
    one.scores(likes)[:] = 0
    assert np.array_equal(likes.item, item)
    assert np.array_equal(likes.start, start)
    assert one.scores(likes).any()


def test_nobody_to_ask_is_no_error(name):
    """Zero prefixes, zero rows."""
    assert fitted(name).scores(Sequences.of([], ITEMS + 1)).shape == (0, ITEMS + 1)


def test_nothing_to_learn_from_is_said(name):
    """With the numbers in the message."""
    for nothing in (Sequences.of([], 4), Sequences.of([[], []], 4)):
        with pytest.raises(NotEnoughData, match="events 0"):
            RANKERS[name]().fit(nothing)


def test_a_single_event_is_enough_to_answer(name):
    """The first customer of a new shop."""
    one = RANKERS[name]()
    one.fit(Sequences.of([[1]], 4))
    assert np.isfinite(one.scores(Sequences.of([[1]], 4))).all()
