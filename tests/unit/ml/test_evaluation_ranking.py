"""Rankings: the whole catalogue, ties at their expected place, figures as two libraries count."""

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from ml.evaluation.metrics import average_precision
from ml.evaluation.ranking import Cases, Ranked, rank_cases
from ml.evaluation.ranking_metrics import (
    coverage,
    head_items,
    head_share,
    mean_per_case,
    part,
    per_case,
    ranking_gain,
    ranking_row,
    summary,
)
from ml.ranking.sequences import Sequences


class Given:
    """A ranker whose scores are known; the time of a prefix is its row."""

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores

    def fit(self, past: Sequences) -> None:
        """Nothing to learn."""

    def scores(self, prefixes: Sequences) -> np.ndarray:
        """The rows that the prefixes name."""
        assert prefixes.ts is not None
        return self._scores[prefixes.ts]


def asked(targets: list[list[int]], n_items: int, seen: list[list[int]] | None = None) -> Cases:
    """Case k is answered by row k of the scores."""
    lists = Sequences.of(targets, n_items)
    n = len(targets)
    return Cases(
        prefixes=Sequences(
            item=np.zeros(n, np.int32), start=np.arange(n + 1), n_items=n_items, ts=np.arange(n)
        ),
        target=lists.item,
        target_start=lists.start,
        owner=np.arange(n),
        seen=None if seen is None else Sequences.of(seen, n_items),
    )


def ranked(scores: np.ndarray, targets: list[list[int]], **options: object) -> tuple[Ranked, Cases]:
    cases = asked(targets, scores.shape[1], **options)
    return rank_cases(Given(scores), cases), cases


def test_the_rank_is_one_plus_the_better_ones_plus_half_of_the_equal_ones() -> None:
    scores = np.array([[5.0, 3.0, 3.0, 3.0, 1.0]], np.float32)
    for item, rank in ((0, 1), (1, 3), (2, 3), (3, 3), (4, 5)):
        assert ranked(scores, [[item]])[0].rank.tolist() == [rank]


def test_a_constant_score_puts_everything_in_the_middle() -> None:
    """Trap 8: the rank is about half of the catalogue, so nothing is found."""
    scores = np.zeros((3, 1001), np.float32)
    found, cases = ranked(scores, [[0], [500], [1000]])
    assert found.rank.tolist() == [501.0] * 3
    assert summary(found, cases, ["recall@20", "mrr@20"]) == {"recall@20": 0, "mrr@20": 0}


def test_what_was_seen_stands_below_everything() -> None:
    scores = np.array([[5.0, 4.0, 3.0, 2.0]], np.float32)
    assert ranked(scores, [[2]], seen=[[0, 1]])[0].rank.tolist() == [1]
    assert ranked(scores, [[2]], seen=[[]])[0].rank.tolist() == [3]
    assert scores[0, 0] == 5.0, "the model's own scores stay as they are"


def test_blocks_and_many_targets_per_case_give_the_same_ranks_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 40, (700, 90)).astype(np.float32)
    targets = [rng.choice(90, rng.integers(0, 9), replace=False).tolist() for _ in scores]
    found, cases = ranked(scores, targets)
    wanted = [
        1 + (row > row[item]).sum() + 0.5 * ((row == row[item]).sum() - 1)
        for row, items in zip(scores, targets, strict=True)
        for item in items
    ]
    assert found.rank.tolist() == wanted
    small = rank_cases(Given(scores), cases, block=37)
    assert np.array_equal(small.rank, found.rank)


def test_ranks_down_to_a_depth_are_the_same_and_all_others_are_beyond_it() -> None:
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 9, (40, 60)).astype(np.float32)
    cases = asked([rng.permutation(60)[:12].tolist() for _ in range(40)], 60)
    whole = rank_cases(Given(scores), cases).rank
    part = rank_cases(Given(scores), cases, deepest=10).rank
    near = np.isfinite(part)
    assert np.array_equal(part[near], whole[near])
    assert (whole[~near] > 10).all()
    with pytest.raises(ValueError, match="deep"):
        rank_cases(Given(scores), cases, deepest=21)


@pytest.mark.parametrize("n_items", [25, 900, 3001])
def test_the_lists_are_the_best_items_in_order(n_items: int) -> None:
    scores = np.random.default_rng(n_items).permuted(
        np.tile(np.arange(n_items, dtype=np.float32), (40, 1)), axis=1
    )
    found, _ = ranked(scores, [[0]] * 40)
    assert np.array_equal(found.top, np.argsort(-scores, axis=1)[:, :20])


def test_scores_of_a_part_of_the_catalogue_are_refused() -> None:
    """Trap 5: sampled candidates do not keep the order of models."""
    cases = asked([[1]], 10)
    with pytest.raises(ValueError, match="whole catalogue"):
        rank_cases(Given(np.zeros((1, 9), np.float32)), cases)


def test_scores_that_are_not_finite_are_refused() -> None:
    scores = np.array([[np.nan, 1.0]], np.float32)
    with pytest.raises(ValueError, match="finite"):
        rank_cases(Given(scores), asked([[0]], 2))


def test_figures_by_hand() -> None:
    """Targets at places 1 and 3 of five; the ideal list of NDCG has both on top."""
    scores = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]], np.float32)
    found, cases = ranked(scores, [[0, 2]])
    both = 1 + 1 / np.log2(3)
    for figure, value in (
        ("recall@1", 1 / 2),
        ("recall@3", 1),
        ("precision@3", 2 / 3),
        ("hit@1", 1),
        ("mrr@3", 1),
        ("ndcg@2", 1 / both),
        ("ndcg@3", (1 + 1 / np.log2(4)) / both),
        ("ndcg@1", 1),
    ):
        assert per_case(found, cases, figure)[0] == pytest.approx(value), figure


def test_people_without_targets_count_as_zero() -> None:
    scores = np.array([[2.0, 1.0], [2.0, 1.0]], np.float32)
    found, cases = ranked(scores, [[0], []])
    for figure in ("recall@1", "precision@1", "hit@1", "mrr@1", "ndcg@1"):
        assert summary(found, cases, [figure])[figure] == 0.5


def test_an_unknown_figure_is_refused() -> None:
    found, cases = ranked(np.zeros((1, 2), np.float32), [[0]])
    with pytest.raises(ValueError, match="no figure luck@3"):
        per_case(found, cases, "luck@3")


WORLDS = st.tuples(
    st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 12), st.sampled_from([5, 10, 20])
)


@settings(max_examples=60, deadline=None)
@given(WORLDS)
def test_trec_eval_counts_the_same(world: tuple[int, int, int, int]) -> None:
    """Recall, NDCG and reciprocal rank of random lists; its order has no ties."""
    seed, n_items, n_cases, k = world
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(n_items, dtype=np.float32), (n_cases, 1)), axis=1)
    targets = [
        rng.choice(n_items, rng.integers(1, min(n_items, 8) + 1), replace=False).tolist()
        for _ in range(n_cases)
    ]
    found, cases = ranked(scores, targets)
    wanted = trec(scores, targets, {f"recall.{k}", f"ndcg_cut.{k}", f"P.{k}", "recip_rank"})
    for ours, theirs in (("recall", "recall"), ("ndcg", "ndcg_cut"), ("precision", "P")):
        value = per_case(found, cases, f"{ours}@{k}")
        assert value == pytest.approx([one[f"{theirs}_{k}"] for one in wanted])
    full = per_case(found, cases, f"mrr@{n_items}")
    assert full == pytest.approx([one["recip_rank"] for one in wanted])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 60))
def test_trec_eval_has_the_same_average_precision(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.permutation(n).astype(np.float32)
    right = rng.choice(n, rng.integers(1, n), replace=False)
    wanted = trec(score[None], [right.tolist()], {"map"})[0]["map"]
    assert average_precision(np.isin(np.arange(n), right), score) == pytest.approx(wanted)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 60), st.integers(1, 20))
def test_scikit_learn_counts_the_same_ndcg(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.permutation(n).astype(np.float32)
    right = rng.choice(n, rng.integers(1, n), replace=False)
    found, cases = ranked(score[None], [right.tolist()])
    wanted = ndcg_score(np.isin(np.arange(n), right)[None].astype(float), score[None], k=k)
    assert per_case(found, cases, f"ndcg@{k}")[0] == pytest.approx(wanted)


def trec(
    scores: np.ndarray, targets: list[list[int]], measures: set[str]
) -> list[dict[str, float]]:
    truth = {str(k): {str(item): 1 for item in items} for k, items in enumerate(targets)}
    run = {
        str(k): {str(item): float(value) for item, value in enumerate(row)}
        for k, row in enumerate(scores)
    }
    found = pytrec_eval.RelevanceEvaluator(truth, measures).evaluate(run)
    return [found[str(k)] for k in range(len(targets))]


def test_coverage_and_head_are_shares() -> None:
    found = Ranked(np.zeros(0), np.array([[0, 1], [0, 2]], np.int32))
    assert coverage(found, 10) == pytest.approx(0.3)
    assert coverage(found, 10, k=1) == pytest.approx(0.1)
    popularity = np.append(100.0, np.ones(99))
    assert head_items(popularity).sum() == 1
    assert head_share(found, popularity) == pytest.approx(0.5)


def test_a_part_of_the_cases_keeps_their_answers() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(6, 30)).astype(np.float32)
    targets = [[1], [2, 3], [], [4], [5, 6, 7], [8]]
    found, cases = ranked(scores, targets)
    mask = np.array([0, 1, 1, 0, 1, 0], bool)
    some, kept = part(found, cases, mask)
    assert len(kept) == 3
    assert kept.owner.tolist() == [1, 2, 4]
    assert np.array_equal(per_case(some, kept, "mrr@30"), per_case(found, cases, "mrr@30")[mask])
    assert np.array_equal(rank_cases(Given(scores), kept).rank, some.rank)


def test_a_row_has_seed_means_their_deviation_and_an_interval_over_owners() -> None:
    rng = np.random.default_rng(1)
    targets = [[int(item)] for item in rng.integers(0, 50, 200)]
    answers = []
    for _ in range(3):
        scores = rng.normal(size=(200, 50)).astype(np.float32)
        scores[np.arange(200), [items[0] for items in targets]] += 1
        answers.append(ranked(scores, targets)[0])
    cases = asked(targets, 50)
    row = ranking_row(
        "ours", answers, cases, ["recall@10"], draws=100, rng=rng, popularity=np.ones(50)
    )
    each = [summary(one, cases, ["recall@10"])["recall@10"] for one in answers]
    figure = row.figures["recall@10"]
    assert row.seeds == 3
    assert figure.value == pytest.approx(np.mean(each))
    assert figure.deviation == pytest.approx(np.std(each, ddof=1))
    assert figure.low < figure.value < figure.high
    assert row.figures["coverage@20"].value == 1.0


def test_a_gain_is_paired_over_owners_and_drawn_with_all_their_cases() -> None:
    rng = np.random.default_rng(2)
    targets = [[int(item)] for item in rng.integers(0, 50, 300)]
    right = [items[0] for items in targets]
    weak = rng.normal(size=(300, 50)).astype(np.float32)
    strong = weak.copy()
    strong[np.arange(300), right] += 2
    models = {"weak": ranked(weak, targets)[0], "strong": [ranked(strong, targets)[0]]}
    cases = asked(targets, 50)
    found = ranking_gain("strong", "weak", models, cases, "mrr@20", draws=100, rng=rng)
    difference = mean_per_case(models["strong"], cases, "mrr@20") - per_case(
        models["weak"], cases, "mrr@20"
    )
    assert found.interval.difference == pytest.approx(difference.mean())
    assert found.interval.low > 0
    nothing = ranking_gain("weak", "weak", models, cases, "mrr@20", draws=10, rng=rng)
    assert (nothing.interval.low, nothing.interval.high) == (0, 0)
