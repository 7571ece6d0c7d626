"""What a training run may do with the model that it made."""

import math
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from graph.domain.ids import ModelVersion, RunId
from graph.domain.models import (
    NOT_SERVED,
    Model,
    ModelStatus,
    RunState,
    Slot,
    TrainingRun,
    is_stored,
)
from ml.config import PaperConfig
from workers.rules import configured, is_up_to_date, refusal
from workers.settings import JobSettings
from workers.stages import Place, left_behind, prune, version_of

GOOD = {"test_paper_ap": 0.3, "test_popularity_ap": 0.2, "test_base_rate": 0.02}


def test_a_model_better_than_popularity_may_answer() -> None:
    """There is no reason against it."""
    assert refusal(GOOD, PaperConfig(), "paper") is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test_paper_ap": 0.2}, "not above popularity"),
        ({"test_paper_ap": 0.1}, "not above popularity"),
        ({"test_paper_auc": math.nan}, "not finite: test_paper_auc"),
        ({"test_paper_ap": math.inf}, "not finite"),
    ],
)
def test_the_gate_says_why_a_model_may_not_answer(changes: dict[str, float], said: str) -> None:
    """The sentence has the figure in it."""
    assert said in (refusal({**GOOD, **changes}, PaperConfig(), "paper") or "")


def test_a_missing_figure_is_no_pass() -> None:
    """Where nothing was measured, nothing is better than popularity."""
    assert refusal({"test_paper_ap": 0.3}, PaperConfig(), "paper") is not None
    assert refusal({}, PaperConfig(), "paper") is not None


def test_the_champion_is_what_is_judged() -> None:
    """A strong paper model does not save a run whose champion is weak, nor the other way."""
    figures = {**GOOD, "test_stack_ap": 0.1}
    assert "0.1000" in (refusal(figures, PaperConfig(), "stack") or "")
    assert refusal({**figures, "test_stack_ap": 0.4}, PaperConfig(), "stack") is None


def test_an_ablation_is_refused_however_good_it_is() -> None:
    """It was made to be compared."""
    assert "ablation" in (refusal(GOOD, PaperConfig(graph=False), "paper") or "")


def asked(profile: str = "fusion", **options: Any) -> TrainingRun:
    """A run that has just been asked for."""
    return TrainingRun(
        run_id=RunId("t-00000000abcdef12"),
        state=RunState.RUNNING,
        profile=profile,
        stage="pull",
        progress=0.0,
        requested_at=0,
        options=options,
    )


def test_options_of_a_run_switch_parts_off() -> None:
    """As the API and the command line say them; what is no hyper-parameter is passed over."""
    config = configured(asked(no_attention=True, force=True, max_epochs=3))
    assert (config.attention, config.graph, config.max_epochs) == (False, True, 3)
    assert configured(asked()) == PaperConfig()


def test_the_papers_profile_trains_its_model_alone() -> None:
    """Nothing competes with it, so it answers itself."""
    assert not configured(asked("paper")).contenders
    assert configured(asked("fusion")).contenders


def test_the_weights_of_the_shop_reach_a_run_that_has_none_of_its_own() -> None:
    """What the operator set counts for every run; a run may say otherwise."""
    assert configured(asked(), {"cart": 6.0}).behaviour_weights == {"cart": 6.0}
    own = asked(behaviour_weights={"view": 2.0})
    assert configured(own, {"cart": 6.0}).behaviour_weights == {"view": 2.0}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("", {}),
        ("cart=6, view=.5", {"cart": 6.0, "view": 0.5}),
        ("unfavorite=-2,", {"unfavorite": -2.0}),
    ],
)
def test_weights_are_told_as_text(told: str, expected: dict[str, float]) -> None:
    """In an environment variable."""
    assert JobSettings(redis_url="redis://x", behaviour_weights=told).weights == expected


@pytest.mark.parametrize("told", ["stare=2", "cart", "cart=much", "cart=inf", "login=1", "=3"])
def test_weights_that_make_no_sense_stop_the_start(told: str) -> None:
    """A behaviour that is none, or on no item; a weight that is no number."""
    with pytest.raises(ValidationError):
        JobSettings(redis_url="redis://x", behaviour_weights=told)


@pytest.mark.parametrize(
    ("read", "options", "weights", "expected"),
    [
        ((7, 2), {}, {}, True),
        ((8, 2), {}, {}, False),
        ((7, 3), {}, {}, False),
        ((7, 2), {"force": True}, {}, False),
        ((7, 2), {"no_graph": True}, {}, False),
        ((7, 2), {}, {"cart": 6.0}, False),
    ],
    ids=["nothing new", "new events", "an erasure", "insisted on", "an ablation", "other weights"],
)
def test_e14_training_is_skipped_where_it_would_make_the_same_model(
    tmp_path: Path,
    read: tuple[int, int],
    options: dict[str, Any],
    weights: dict[str, float],
    expected: bool,
) -> None:
    """The same events of the same people, profile and weights."""
    folder = tmp_path / "m-1"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"config": {"behaviour_weights": {}}}')
    live = model("m-1", 1, data_seq=7, erasures=2, profile="fusion", status=ModelStatus.LIVE)
    run = asked(**options)
    assert is_up_to_date(live, run, configured(run, weights), read, tmp_path) is expected


def test_a_try_finds_what_earlier_tries_of_its_own_run_left(tmp_path: Path) -> None:
    """Newest first, with the events that each has seen; other runs and files are none of it."""
    names = ("m-40-abcdef12", "m-42-abcdef12-2", "m-40-00000000", "m-40-abcdef12.part", "x")
    for age, name in enumerate(names):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_000 + age, 1_000 + age))
    (tmp_path / "m-43-abcdef12-3").write_text("no folder")
    found = left_behind(Place(tmp_path, 5), asked())
    assert [(seq, path.name) for seq, path in found] == [
        (42, "m-42-abcdef12-2"),
        (40, "m-40-abcdef12"),
    ]
    assert left_behind(Place(tmp_path / "nowhere", 5), asked()) == []


def test_every_try_of_a_run_has_a_version_of_its_own() -> None:
    """So a half-written model is never taken for a whole one."""
    run = asked()
    assert version_of(run, 42, attempt=1) == "m-42-abcdef12"
    assert version_of(run, 42, attempt=2) == "m-42-abcdef12-2"


def model(version: str, made: int, **changes: Any) -> Model:
    """A model in the blue slot."""
    told: dict[str, Any] = {
        "version": ModelVersion(version),
        "status": ModelStatus.RETIRED,
        "slot": Slot.BLUE,
        "profile": "paper",
        "as_of_ms": 0,
        "data_seq": 0,
        "created_at": made,
    }
    return Model(**{**told, **changes})


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (model("m-2", 2, slot=Slot.GREEN), True),
        (model("m-2", 2), False),
        (model("m-2", 2, status=ModelStatus.CANDIDATE), False),
        (model("m-2", 2, status=ModelStatus.FAILED, reason="its run ended"), False),
        (model("m-2", 2, status=ModelStatus.FAILED, reason=NOT_SERVED + "too weak"), True),
    ],
)
def test_a_model_can_answer_again_until_its_slot_was_written_over(
    later: Model, expected: bool
) -> None:
    """A model that was judged and put aside has written nothing; a half-written one has."""
    old = model("m-1", 1)
    assert is_stored(old, [later, old]) is expected


def test_a_failed_model_is_never_stored() -> None:
    """Its vectors are half there or not at all."""
    failed = model("m-1", 1, status=ModelStatus.FAILED)
    assert not is_stored(failed, [failed])


def test_old_model_folders_go_and_the_live_one_stays(tmp_path: Path) -> None:
    """The newest ones are kept, whatever is live, and nothing that is no model is touched."""
    for number in range(5):
        (tmp_path / f"m-{number}").mkdir()
        os.utime(tmp_path / f"m-{number}", (number, number))
    (tmp_path / ".cache").mkdir()
    prune(Place(tmp_path, keep=2), keep={ModelVersion("m-0")})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cache", "m-0", "m-3", "m-4"]
