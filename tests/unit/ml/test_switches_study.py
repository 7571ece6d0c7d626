"""The study of the towers' switches on a made-up shop."""

from dataclasses import replace

import numpy as np
import pytest

from ml.behaviours import PURCHASE
from ml.cold.cases import before
from ml.config import DAY_MS
from ml.ranking.sequences import Sequences
from ml.studies import Plan, switches
from ml.studies.cold_data import TAOBAO_CODES, Shop
from ml.studies.switches import EACH, NO_CONTENT, OTHERWISE, STEPS, SWITCHES, WHOLE, asked, study_of

ITEMS, PEOPLE, EVENTS = 30, 60, 40
CUTOFF = 30 * DAY_MS
VIEW = TAOBAO_CODES["pv"]


def shop() -> Shop:
    """Everybody walks round a circle of items, one a day; every third event is a purchase."""
    begin = np.random.default_rng(1).integers(0, ITEMS, PEOPLE)
    items = (begin[:, None] + np.arange(EVENTS)) % ITEMS
    code = np.where(np.arange(EVENTS) % 3 == 2, PURCHASE, VIEW)
    made = Sequences.of(list(items), ITEMS)
    lives = replace(
        made,
        code=np.tile(code, PEOPLE).astype(np.int8),
        ts=np.tile(np.arange(EVENTS) * DAY_MS, PEOPLE).astype(np.int64),
    )
    kinds = np.arange(ITEMS) // 10
    return Shop(lives=lives, category=kinds, section=kinds)


def test_questions_are_the_first_events_of_the_last_days() -> None:
    lives = shop().lives
    cases = asked(lives, CUTOFF)
    assert len(cases) == PEOPLE * EACH
    assert set(cases.prefixes.lengths) == set(range(30, 30 + EACH))
    np.testing.assert_array_equal(cases.target[:EACH], lives.item[30 : 30 + EACH])
    np.testing.assert_array_equal(cases.prefixes.item[:30], lives.item[:30])


def test_a_question_knows_what_came_before_it_and_no_more() -> None:
    cases = asked(shop().lives, CUTOFF)
    last = cases.prefixes.start[1:] - 1
    assert cases.prefixes.ts is not None
    assert (cases.prefixes.ts[last] // DAY_MS).tolist() == list(range(29, 29 + EACH)) * PEOPLE
    assert (cases.prefixes.lengths <= STEPS).all()


def test_whoever_comes_for_the_first_time_is_not_asked_before_an_event() -> None:
    lives = Sequences(
        item=np.array([0, 1, 2], np.int32),
        start=np.array([0, 3]),
        n_items=3,
        ts=np.array([CUTOFF, CUTOFF + 1, CUTOFF + 2]),
    )
    assert asked(lives, CUTOFF).target.tolist() == [1, 2]


def test_every_switch_has_a_row_with_all_seeds_and_a_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(switches.CONFIG, dim=16, epochs=8, negatives=32, batch=256)
    monkeypatch.setattr(switches, "CONFIG", small)
    told: list[float] = []
    plan = Plan(data=None, seeds=(1, 2), draws=20)  # type: ignore[arg-type]
    study = study_of(shop(), CUTOFF, plan, lambda _, share: told.append(share))
    rows = {row.model: row for row in study.rows}
    assert {WHOLE, NO_CONTENT, *SWITCHES, *OTHERWISE} < set(rows)
    assert rows[WHOLE].seeds == rows["with count gate"].seeds == 2
    parts = [gain.theirs for gain in study.ablation if gain.ours == WHOLE]
    others = [gain.ours for gain in study.ablation if gain.theirs == WHOLE]
    assert (parts, others) == ([*SWITCHES, NO_CONTENT], list(OTHERWISE))
    assert rows[WHOLE].figures["ndcg@20"].value > rows["own history"].figures["ndcg@20"].value
    assert told == sorted(told)


def test_items_that_nobody_knew_are_a_group_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(switches.CONFIG, dim=8, epochs=1, negatives=32, batch=256)
    monkeypatch.setattr(switches, "CONFIG", small)
    made = shop()
    lives = made.lives
    known = before(lives, CUTOFF)
    assert len(known.item) == PEOPLE * 30
    item = np.where(lives.item == 3, np.where(lives.ts < CUTOFF, 4, 3), lives.item)
    lives = replace(lives, item=item.astype(np.int32))
    plan = Plan(data=None, seeds=(1,), draws=5)  # type: ignore[arg-type]
    study = study_of(replace(made, lives=lives), CUTOFF, plan, lambda *_: None)
    assert "target new to the shop" in study.groups
    assert "last event buy" in study.groups
