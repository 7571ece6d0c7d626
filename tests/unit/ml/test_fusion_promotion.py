"""Attention gated by the running promotion, on shops where promotion is all that matters."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.config import DAY_MS
from ml.fusion import Ahead, Fusion, FusionConfig, Plans
from ml.fusion.batches import gather
from ml.fusion.people import UserTower
from ml.fusion.questions import Baskets, asked_at, first_from
from ml.intent.promotions import Promotions
from ml.ranking.sequences import Sequences

WEEK = 7 * DAY_MS
ITEMS, PEOPLE, WEEKS = 24, 60, 12
PROMOTED = {"promotion_then": True, "promotion_bias": True, "promotion_gate": True}
SMALL = FusionConfig(
    dim=16, encoder="none", steps=20, hops=0, negatives=24, batch=400, epochs=12, dropout=0.0
)
SMALL = replace(SMALL, learning_rate=0.02)


@pytest.fixture(autouse=True)
def one_thread():
    """Training is compared bit by bit."""
    torch.set_num_threads(1)


def plans_of(is_on, stores=None):
    """From (weeks, items) truths, in all stores or in the given ones."""
    week, item = np.nonzero(is_on)
    begin = week * WEEK
    promotions = Promotions.of(item=item, start=begin, end=begin + WEEK, store=stores)
    n_weeks, n_items = is_on.shape
    return Plans.of(promotions, begin=0, end=n_weeks * WEEK, period_ms=WEEK, n_items=n_items)


def shop(seed=0):
    """
    Everybody likes six items and buys, each week, those of them that are on promotion.

    Returns:
        lives: of all weeks; is_on (weeks, items); liked (people, items).
    """
    rng = np.random.default_rng(seed)
    is_on = rng.random((WEEKS, ITEMS)) < 0.35
    liked = np.argsort(rng.random((PEOPLE, ITEMS)), axis=1) < 6
    who, week, item = np.nonzero(liked[:, None] & is_on[None])
    start = np.append(0, np.cumsum(np.bincount(who, minlength=PEOPLE)))
    ts = week * WEEK + item * 1000
    lives = Sequences(item=item.astype(np.int32), start=start, n_items=ITEMS, ts=ts)
    return lives, is_on, liked


def cut(lives, week):
    """The lives before a week, asked about it."""
    kept = lives.ts < week * WEEK
    start = np.append(0, np.cumsum(kept))[lives.start]
    asked = np.full(len(lives), week * WEEK)
    return replace(lives, item=lives.item[kept], ts=lives.ts[kept], start=start, asked=asked)


AHEAD = Ahead(moments=np.arange(3, WEEKS - 1) * WEEK)


def fitted(past, plans, **switches):
    """A model that has learned from all weeks but the last."""
    model = Fusion(replace(SMALL, **switches), ahead=AHEAD, plans=plans)
    model.fit(past)
    return model


def found(model, prefixes, wanted):
    """The mean share of what is bought that is among the first so many places."""
    order = np.argsort(-model.scores(prefixes), axis=1)
    place = np.argsort(order, axis=1)
    count = wanted.sum(axis=1)
    rows = np.flatnonzero(count)
    return np.mean([(place[k][wanted[k]] < count[k]).mean() for k in rows])


def test_the_gate_beats_the_same_model_without_it():
    """What is bought is what is liked and on promotion: only the gate can join the two."""
    lives, is_on, liked = shop()
    past, wanted, plans = cut(lives, WEEKS - 1), liked & is_on[-1], plans_of(is_on)
    plain = found(fitted(past, plans), past, wanted)
    gated = fitted(past, plans, promotion_gate=True)
    assert found(gated, past, wanted) > plain + 0.2
    weights = gated.behaviour_weights()
    assert weights["delta"].shape == (2, 2)
    assert weights["delta"][:, 0].max() > 0 or weights["delta_own"][0, 0] > 0


def test_the_bonus_lifts_what_is_on_promotion():
    """Its worth is positive, for the kind that there is; of the other nothing is learned."""
    lives, is_on, _ = shop()
    past = cut(lives, WEEKS - 1)
    leaflet, display = fitted(past, plans_of(is_on), promotion_bias=True).behaviour_weights()[
        "bonus"
    ]
    assert leaflet > 0.5
    assert display == 0


def test_without_the_switches_plans_change_nothing():
    """Same seed, same numbers, as if there were no plans; and nothing of them is told."""
    lives, is_on, _ = shop()
    past = cut(lives, WEEKS - 1)
    few = {"epochs": 2}
    one, two = (fitted(past, plans, **few) for plans in (None, plans_of(is_on)))
    assert np.array_equal(one.scores(past), two.scores(past))
    assert not {"delta", "delta_own", "bonus"} & set(two.behaviour_weights())


def test_where_nothing_is_ever_promoted_the_switches_change_nothing():
    """They start as no reason for anything, and learn of none."""
    lives, is_on, _ = shop()
    past, nothing = cut(lives, WEEKS - 1), plans_of(np.zeros_like(is_on))
    one, two = fitted(past, nothing, epochs=2), fitted(past, nothing, epochs=2, **PROMOTED)
    np.testing.assert_allclose(one.scores(past), two.scores(past), atol=1e-4)


def test_of_all_that_comes_later_only_the_plan_of_the_asked_week_counts():
    """Other purchases and other plans afterwards leave every score as it is."""
    lives, is_on, _ = shop()
    week = WEEKS - 2
    other = is_on.copy()
    other[week + 1 :] = ~other[week + 1 :]
    mixed = replace(lives, item=np.where(lives.ts < week * WEEK, lives.item, 0).astype(np.int32))
    few = {"epochs": 2, **PROMOTED}
    model = fitted(cut(lives, week), plans_of(is_on), **few)
    again = fitted(cut(mixed, week), plans_of(other), **few)
    assert np.array_equal(model.scores(cut(lives, week)), again.scores(cut(mixed, week)))
    other[week] = ~other[week]
    again.plans = again._bonus.plans = plans_of(other)
    assert not np.allclose(model.scores(cut(lives, week)), again.scores(cut(lives, week)))


def tower_and_events(is_on, **settings):
    """Items 1, 2, 3 bought in week 0, asked about in week 1; a tower with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        config = FusionConfig(dim=8, encoder="none", promotion_gate=True, **settings)
        tower = UserTower(config, kinds=2).eval()
        with torch.no_grad():
            for weight in tower.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
        table = torch.randn(ITEMS + 1, 8)
    past = replace(Sequences.of([[1, 2, 3]], ITEMS), ts=np.array([0, 0, 0]))
    ends = np.array([0]), np.array([3]), np.array([WEEK])
    return tower, table, asked_at(past, *ends, None, plans_of(is_on))


@pytest.mark.parametrize(
    ("part", "settings"),
    [("attention", {}), ("own", {"attention": False, "own_edges": True})],
)
def test_a_large_delta_reads_only_events_whose_item_is_on_promotion(part, settings):
    """Of three events the one of the promoted item counts; another plan, another event."""
    is_on = np.zeros((2, ITEMS), bool)
    is_on[1, 2] = True
    tower, table, events = tower_and_events(is_on, **settings)
    with torch.no_grad():
        getattr(tower, part).delta[:] = 1e4
    before = tower(table[events.item], events)
    changed = table.clone()
    changed[[1, 3]] += 1
    if part == "own":
        torch.testing.assert_close(tower(changed[events.item], events), before)
    changed[2] += 1
    assert not torch.allclose(tower(changed[events.item], events), before)
    weight = weights_of(tower, part, events, table)
    torch.testing.assert_close(weight[..., 1], torch.ones_like(weight[..., 1]))


def weights_of(tower, part, events, table):
    """(B, heads, 1, T) what each event counts: read off from values that say who they are."""
    module = getattr(tower, part)
    seen = []
    hook = torch.softmax

    def spy(score, dim):
        seen.append(hook(score, dim=dim))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "softmax", spy)
        module(table[events.item], events, events.before())
    return seen[0]


def test_with_delta_at_zero_the_gate_is_shut():
    """Promoted or not, the same vector."""
    on, off = np.zeros((2, ITEMS), bool), np.zeros((2, ITEMS), bool)
    on[1, 2] = True
    vectors = []
    for is_on in (on, off):
        tower, table, events = tower_and_events(is_on, own_edges=True)
        with torch.no_grad():
            tower.attention.delta[:] = 0
            tower.own.delta[:] = 0
        vectors.append(tower(table[events.item], events))
    assert torch.equal(*vectors)


def test_plans_know_stores_weeks_and_kinds():
    """Item 3 in store 7 in week 1 as a leaflet; elsewhere the share of stores, else nothing."""
    promotions = Promotions.of(
        item=[3, 5], start=[WEEK, 0], end=[2 * WEEK, WEEK], store=[7, 9], leaflet=[2, 0],
        display=[0, 1],
    )  # fmt: skip
    plans = Plans.of(promotions, begin=0, end=2 * WEEK, period_ms=WEEK, n_items=ITEMS)
    item = np.array([3, 5, 4])
    assert plans.at(np.array(WEEK), np.array(7), item).tolist() == [[1, 0], [0, 0], [0, 0]]
    assert plans.at(np.array(WEEK + 5), np.array(9), item).sum() == 0
    assert plans.at(np.array(5), np.array(9), item).tolist() == [[0, 0], [0, 1], [0, 0]]
    assert plans.at(np.array(WEEK), np.array(8), item)[0].tolist() == [0.5, 0]
    assert plans.at(np.array(WEEK), None, item)[0].tolist() == [0.5, 0]
    for outside in (-1, 2 * WEEK):
        assert plans.at(np.array(outside), np.array(7), item).sum() == 0


def test_a_promotion_without_a_store_is_on_in_all_of_them():
    """For those who have a store as for those who have none."""
    promotions = Promotions.of(item=[1, 2], start=[0, 0], end=[1, 1], store=[-1, 4])
    plans = Plans.of(promotions, begin=0, end=1, period_ms=WEEK, n_items=ITEMS)
    place = np.array([4, 5])
    assert plans.at(np.array(0), place, np.array(1))[:, 0].tolist() == [1, 1]


def test_every_week_of_everybody_is_a_question_with_answers_from_that_week():
    """Those with events before it and in it; targets come from nowhere else."""
    lives, _, _ = shop()
    asks = Baskets(lives, SMALL, AHEAD, None)
    week = lives.ts // WEEK
    pairs = {
        (who, moment)
        for who in range(PEOPLE)
        for moment in range(3, WEEKS - 1)
        if (week[lives.owner == who] < moment).any() and (week[lives.owner == who] == moment).any()
    }
    assert len(asks.lengths) == len(pairs)
    rows = np.arange(len(asks.lengths))
    asked = asks.ask(rows, np.random.default_rng(0))
    assert np.array_equal(lives.ts[asked.at] // WEEK, np.repeat(asked.moment // WEEK, 8))
    assert (asked.events.age.numpy() >= 0).all()
    assert asked.events.age.shape[1] == 1
    assert asks.lengths.max() == SMALL.steps


def test_the_first_event_from_a_moment_is_found_in_every_sequence():
    """The end of the sequence where there is none."""
    lives, _, _ = shop()
    moments = np.array([-5, 0, 4 * WEEK, 99 * WEEK])
    slow = [
        [begin + np.searchsorted(lives.ts[begin:end], moment) for begin, end in
         zip(lives.start[:-1], lives.start[1:], strict=True)]
        for moment in moments
    ]  # fmt: skip
    assert np.array_equal(first_from(lives, moments), slow)


def test_the_moment_and_the_place_stay_with_their_sequence():
    """Through all cuts."""
    one = Sequences.of([[1, 2], [], [3]], ITEMS)
    one = replace(one, asked=np.array([5, 6, 7]), place=np.array([0, 1, 2], np.int32))
    for part in (one.take(np.array([2, 0])), one.take([True, False, True]).last(1)):
        assert sorted(part.asked.tolist()) == [5, 7]
        assert np.array_equal(part.asked - 5, part.place)


def test_what_is_missing_is_said():
    """No plans, no moments, no times, plans of another catalogue."""
    lives, is_on, _ = shop()
    past = cut(lives, WEEKS - 1)
    with pytest.raises(ValueError, match="plans"):
        Fusion(replace(SMALL, promotion_gate=True), ahead=AHEAD)
    with pytest.raises(ValueError, match="moments"):
        Fusion(replace(SMALL, promotion_gate=True), plans=plans_of(is_on))
    with pytest.raises(ValueError, match="23 items"):
        fitted(past, plans_of(is_on[:, 1:]), promotion_gate=True)
    with pytest.raises(ValueError, match="times"):
        fitted(replace(past, ts=None), None)
    with pytest.raises(ValueError, match=r"Sequences\.asked"):
        fitted(past, None, epochs=1).scores(replace(past, asked=None))
    with pytest.raises(ValueError, match="the 3 of the catalogue"):
        Plans.of(
            Promotions.of(item=[9], start=[0], end=[1]), begin=0, end=1, period_ms=1, n_items=3
        )
    with pytest.raises(ValueError, match="times"):
        gather(replace(past, ts=None), past.start[:-1], past.start[1:], past.asked)
