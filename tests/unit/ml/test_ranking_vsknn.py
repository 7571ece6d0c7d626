"""Nearest past sessions, checked against the definition written out in loops."""

import numpy as np
import pytest

from ml.errors import NotEnoughData
from ml.ranking.profiles import TIE
from ml.ranking.sequences import Sequences
from ml.ranking.vsknn import VSKNN, Neighbourhood, best_of_each, latest_distinct, spread

SESSIONS = [[0, 1, 2], [1, 2, 3, 1], [4, 5], [0, 3], [2, 4, 4], [5, 0, 1]]
ITEMS = 7


def fitted(**settings):
    """A model that knows the six sessions."""
    model = VSKNN(Neighbourhood(**settings))
    model.fit(Sequences.of(SESSIONS, ITEMS))
    return model


def in_loops(prefix, config):
    """Scores by the definition, without the crumb of popularity."""
    n = len(SESSIONS)
    rarity = [np.log(n / max(sum(i in s for s in SESSIONS), 1)) for i in range(ITEMS)]
    latest = {}
    for back, item in enumerate(reversed(prefix[-config.steps :])):
        latest.setdefault(item, back)
    near = []
    for k, session in enumerate(SESSIONS):
        common = [item for item in latest if item in session]
        if common:
            like = sum(
                (1 + latest[i]) ** -config.decay * rarity[i] ** config.rarity for i in common
            )
            like *= len(set(session)) ** -config.length
            if config.half_life is not None:
                like *= 0.5 ** ((n - 1 - k) / config.half_life)
            match = min(common, key=latest.get)
            place = max(p for p, item in enumerate(session) if item == match)
            near.append((like, session, place))
    near = sorted(near, key=lambda one: -one[0])[: config.neighbours]
    found = np.zeros(ITEMS)
    for like, session, place in near:
        for p, item in enumerate(session):
            worth = (1 + abs(p - place)) ** -config.reach * (config.behind if p < place else 1)
            found[item] += like**config.sharpness * worth
    return found * np.maximum(rarity, 1e-3) ** config.answer_rarity


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"decay": 0.5, "rarity": 2.0, "length": 0.5},
        {"half_life": 3.0, "reach": 1.0, "behind": 0.3},
        {"answer_rarity": 1.5, "sharpness": 2.0, "steps": 2},
        {"neighbours": 2, "half_life": 5.0},
    ],
)
@pytest.mark.parametrize("prefix", [[0], [1, 2], [4, 1, 4], [3, 0, 2, 5], [6]])
def test_scores_are_those_of_the_definition(settings, prefix):
    """Every setting does what its sentence says."""
    model = fitted(**settings)
    popular = np.bincount(np.concatenate(SESSIONS), minlength=ITEMS)
    wanted = in_loops(prefix, model.config) + TIE * popular / popular.max()
    found = model.scores(Sequences.of([prefix], ITEMS))[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_batch_is_scored_as_its_rows_are_one_by_one():
    """Rows do not mix, whatever their lengths."""
    prefixes = [[0, 1], [6], [], [2, 2, 4], [5]]
    model = fitted(neighbours=2)
    together = model.scores(Sequences.of(prefixes, ITEMS))
    alone = [model.scores(Sequences.of([one], ITEMS))[0] for one in prefixes]
    np.testing.assert_array_equal(together, alone)


def test_without_neighbours_popularity_decides():
    """An empty prefix and an unknown item are answered all the same."""
    scores = fitted().scores(Sequences.of([[], [6]], ITEMS))
    assert (scores.argmax(axis=1) == 1).all()


def test_only_the_newest_sessions_of_an_item_are_looked_at():
    """Item 0 is in sessions 0, 3 and 5; one look finds the last."""
    scores = fitted(newest=1, answer_rarity=0.0).scores(Sequences.of([[0]], ITEMS))[0]
    assert set(np.flatnonzero(scores > 0.01)) == {5, 0, 1}


def test_nothing_to_learn_from_is_said():
    """No events, no neighbours."""
    with pytest.raises(NotEnoughData):
        VSKNN().fit(Sequences.of([], 3))


def test_ranges_are_laid_one_after_the_other():
    """Empty ones take no room."""
    found = spread(np.array([5, 0, 9]), np.array([2, 0, 3]))
    assert found.tolist() == [5, 6, 9, 10, 11]


def test_the_best_of_each_row_are_kept_and_rows_stay_in_order():
    """Rows with few values keep them all."""
    row = np.array([0, 0, 0, 1, 2, 2])
    value = np.array([1, 3, 2, 9, 4, 4], np.float32)
    assert best_of_each(row, value, 2).tolist() == [1, 2, 3, 4, 5]


def test_an_item_counts_where_it_was_last():
    """Latest first, each once."""
    row, item, back = latest_distinct(Sequences.of([[3, 1, 3], [2]], 4))
    assert row.tolist() == [0, 0, 1]
    assert item.tolist() == [3, 1, 2]
    assert back.tolist() == [0, 1, 0]
