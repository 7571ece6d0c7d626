"""Ten ways in which an evaluation fools itself, each tried on a made log with the real code."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ml import training
from ml.batches import PoolBatches, Scene
from ml.behaviours import CART, PURCHASE
from ml.config import DAY_MS, PaperConfig
from ml.dataset import Catalogue, Interactions
from ml.evaluation.ahead import before_first_cart, minutes_ahead
from ml.evaluation.comparison import compare
from ml.evaluation.intent_metrics import answer
from ml.evaluation.metrics import average_precision, roc_auc
from ml.evaluation.pools import Pool, moment, touched_pool, training_pool
from ml.evaluation.ranking import Cases, rank_cases
from ml.evaluation.ranking_metrics import summary
from ml.evaluation.sessions import LENGTHS, session_cases
from ml.evaluation.splits import Cutoffs, cutoffs, time_split
from ml.export import with_padding
from ml.fitting import standardise
from ml.intent.columns import IntentColumns
from ml.intent.counters import counter_table
from ml.intent.history import History, IntentConfig
from ml.intent.linear import Scale
from ml.models.item2vec import item2vec
from ml.models.paper import PaperModel
from ml.parts import split_into_parts
from ml.ranking.history import OwnHistory
from ml.ranking.item_graph import transitions
from ml.ranking.markov import Markov
from ml.ranking.popular import Popular
from ml.ranking.sequences import Sequences
from ml.timelines import Timelines

ROOT = Path(__file__).parents[3]
VIEW = 2
START = 1_700_000_000_000
MINUTE = 60_000


@pytest.fixture(scope="module")
def at(world: Interactions, small: PaperConfig) -> Cutoffs:
    """The cutoffs of the checkerboard."""
    return cutoffs(time_split(world), small)


def same(first: Any, second: Any) -> None:
    """Bit by bit, NaN being equal to NaN."""
    assert first.dtype == second.dtype
    assert first.tobytes() == second.tobytes()


class TestTrap1FeaturesSeeNothingAfterTheCutoff:
    """All events at or after the cutoff are deleted, and every feature stays as it was."""

    def test_features_of_the_pools(self, world, small, at) -> None:
        for cutoff in (*at.train, *at.validation, *at.test):
            full, cut = (
                touched_pool(moment(data, cutoff, small)) for data in (world, world.before(cutoff))
            )
            for name in ("cutoff", "user", "item", "touched", "features", "week"):
                same(getattr(full, name), getattr(cut, name))
            assert full.label.any()
            assert not cut.label.any()

    def test_counters(self, world, at) -> None:
        cutoff = at.test[0]
        full, cut = (counter_table(data, cutoff) for data in (world, world.before(cutoff)))
        same(full.values, cut.values)
        assert np.array_equal(full.user, cut.user)

    def test_columns_of_repeat_purchases(self, world) -> None:
        config = IntentConfig(horizon_days=3, window=8, warm_up=3)
        tables = []
        for keep_future in (True, False):
            history = History.of(world, world.end_ms, config)
            period = history.period_of(world.end_ms) - 3
            if not keep_future:
                past = world.before(history.begins(period))
                history = History.of(past, world.end_ms, config)
            columns = IntentColumns(history)
            for earlier in range(period - 12, period):
                columns.walk(earlier)
            tables.append(columns.table(period))
        full, cut = tables
        same(full.values, cut.values)
        assert full.label.any()
        assert not cut.label.any()


class TestTrap2TheGraphKnowsNoLaterEdge:
    """The newest edge is older than the cutoff, and the pair that is asked about has none."""

    def test_every_edge_was_there_before_the_cutoff(self, world, small, at) -> None:
        cutoff = at.test[0]
        known = set(world.before(cutoff).pair.tolist())
        lines = Timelines(world)
        items, users = lines.items_of_users(cutoff, 48), lines.users_of_items(cutoff, 40)
        person, place = np.nonzero(items >= 0)
        assert set((person * world.n_items + items[person, place]).tolist()) == known
        item, place = np.nonzero(users >= 0)
        assert set((users[item, place] * world.n_items + item).tolist()) == known
        events = lines.last_events(cutoff, small.steps)
        assert world.ts[events[events >= 0]].max() < cutoff

    def test_the_edge_of_the_target_is_absent_in_training_too(self, world, small, at) -> None:
        """First-time purchases are learned from; their edge begins with the purchase."""
        early = world.before(at.train[0] + small.horizon_days * DAY_MS)
        cutoff = int(early.ts[0]) + DAY_MS
        pool = training_pool(
            moment(early, cutoff, replace(small, new_share=1.0)),
            replace(small, new_share=1.0),
            np.random.default_rng(0),
        )
        new = pool.take(pool.label & ~pool.touched)
        assert len(new) > 10
        table = torch.arange((early.n_items + 1) * small.dim).reshape(-1, small.dim).float()
        scene = Scene(Timelines(early), cutoff, table, small)
        near = Timelines(early).items_of_users(cutoff, 48)
        assert not (near[new.user] == new.item[:, None]).any()
        for batch in PoolBatches(new, scene, 8):
            source, target = batch.users.edges.numpy()
            person, item = batch.pairs.person.numpy(), new.item[batch.rows]
            for row in np.unique(person):
                vectors = batch.users.source[source[target == row]].numpy()
                wanted = scene.table[torch.from_numpy(item[person == row]).long()].numpy()
                assert not (vectors[:, None] == wanted).all(axis=2).any()

    def test_item_vectors_of_a_run_are_learned_before_the_training_part_ends(
        self, world, small, tmp_path, monkeypatch
    ) -> None:
        seen = []

        def spy(data: Interactions, config: PaperConfig) -> Any:
            seen.append(data)
            return item2vec(data, config)

        class Enough(Exception):
            """The run need not go on."""

        def stop(*_: object) -> None:
            raise Enough

        monkeypatch.setattr(training, "item2vec", spy)
        monkeypatch.setattr(training, "split_into_parts", stop)
        with pytest.raises(Enough):
            training.train(world, small, folder=tmp_path / "v", version="v")
        assert seen[0].end_ms <= time_split(world).train_end_ms

    def test_edges_between_items_come_from_what_is_learned_from_alone(self) -> None:
        past = Sequences.of([[0, 1, 2], [2, 3]], 6)
        linked = transitions(past).toarray() > 0
        assert linked.sum() == 6
        assert not linked[4:].any()
        assert not linked[:, 4:].any()


class TestTrap3NothingIsOnBothSides:
    """Parts do not share label windows, questions, or visits."""

    def test_label_windows_end_before_the_next_part_begins(self, world, small, at) -> None:
        horizon = small.horizon_days * DAY_MS
        split = time_split(world)
        assert max(at.train) + horizon <= split.train_end_ms <= min(at.validation)
        assert max(at.validation) + horizon <= split.validation_end_ms <= min(at.test)

    def test_label_windows_of_one_part_do_not_overlap(self, small, at) -> None:
        for part in (at.train, at.validation, at.test):
            assert (np.diff(part) >= small.horizon_days * DAY_MS).all()

    def test_no_question_is_asked_in_two_parts(self, world, small, at) -> None:
        parts = split_into_parts(world, at, small, lambda _: None)
        moments = [
            {int(pool.cutoff[0]) for pool in pools}
            for pools in (parts.train, parts.stop, parts.calibrate, parts.test)
        ]
        assert len(set.union(*moments)) == sum(map(len, moments))
        assert max(moments[0]) < min(moments[1]) < min(moments[2]) < min(moments[3])


def bought_after_cart(gap_minutes: int) -> Interactions:
    """Everybody looks at two items; one of them goes into the cart at noon and is bought."""
    people = np.arange(60)
    noon = START + 20 * DAY_MS + people % 2 * DAY_MS
    return Interactions.of(
        user=np.tile(people, 4),
        item=np.concatenate([np.zeros(60), np.ones(60), np.ones(60), np.ones(60)]),
        code=np.repeat([VIEW, VIEW, CART, PURCHASE], 60),
        ts=np.concatenate(
            [noon - DAY_MS, noon - DAY_MS, noon, noon + gap_minutes * MINUTE],
        ),
        user_ids=[f"c_{k}" for k in range(60)],
        catalogue=Catalogue.of(["seen", "bought"]),
    )


class TestTrap4TheCartMinutesBeforeThePurchase:
    """Asked between cart and purchase, the cart is the answer; the harder questions hide it."""

    SETTINGS = PaperConfig(window_days=10, horizon_days=1)
    CUTOFF = START + 20 * DAY_MS + 3 * MINUTE

    def pool(self, data: Interactions) -> tuple[Pool, np.ndarray]:
        """The pairs, and whether each is in the cart just before the cutoff."""
        pool = touched_pool(moment(data, self.CUTOFF, self.SETTINGS))
        window = data.before(self.CUTOFF)
        carted = window.pair[window.code == CART]
        return pool, np.isin(pool.user * data.n_items + pool.item, carted)

    def test_the_plain_question_is_given_away_by_the_cart(self) -> None:
        pool, carted = self.pool(bought_after_cart(5))
        assert roc_auc(pool.label, carted.astype(float)) == 1

    def test_before_the_first_cart_no_cart_is_seen(self) -> None:
        data = bought_after_cart(5)
        pool, carted = self.pool(data)
        harder = before_first_cart(pool, data, 10)
        assert len(harder) == (~carted).sum()
        assert not self.pool(data)[1][np.isin(pool.item, harder.item) & ~carted].any()
        assert not harder.label.any()

    def test_half_an_hour_ahead_a_cart_of_five_minutes_is_too_late(self) -> None:
        data = bought_after_cart(5)
        pool, carted = self.pool(data)
        harder = minutes_ahead(pool, data, 1)
        assert not harder.label.any()
        assert len(harder) == len(pool) - carted.sum(), "what was bought meanwhile is not asked"

    def test_half_an_hour_ahead_a_purchase_of_an_hour_later_counts(self) -> None:
        data = bought_after_cart(60)
        pool, carted = self.pool(data)
        harder = minutes_ahead(pool, data, 1)
        assert len(harder) == len(pool)
        assert np.array_equal(harder.label, carted)

    def test_several_cutoffs_are_each_seen_from_their_own_time(self) -> None:
        data = bought_after_cart(5)
        first, _ = self.pool(data)
        later = touched_pool(moment(data, self.CUTOFF + DAY_MS, self.SETTINGS))
        joined = Pool.join([first, later])
        harder = before_first_cart(joined, data, 10)
        assert len(harder) == len(before_first_cart(first, data, 10)) + len(
            before_first_cart(later, data, 10)
        )
        assert not minutes_ahead(joined, data, 1).label.any()


class TestTrap5RecallOverAllPurchasesAndTheWholeCatalogue:
    """The denominator holds what no list can reach; the candidates are all items."""

    PAST = Sequences.of([[0, 1, 2], [0, 1, 3]], 12)

    def test_targets_that_were_never_touched_stay_in_the_denominator(self) -> None:
        prefixes = Sequences.of([[0, 1], [0, 1]], 12)
        known, unknown = Sequences.of([[1], [1]], 12), Sequences.of([[1, 11, 10], [9]], 12)
        model = OwnHistory()
        model.fit(self.PAST)
        found = []
        for targets in (known, unknown):
            cases = Cases(
                prefixes=prefixes,
                target=targets.item,
                target_start=targets.start,
                owner=np.arange(2),
            )
            found.append(summary(rank_cases(model, cases), cases, ["recall@2"])["recall@2"])
        assert found[0] == 1
        assert found[1] == pytest.approx((1 / 3 + 0) / 2)

    @pytest.mark.parametrize("make", [Popular, Markov, OwnHistory])
    def test_an_item_without_events_is_ranked_among_all_others(self, make) -> None:
        model = make()
        model.fit(self.PAST)
        cases = Cases.one_each(Sequences.of([[0, 1]], 12), [11])
        assert rank_cases(model, cases).rank[0] > 4

    def test_sampled_candidates_are_refused(self) -> None:
        class Sampled(Popular):
            """Leaves out the second half of the catalogue."""

            def scores(self, prefixes: Sequences) -> np.ndarray:
                """Too few columns."""
                return super().scores(prefixes)[:, :6]

        model = Sampled()
        model.fit(self.PAST)
        with pytest.raises(ValueError, match="whole catalogue"):
            rank_cases(model, Cases.one_each(Sequences.of([[0]], 12), [1]))

    def test_the_head_of_the_test_part_is_not_known(self) -> None:
        """Popularity comes from the past: an item that only the test part likes stays last."""
        model = Popular()
        model.fit(self.PAST)
        cases = Cases.one_each(Sequences.of([[0]] * 50, 12), np.full(50, 7))
        assert (rank_cases(model, cases).rank > 4).all()


class TestTrap6NothingIsFittedOnTheTestPart:
    """Refitted without the test part, every scale and vocabulary is the same."""

    def test_scales_vectors_and_training_pairs(self, world, small, at) -> None:
        found = []
        for data in (world, world.before(at.test[0])):
            rng = np.random.default_rng(1)
            pool = Pool.join([training_pool(moment(data, c, small), small, rng) for c in at.train])
            torch.manual_seed(0)
            model = PaperModel(small)
            standardise(model, pool)
            table = counter_table(data, at.train[-1], horizon_days=small.horizon_days)
            scale = Scale.fit(table.values, table.weight)
            found.append(
                [
                    *(getattr(pool, column.name) for column in fields(Pool)),
                    model.mean.numpy(),
                    model.deviation.numpy(),
                    item2vec(data.before(at.train[-1]), small),
                    scale.mean,
                    scale.deviation,
                    scale.missing,
                ]
            )
        for full, cut in zip(*found, strict=True):
            same(full, cut)


class TestTrap7TheTestLabelsDecideNothing:
    """With other labels in the test part: same epochs, thresholds, calibration and champion."""

    def test_threshold_and_calibration_of_a_comparison(self, world, small, at) -> None:
        rng = np.random.default_rng(0)
        pools = {
            name: Pool.join([touched_pool(moment(world, c, small)) for c in part])
            for name, part in (("validation", at.validation), ("test", at.test))
        }
        logits = {
            name: {
                model: pool.features[:, k].astype(float) for k, model in ((3, "paper"), (4, "b"))
            }
            for name, pool in pools.items()
        }
        first, lines = compare(pools, logits, small, "paper")
        shuffled = replace(pools["test"], label=rng.permutation(pools["test"].label))
        second, again = compare(pools | {"test": shuffled}, logits, small, "paper")
        assert lines == again
        assert first["validation"] == second["validation"]
        for model in ("paper", "b"):
            assert first["test"][model]["threshold"] == second["test"][model]["threshold"]
            assert first["test"][model]["ap"] != second["test"][model]["ap"]

    def test_an_answer_needs_no_test_label_at_all(self) -> None:
        rng = np.random.default_rng(0)
        label, logit, asked = rng.random(500) < 0.3, rng.normal(size=500), rng.normal(size=90)
        said = answer(label, logit, asked)
        part = answer(label, logit, asked[:10])
        assert part.threshold == said.threshold
        assert np.array_equal(part.probability, said.probability[:10])

    def test_a_whole_run_with_other_purchases_after_the_last_cutoff(
        self, world, small, at, tmp_path
    ) -> None:
        config = replace(small, test_cutoffs=1, max_epochs=3, bootstrap_draws=10)
        after = world.position(at.test[-1])
        rng = np.random.default_rng(0)
        item = world.item.copy()
        item[after:] = rng.permutation(item[after:])
        other = replace(world, item=item)
        metrics, epochs = [], []
        for name, data in (("a", world), ("b", other)):
            told = []
            model = training.train(
                data, config, folder=tmp_path / name, version=name, report=told.append
            )
            metrics.append(model.metrics)
            epochs.append([one.figures for one in told if one.stage == "fit"])
        assert epochs[0] == epochs[1]
        decided = [
            name for name in metrics[0] if name.startswith("validation_") or "threshold" in name
        ]
        assert len(decided) > 10
        for name in decided:
            assert metrics[0][name] == metrics[1][name], name
        assert metrics[0]["test_paper_ap"] != metrics[1]["test_paper_ap"]


class TestTrap8TiesCountAtTheirExpectedValue:
    """A constant score earns what chance earns."""

    def test_pairs(self, world, small, at) -> None:
        pool = touched_pool(moment(world, at.test[0], small))
        for order in (np.argsort(pool.label), np.argsort(~pool.label)):
            label, constant = pool.label[order], np.zeros(len(pool))
            assert roc_auc(label, constant) == 0.5
            assert average_precision(label, constant) == pytest.approx(pool.base_rate)

    def test_rankings(self) -> None:
        class Constant(Popular):
            """Knows nothing."""

            def scores(self, prefixes: Sequences) -> np.ndarray:
                """All the same."""
                return np.zeros((len(prefixes), prefixes.n_items), np.float32)

        cases = Cases.one_each(Sequences.of([[0]] * 7, 1000), np.arange(7))
        assert rank_cases(Constant(), cases).rank.tolist() == [500.5] * 7


def visits(n: int = 4000, seed: int = 0) -> Sequences:
    """Visits of 2 to 14 looks at random; a third of them end with a purchase, and a little late."""
    rng = np.random.default_rng(seed)
    buys = rng.random(n) < 1 / 3
    length = rng.integers(2, 12, n) + 3 * buys
    start = np.append(0, np.cumsum(length))
    code = np.full(start[-1], VIEW, np.int8)
    code[start[1:][buys] - 1] = PURCHASE
    item = rng.integers(0, 50, start[-1]).astype(np.int32)
    return Sequences(item=item, start=start, n_items=50, code=code)


class TestTrap9ThePrefixDoesNotGiveTheAnswerAway:
    """All visits are asked after equally many events."""

    def test_whole_visits_are_told_apart_by_their_length_alone(self) -> None:
        made = visits()
        assert made.code is not None
        buys = np.isin(np.arange(len(made)), made.owner[made.code == PURCHASE])
        assert roc_auc(buys, made.lengths.astype(float)) > 0.7

    @pytest.mark.parametrize("length", LENGTHS)
    def test_both_classes_have_prefixes_of_the_same_length(self, length) -> None:
        cases = session_cases(visits(), length)
        assert set(cases.prefixes.lengths.tolist()) == {length}
        assert 0 < cases.label.mean() < 1
        assert roc_auc(cases.label, cases.prefixes.lengths.astype(float)) == 0.5

    def test_no_prefix_holds_the_purchase_or_anything_later(self) -> None:
        made = visits()
        cases = session_cases(made, 5)
        assert cases.prefixes.code is not None
        assert not (cases.prefixes.code == PURCHASE).any()
        whole = made.take(cases.session)
        assert (whole.lengths >= 5).all()
        rows = whole.start[:-1, None] + np.arange(5)
        assert np.array_equal(whole.item[rows].ravel(), cases.prefixes.item)

    def test_visits_without_kinds_cannot_be_asked(self) -> None:
        with pytest.raises(ValueError, match="codes"):
            session_cases(Sequences.of([[1, 2]], 3), 1)


class TestTrap10LinksWithoutDatesAreNotUsed:
    """Also-bought lists of unknown date were made from the whole log, the test part included."""

    def test_no_model_and_no_study_reads_them(self) -> None:
        links = ("also_buy", "also_view", "r_complement", "r_substitute")
        # An importer may read the dated reviews of the set that has such lists; no model may.
        for folder, words in (("ml", (*links, "rechorus")), ("workers", links)):
            for path in (ROOT / folder).rglob("*.py"):
                text = path.read_text(encoding="utf-8").lower()
                assert not [word for word in words if word in text], path

    def test_a_catalogue_holds_no_links_between_items(self) -> None:
        names = {column.name for column in fields(Catalogue)}
        assert names == {"item_ids", "category", "category_names", "brand", "price", "created_at"}


def test_padding_adds_one_empty_row(world, small, at) -> None:
    """The vector of "no item" carries nothing about any item."""
    table = with_padding(item2vec(world.before(at.train[0]), small))
    assert table.shape == (world.n_items + 1, small.dim)
    assert not table[-1].any()
