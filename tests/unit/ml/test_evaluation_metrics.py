"""Figures of intent: against scikit-learn with ties, by hand, at both rates, by group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from ml.evaluation.balanced import balanced_summary, draw_balanced
from ml.evaluation.bootstrap import (
    mean_interval,
    metric_interval,
    paired_mean_difference,
    paired_metric_difference,
)
from ml.evaluation.curves import (
    POINTS,
    gain_curve,
    learning_curve,
    precision_recall_curve,
    reliability_curve,
)
from ml.evaluation.groups import (
    by_history,
    by_last_behaviour,
    by_novelty,
    by_popularity,
    by_repetition,
)
from ml.evaluation.intent_metrics import Answer, answer, intent_gain, intent_row
from ml.evaluation.meter import Meter
from ml.evaluation.metrics import (
    average_precision,
    best_threshold,
    brier,
    calibration_error,
    f1,
    hits_among,
    log_loss,
    normalised_entropy,
    precision,
    recall,
    roc_auc,
    summary,
    top_share,
)
from ml.evaluation.weighted import statistic

PAIRS = st.tuples(st.integers(0, 10_000), st.integers(4, 200), st.sampled_from([0, 1, 2, 8]))
"""Seed, number of pairs, and decimals of the scores: few decimals make many ties."""


def pairs(world: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    seed, n, decimals = world
    rng = np.random.default_rng(seed)
    label = rng.random(n) < 0.3
    label[:2] = True, False
    return label, np.round(np.clip(rng.random(n) * 0.8 + 0.2 * label, 0, 1), decimals)


@settings(max_examples=80, deadline=None)
@given(PAIRS)
def test_scikit_learn_counts_the_same(world: tuple[int, int, int]) -> None:
    label, score = pairs(world)
    clipped = np.clip(score, 1e-7, 1 - 1e-7)
    assert average_precision(label, score) == pytest.approx(
        reference.average_precision_score(label, score)
    )
    assert roc_auc(label, score) == pytest.approx(reference.roc_auc_score(label, score))
    assert log_loss(label, score) == pytest.approx(reference.log_loss(label, clipped))
    assert brier(label, score) == pytest.approx(reference.brier_score_loss(label, score))
    said = score >= 0.5
    for ours, theirs in (
        (f1, reference.f1_score),
        (precision, reference.precision_score),
        (recall, reference.recall_score),
    ):
        assert ours(label, score, 0.5) == pytest.approx(theirs(label, said, zero_division=0))


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_the_best_threshold_is_the_best_of_all(world: tuple[int, int, int]) -> None:
    label, score = pairs(world)
    every = [reference.f1_score(label, score >= one, zero_division=0) for one in np.unique(score)]
    assert f1(label, score, best_threshold(label, score)) == pytest.approx(max(every))


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.integers(1, 5))
def test_weights_count_like_copies(world: tuple[int, int, int], most: int) -> None:
    """The bootstrap weighs people; scikit-learn agrees with every weighted figure."""
    label, score = pairs(world)
    owner = np.arange(len(label)) // 3
    weight = np.random.default_rng(most).integers(0, most + 1, owner.max() + 1).astype(float)
    of_pair = weight[owner]
    if not 0 < of_pair[label].sum() < of_pair.sum():
        return
    n, clipped = len(weight), np.clip(score, 1e-7, 1 - 1e-7)
    for name, theirs, said in (
        ("ap", reference.average_precision_score, score),
        ("auc", reference.roc_auc_score, score),
        ("log_loss", reference.log_loss, clipped),
        ("brier", reference.brier_score_loss, score),
    ):
        found = statistic(name, label, score, owner, n)(np.stack([weight, 2 * weight], 1))
        wanted = theirs(label, said, sample_weight=of_pair)
        assert found.tolist() == pytest.approx([wanted, wanted]), name


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_the_order_of_rows_never_matters(world: tuple[int, int, int]) -> None:
    label, score = pairs(world)
    order = np.random.default_rng(1).permutation(len(label))
    first = summary(label, score, 0.4, train_rate=0.2)
    again = summary(label[order], score[order], 0.4, train_rate=0.2)
    assert first == pytest.approx(again)


def test_top_share_by_hand_with_a_tie_across_the_cut() -> None:
    """The best 4 of 8 at 50 %: one sure hit, then half of a tie that holds 2 hits in 6."""
    label = np.array([1, 0, 1, 0, 1, 0, 0, 0], bool)
    score = np.array([0.9, 0.8, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert hits_among(label, score, np.array([1, 2, 5, 8])).tolist() == [1, 1, 2, 3]
    assert top_share(label, score, 0.5) == pytest.approx(((1 + 2 * 2 / 6) / 4, (1 + 2 * 2 / 6) / 3))
    assert top_share(label, np.zeros(8), 0.01) == pytest.approx((3 / 8, 1 / 8))


def test_normalised_entropy_is_against_the_rate_of_training() -> None:
    label = np.array([1, 0, 0, 0], bool)
    constant = np.full(4, 0.1)
    assert normalised_entropy(label, constant, 0.1) == pytest.approx(1)
    assert normalised_entropy(label, constant) > 1, "the pairs' own rate is the harder constant"
    assert normalised_entropy(label, np.where(label, 0.9, 0.1), 0.1) < 0.5


def test_calibration_error_by_hand_and_with_ties_at_their_expected_value() -> None:
    label = np.array([1, 1, 0, 0], bool)
    assert calibration_error(label, np.full(4, 0.5), bins=2) == pytest.approx(0)
    said = np.array([0.9, 0.7, 0.2, 0.2])
    assert calibration_error(label, said, bins=2) == pytest.approx((0.2 + 0.2) / 2)


def test_the_balanced_pool_has_all_positives_and_as_many_negatives() -> None:
    label = np.random.default_rng(0).random(2000) < 0.05
    rows = draw_balanced(label, np.random.default_rng(1))
    assert label[rows].mean() == 0.5
    assert label[rows].sum() == label.sum()
    assert len(np.unique(rows)) == len(rows)
    other = draw_balanced(label, np.random.default_rng(2))
    assert not np.array_equal(rows, other)
    few = draw_balanced(np.array([True, True, False]), np.random.default_rng(0))
    assert few.tolist() == [0, 1, 2]


def test_figures_at_one_to_one_have_a_deviation_over_the_draws() -> None:
    rng = np.random.default_rng(4)
    label = rng.random(4000) < 0.05
    score = rng.normal(size=4000) + 1.5 * label
    half = slice(0, 2000), slice(2000, None)
    validation, test = ((label[part], score[part]) for part in half)
    found = balanced_summary(validation, test, rng=np.random.default_rng(1))
    again = balanced_summary(validation, test, rng=np.random.default_rng(1))
    assert found == again
    assert found["base_rate"].value == 0.5
    assert found["auc"].value == pytest.approx(roc_auc(*test), abs=0.03)
    assert 0 < found["f1"].deviation < 0.1
    assert found["f1"].value > f1(*test, best_threshold(*validation))


def test_the_threshold_at_one_to_one_comes_from_validation() -> None:
    rng = np.random.default_rng(4)
    label = rng.random(1000) < 0.5
    score = label + 0.1 * rng.random(1000)
    found = balanced_summary((label, score), (label, score - 5), rng=rng)
    assert found["f1"].value == 0, "a threshold of the test pairs would have given 1"
    assert found["auc"].value == 1


def test_histories_are_grouped_as_the_protocol_says() -> None:
    found = by_history(np.array([0, 1, 2, 4, 5, 19, 20, 300]))
    assert {name: int(mask.sum()) for name, mask in found.items()} == {
        "history 0": 1,
        "history 1": 1,
        "history 2-4": 2,
        "history 5-19": 2,
        "history 20+": 2,
        "history < 5": 4,
    }
    assert "history 0" not in by_history(np.array([3]))


def test_other_groups_split_the_cases() -> None:
    ages = by_novelty(np.array([np.nan, 0, 7, 8]))
    assert ages["item new in 7 d"].tolist() == [True, True, True, False]
    assert by_repetition(np.array([True, False]))["repeat pair"].tolist() == [True, False]
    heads = by_popularity(np.array([0, 1, 1]), np.append(50, np.ones(99)))
    assert heads["head item"].tolist() == [True, False, False]
    last = by_last_behaviour(np.array([-1, 1, 0]), ["view", "cart"])
    assert list(last) == ["no last event", "last event view", "last event cart"]
    for groups in (ages, heads, last):
        assert (np.sum(list(groups.values()), axis=0) == 1).all()


def made(n: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, true log-odds and people."""
    rng = np.random.default_rng(9)
    logit = rng.normal(size=n) - 2
    return rng.random(n) < 1 / (1 + np.exp(-logit)), logit, np.arange(n) // 10


def test_an_interval_holds_the_figure_and_shrinks_with_more_people() -> None:
    label, logit, user = made()
    few = slice(0, 600)
    for name, value in (("ap", average_precision), ("auc", roc_auc)):
        rng = np.random.default_rng(0)
        wide = metric_interval(name, label[few], logit[few], user[few], draws=200, rng=rng)
        narrow = metric_interval(name, label, logit, user, draws=200, rng=rng)
        assert narrow.value == pytest.approx(value(label, logit))
        assert narrow.low < narrow.value < narrow.high
        assert narrow.high - narrow.low < wide.high - wide.low


def test_people_are_drawn_with_all_their_pairs() -> None:
    """Fifty copies of each pair in one hand are no more evidence than one."""
    label, logit, user = made(400)
    copies = np.repeat(np.arange(400), 50)
    rngs = [np.random.default_rng(0) for _ in range(2)]
    one = metric_interval("auc", label, logit, user, draws=200, rng=rngs[0])
    many = metric_interval(
        "auc", label[copies], logit[copies], user[copies], draws=200, rng=rngs[1]
    )
    assert (many.low, many.high) == pytest.approx((one.low, one.high))


@pytest.mark.parametrize(("metric", "sign"), [("ap", 1), ("auc", 1), ("log_loss", -1)])
def test_a_real_gain_is_told_from_none_in_every_figure(metric: str, sign: int) -> None:
    label, logit, user = made()
    good = 1 / (1 + np.exp(-logit))
    poor = np.full(len(label), label.mean()) + 1e-3 * np.random.default_rng(0).random(len(label))
    rng = np.random.default_rng(1)
    gain = paired_metric_difference(metric, label, good, poor, user, draws=100, rng=rng)
    assert gain.is_significant
    assert sign * gain.difference > 0
    same = paired_metric_difference(metric, label, good, [good, good], user, draws=20, rng=rng)
    assert (same.low, same.high) == pytest.approx((0, 0), abs=1e-12)


def test_means_are_compared_in_pairs() -> None:
    rng = np.random.default_rng(3)
    theirs = rng.random(500)
    found = paired_mean_difference(
        theirs + 0.01, theirs, np.arange(500) // 5, draws=100, rng=np.random.default_rng(0)
    )
    assert (found.difference, found.low, found.high) == pytest.approx((0.01, 0.01, 0.01))
    alone = mean_interval(theirs, np.arange(500), draws=300, rng=np.random.default_rng(0))
    expected = 1.96 * theirs.std() / np.sqrt(500)
    assert alone.high - alone.value == pytest.approx(expected, rel=0.2)


def test_an_answer_is_calibrated_and_thresholded_on_validation() -> None:
    label, logit, _ = made()
    said = answer(label, 3 * logit + 1, 3 * logit[:5] + 1)
    assert said.probability == pytest.approx(1 / (1 + np.exp(-logit[:5])), abs=0.05)
    assert 0 < said.threshold < 1


def test_a_row_of_intent_has_means_deviations_and_intervals() -> None:
    label, logit, user = made()
    rng = np.random.default_rng(0)
    seeds = [
        answer(label, one, one) for one in (logit + 0.3 * rng.normal(size=3000) for _ in range(3))
    ]
    row = intent_row("ours", label, seeds, user, draws=50, rng=rng, train_rate=0.2)
    for name in ("ap", "auc", "log_loss"):
        assert row.figures[name].low < row.figures[name].value < row.figures[name].high
        assert row.figures[name].deviation > 0
    assert row.seeds == 3
    assert row.figures["base_rate"].value == pytest.approx(label.mean())
    said = {"ours": seeds, "chance": Answer(rng.random(3000), 0.5)}
    gain = intent_gain("ours", "chance", label, said, user, draws=50, rng=rng)
    assert gain.figure == "ap"
    assert gain.interval.low > 0


def test_curves_are_thin_and_end_where_they_must() -> None:
    label, logit, _ = made()
    chance = 1 / (1 + np.exp(-logit))
    up, over = gain_curve("a", label, chance), precision_recall_curve("a", label, chance)
    assert (up.x[0], up.y[0], up.x[-1], up.y[-1]) == (0, 0, 1, 1)
    assert over.x[-1] == 1
    assert over.y[-1] == pytest.approx(label.mean(), abs=1e-5)
    assert max(len(up.x), len(over.x)) <= POINTS
    assert (np.diff(over.x) >= 0).all()
    flat = gain_curve("a", label, np.zeros(len(label)))
    assert flat.y == pytest.approx(flat.x, abs=1e-5)
    bins = reliability_curve("a", label, chance)
    assert len(bins.x) == 15
    assert bins.x == sorted(bins.x)
    assert learning_curve("a", [0.3, 0.2]).x == [1, 2]


def test_the_meter_sees_time_and_memory() -> None:
    with Meter() as meter:
        block = np.ones(20_000_000)
        peak = block.nbytes / 2**20
    assert meter.seconds > 0
    assert meter.peak_mb > peak
    with pytest.raises(ZeroDivisionError), Meter():
        _ = 1 / 0
