"""The champion rule: better beyond doubt, or nothing changes."""

import numpy as np
import pytest

from ml.evaluation.champion import Choice, choose

PEOPLE, EACH = 300, 10
RNG = np.random.default_rng(5)
TRUTH = RNG.normal(size=PEOPLE * EACH)
LABEL = RNG.random(PEOPLE * EACH) < 1 / (1 + np.exp(3 - 2 * TRUTH))
USER = np.repeat(np.arange(PEOPLE), EACH)


def noisy(amount: float, seed: int) -> np.ndarray:
    return TRUTH + amount * np.random.default_rng(seed).normal(size=len(TRUTH))


def chosen(logits: dict[str, np.ndarray], **options: object) -> Choice:
    rng = np.random.default_rng(1)
    return choose(LABEL, USER, logits, "today", draws=200, rng=rng, **options)


def test_a_clearly_better_model_wins() -> None:
    found = chosen({"today": noisy(2.0, 1), "trees": noisy(0.3, 2), "worse": noisy(1.0, 3)})
    assert found.name == "trees"
    assert found.gains["trees"].low > 0
    assert found.reason.startswith("trees with average precision")


def test_a_tie_leaves_the_incumbent_in_place() -> None:
    today = noisy(1.0, 1)
    found = chosen({"today": today, "copy": today.copy()})
    assert found.name == "today"
    assert found.gains["copy"].difference == 0
    assert "no challenger is better beyond doubt" in found.reason


def test_a_better_value_alone_is_not_enough() -> None:
    today = noisy(1.0, 1)
    wobble = [np.random.default_rng(seed).normal(size=len(today)) for seed in range(6)]
    challengers = {f"like {seed}": today + 0.02 * one for seed, one in enumerate(wobble)}
    found = chosen({"today": today, **challengers})
    doubtful = [gain for gain in found.gains.values() if gain.difference > 0 and gain.low <= 0]
    assert doubtful
    assert found.name == "today" or found.gains[found.name].low > 0


def test_the_order_of_the_candidates_does_not_matter() -> None:
    logits = {"today": noisy(2.0, 1), "b": noisy(0.3, 2), "c": noisy(0.8, 3)}
    assert chosen(logits).name == chosen(dict(reversed(logits.items()))).name


def test_a_blend_that_does_not_beat_its_part_gives_way_to_the_part() -> None:
    trees = noisy(0.3, 2)
    logits = {"today": noisy(2.0, 1), "trees": trees, "blend": trees + 0.001 * noisy(1.0, 4)}
    found = chosen(logits, parts={"blend": ["trees", "today"]})
    assert found.name == "trees"


def test_a_blend_that_beats_all_its_parts_wins() -> None:
    logits = {"today": noisy(3.0, 1), "one": noisy(1.0, 2), "two": noisy(1.0, 3)}
    logits["blend"] = logits["one"] + logits["two"]
    assert chosen(logits, parts={"blend": ["one", "two"]}).name == "blend"


@pytest.mark.parametrize("label", [np.zeros(8, bool), np.ones(8, bool)])
def test_one_class_only_changes_nothing(label: np.ndarray) -> None:
    logits = {"today": np.zeros(8), "other": np.arange(8.0)}
    rng = np.random.default_rng(0)
    found = choose(label, np.arange(8), logits, "today", draws=10, rng=rng)
    assert found.name == "today"
    assert "one class only" in found.reason


def test_without_challengers_the_incumbent_stays() -> None:
    assert chosen({"today": noisy(1.0, 1)}).reason.endswith("nobody challenged it")


def test_the_same_chance_gives_the_same_choice() -> None:
    logits = {"today": noisy(1.0, 1), "trees": noisy(0.9, 2)}
    assert chosen(logits) == chosen(logits)
