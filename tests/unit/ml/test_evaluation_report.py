"""The report and the paper page: whatever was found is there, and nothing else."""

import importlib.util
import json
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from ml.errors import NotEnoughData
from ml.evaluation.balanced import GROUP
from ml.evaluation.bootstrap import Interval
from ml.evaluation.operating_point import OperatingPoint, f1_of_always_yes
from ml.evaluation.records import Curve, Figure, Gain, Goal, Row, Study
from ml.studies import STUDIES, Plan, Tell
from ml.studies import __main__ as child
from ml.studies.document import document
from ml.studies.paper import PAPER, claims
from ml.studies.report import columns, page, write_report
from ml.studies.store import read_studies, write_study
from ml.studies.tables import markdown


def gain(ours: str, theirs: str, low: float, high: float, figure: str = "ap") -> Gain:
    found = Interval((low + high) / 2, low, high)
    return Gain(ours=ours, theirs=theirs, figure=figure, interval=found)


def made_up(name: str = "alibaba") -> Study:
    """A study with something in every field."""
    rows = [
        Row(model="paper", figures={"ap": Figure(0.051, 0.03, 0.08, 0.002), "f1": Figure(0.1)}),
        Row(model="LSTM alone", figures={"ap": Figure(0.041, 0.02, 0.07)}, seeds=3, seconds=12.0),
    ]
    return Study(
        name=name,
        title="Does a touched pair end in a <purchase>?",
        protocol="Trained before, tested after.",
        cases=31_582,
        base_rate=0.0039,
        rows=rows,
        gains=[gain("paper", "LSTM alone", 0.002, 0.02)],
        ablation=[gain("paper", "paper without graph", -0.01, 0.02)],
        groups={
            GROUP: [
                Row(model="paper", figures={"f1": Figure(0.75, deviation=0.01), "auc": Figure(0.8)})
            ],
            "history 0": [Row(model="paper", figures={"ap": Figure(0.02)})],
        },
        curves=[
            Curve(kind="precision_recall", model="paper", x=[0.0, 1.0], y=[1.0, 0.1]),
            Curve(kind="reliability", model="paper", x=[0.1, 0.2], y=[0.1, 0.25]),
            Curve(kind="learning", model="paper", x=[1, 2], y=[0.5, 0.4]),
        ],
        goals=[
            Goal(what="average precision", value=0.051, bar=0.05),
            Goal(what="log-loss", value=0.1, bar=0.05, is_upper_bound=True),
        ],
        notes=["A note."],
    )


def test_a_study_survives_its_file(tmp_path: Path) -> None:
    write_study(made_up(), tmp_path / "alibaba.json")
    assert read_studies(tmp_path) == [made_up()]
    assert [path.name for path in tmp_path.iterdir()] == ["alibaba.json"]


def test_what_is_not_defined_is_null_in_the_file(tmp_path: Path) -> None:
    nothing = float("nan")
    study = made_up()
    study.rows[:] = [Row(model="paper", figures={"ap": Figure(nothing)})]
    study.gains[:] = [gain("paper", "LSTM alone", nothing, nothing)]
    study.goals[:] = [Goal(what="average precision", value=nothing, bar=0.05)]
    write_study(study, tmp_path / "alibaba.json")
    assert "NaN" not in (tmp_path / "alibaba.json").read_text()
    found = read_studies(tmp_path)[0]
    assert np.isnan(found.rows[0].figures["ap"].value)
    assert not found.gains[0].interval.is_significant
    assert not found.goals[0].holds
    assert "nan" in document([found])


def test_the_json_says_whether_a_goal_holds(tmp_path: Path) -> None:
    write_study(made_up(), tmp_path / "alibaba.json")
    goals = json.loads((tmp_path / "alibaba.json").read_text())["goals"]
    assert [goal["holds"] for goal in goals] == [True, False]


def test_the_page_has_tables_goals_and_pictures_and_loads_nothing(tmp_path: Path) -> None:
    write_study(made_up(), tmp_path / "alibaba.json")
    text = write_report(tmp_path).read_text()
    assert text.count("<svg") == 5
    for wanted in ("0.0510 [0.0300, 0.0800] ±0.0020", "&lt;purchase&gt;", "A note.", GROUP):
        assert wanted in text
    assert not re.search(r"<(script|link|img)\b|@import|url\(http", text)
    assert "base rate 0.0039" in text
    assert "1 of 2 goals hold" in text


def test_two_pictures_of_a_page_have_ids_of_their_own() -> None:
    ids = re.findall(r'clipPath id="([^"]+)"', page([made_up()]))
    assert ids
    assert len(ids) == len(set(ids))


def test_the_same_studies_give_the_same_page() -> None:
    assert page([made_up()]) == page([made_up()])


def test_an_empty_folder_gives_a_page_that_says_so() -> None:
    assert "No study has been run" in page([])


def test_the_paper_page_has_both_views_with_their_base_rates() -> None:
    text = document([made_up()])
    line = next(line for line in text.splitlines() if line.startswith("| LSTM-ATT-GNN"))
    for wanted in ("0.831", "0.815", "0.823", "0.886", "56%", "0.7500 ±0.0100", "0.0510"):
        assert wanted in line
    assert "54% to 56%" in text
    assert "0.667" in text
    assert "16.1%" in text
    assert "15.8%" in text


def test_the_paper_page_is_written_without_any_study() -> None:
    text = document([])
    assert text.count("not measured in these runs") == len(claims([]))
    assert "## Goals" not in text


def test_claims_are_decided_by_the_intervals() -> None:
    found = dict(claims([made_up()]))
    assert found["LSTM-ATT-GNN beats the LSTM alone"].startswith("yes: ap +0.0110")
    assert found["the graph helps it"].startswith("cannot be told")
    assert found["attention helps it"] == "not measured in these runs"
    assert found["its F1 of .823 and AUC of .886 at 1:1"].startswith("no: F1 0.7500")


def test_a_claim_is_found_from_either_side_and_losses_count_downwards() -> None:
    study = made_up()
    study.gains[:] = [
        gain("LSTM alone", "paper", 0.1, 0.2),
        gain("paper", "GAT alone", -2, -1, "log_loss"),
    ]
    found = dict(claims([study]))
    assert found["LSTM-ATT-GNN beats the LSTM alone"].startswith("no, the reverse")
    assert found["LSTM-ATT-GNN beats the GAT alone"].startswith("yes")


def test_parts_that_helped_nowhere_are_named() -> None:
    one, other = made_up(), made_up("journey")
    one.ablation[:] = [gain("all", "no graph", -0.1, 0.1), gain("all", "no memory", -0.1, 0.1)]
    other.ablation[:] = [gain("all", "no graph", 0.1, 0.2), gain("all", "x", 0.1, 0.2, "log_loss")]
    text = document([one, other])
    assert "No significant gain on any set: all over no memory; all over x." in text


def test_the_base_rate_stands_first_and_counts_that_all_share_are_left_out() -> None:
    figures = {name: Figure(1.0) for name in ("ap", "pairs", "positives", "base_rate")}
    assert columns([Row(model="a", figures=figures)]) == ["base_rate", "ap"]


def test_cold_start_and_promotion_have_tables_of_their_own() -> None:
    cold = Study(
        name="cold_journey",
        title="Cold start",
        protocol="",
        cases=10,
        groups={
            "0 events": [Row(model="segment prior", figures={"ndcg@10": Figure(0.1, 0.05, 0.2)})],
            "5 events": [Row(model="segment prior", figures={"ndcg@10": Figure(0.3)})],
        },
    )
    journey = made_up("journey")
    journey.gains.append(gain("stack", "stack without promotion", 0.001, 0.002))
    text = document([journey, cold])
    assert "| model | 0 events | 5 events |" in text
    assert "| segment prior | 0.1000 [0.0500, 0.2000] | 0.3000 |" in text
    assert "## Promotion and time" in text


@pytest.mark.parametrize(
    ("ours", "theirs", "is_there"),
    [
        ("trees + promotion, week 48", "trees, week 48", True),
        ("+ promotion", "+ need", True),
        ("all", "without promotion", True),
        ("stack", "trees + promotion", False),
        ("stack", "trees", False),
    ],
)
def test_promotion_is_judged_where_nothing_else_differs(
    ours: str, theirs: str, is_there: bool
) -> None:
    study = made_up("journey")
    study.gains[:] = [gain(ours, theirs, 0.1, 0.2)]
    assert ("## Promotion and time" in document([study])) is is_there


def test_the_weeks_of_a_model_are_no_part_of_its_name() -> None:
    study = made_up("journey")
    study.gains[:] = [
        gain("stack, weeks 46-48", "LightGBM on counters, weeks 46-48", 0.1, 0.2),
        gain("stack, week 48", "LightGBM on counters, week 48", 0.1, 0.2),
        gain("stack", "LightGBM, every day", 0.1, 0.2),
    ]
    said = dict(claims([study]))["our fusion beats LightGBM on counters"]
    assert said.count("yes") == 2
    assert said.endswith("on journey, week 48")


def test_a_group_of_all_models_is_a_table_and_others_stand_side_by_side() -> None:
    study = made_up()
    many = [Row(model=f"m{k}", figures={"ap": Figure(0.1), "pairs": Figure(9)}) for k in range(5)]
    study.groups["all days"] = many
    rate = {"ap": Figure(0.02), "base_rate": Figure(0.001)}
    study.groups["history 0"] = [Row(model="paper", figures=rate)]
    text = document([study])
    assert "All days:" in text
    assert "| model | ap | seeds |" in text
    assert "history 0 (base rate 0.0010)" in text


def test_columns_that_are_empty_everywhere_are_left_out() -> None:
    assert list(markdown(["a", "b", "c"], [["x", "", "1|2"]])) == [
        "| a | c |",
        "| --- | ---: |",
        "| x | 1\\|2 |",
        "",
    ]
    assert list(markdown(["a"], [])) == []


@pytest.mark.parametrize(("model", "share"), [("LR", 0.54), ("SVM", 0.55), ("LSTM", 0.56)])
def test_the_papers_rows_imply_a_balanced_test_set(model: str, share: float) -> None:
    row = next(one for one in PAPER if one.model == model)
    assert row.implied_share == pytest.approx(share, abs=0.005)


def test_an_operating_point_moves_with_the_share_of_positives() -> None:
    """Hand-worked: d = √2·Φ⁻¹(.886) = 1.705, FPR = Φ(.896 − 1.705) = .209."""
    point = OperatingPoint(recall=0.815, auc=0.886)
    assert point.distance == pytest.approx(1.705, abs=0.001)
    assert point.false_positive_rate == pytest.approx(0.209, abs=0.001)
    assert point.f1_at(0.024) == pytest.approx(0.16, abs=0.005)
    assert point.best_f1_at(0.024) == pytest.approx(0.33, abs=0.005)
    assert point.best_f1_at(0.3) >= point.f1_at(0.3)
    assert f1_of_always_yes(0.5) == pytest.approx(2 / 3)
    assert OperatingPoint(0.5, 0.5).best_f1_at(0.2) == pytest.approx(f1_of_always_yes(0.2))


@pytest.mark.parametrize("name", list(STUDIES))
def test_every_study_of_the_table_is_there(name: str) -> None:
    """Looked up without importing: some of them load torch."""
    module, function = STUDIES[name].split(":")
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    assert f"def {function}(" in Path(found.origin).read_text(encoding="utf-8")


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module whose ``run`` is the study ``made_up``."""
    module = types.ModuleType("made_up_study")
    monkeypatch.setitem(sys.modules, "made_up_study", module)
    monkeypatch.setitem(STUDIES, "made_up", "made_up_study:run")
    return module


def test_a_study_in_a_process_of_its_own_tells_how_far_it_is(
    study: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def run(plan: Plan, tell: Tell) -> Study:
        asked.append(plan)
        tell("fitting", 0.5)
        return made_up("made_up")

    study.run = run
    command = ["made_up", "--data", str(tmp_path), "--to", str(tmp_path / "x.json"), "--seeds", "2"]
    assert child.main(command) == 0
    assert json.loads(capsys.readouterr().out) == {"what": "fitting", "share": 0.5}
    assert asked == [Plan(data=tmp_path, seeds=(1, 2))]
    found = read_studies(tmp_path)[0]
    assert found.seconds > 0
    assert found.peak_mb > 10
    child.main([*command, "--quick"])
    assert asked[1].quick
    assert asked[1].draws < asked[0].draws


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NotEnoughData("too few events", events=3), "too few events (events 3)"),
        (FileNotFoundError(2, "No such file", "sets/beauty"), "sets/beauty is not there"),
        (ModuleNotFoundError("No", name="implicit"), "the package implicit is not installed"),
    ],
)
def test_what_may_go_wrong_is_one_sentence(
    study: types.ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    sentence: str,
) -> None:
    def run(plan: Plan, tell: Tell) -> Study:
        raise error

    study.run = run
    assert child.main(["made_up", "--data", ".", "--to", str(tmp_path / "x.json")]) == 1
    assert capsys.readouterr().err.startswith(sentence)
    assert not list(tmp_path.iterdir())
