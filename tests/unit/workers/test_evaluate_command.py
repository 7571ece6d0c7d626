"""``shopgraph evaluate``: studies side by side, one sentence for each that fails."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ml.evaluation.records import Figure, Goal, Row, Study
from ml.studies import STUDIES
from workers import studies
from workers.commands.evaluate import evaluate, figure_text, headline
from workers.studies import Order, Outcome, longest_first, run_studies

CHILD = """
import json, os, sys, time
name, to = sys.argv[1], sys.argv[sys.argv.index("--to") + 1]
print("a library says hello", flush=True)
print(json.dumps({"what": "fitting", "share": 0.5}), flush=True)
if name == "missing":
    sys.exit("sets/beauty is not there")
if name == "broken":
    raise RuntimeError("deep inside")
if name == "killed":
    os.kill(os.getpid(), 9)
study = json.loads(%r)
study["name"], study["seconds"] = name, float(os.environ["OMP_NUM_THREADS"])
open(to, "w").write(json.dumps(study))
"""


def made_up(bar: float) -> Study:
    return Study(
        name="good",
        title="Made up",
        protocol="",
        cases=10,
        base_rate=0.2,
        rows=[Row(model="one", figures={"ap": Figure(0.5, 0.4, 0.6), "f1": Figure(0.3)})],
        goals=[Goal(what="average precision", value=0.5, bar=bar)],
    )


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Studies run a script that measures nothing."""
    script = tmp_path / "child.py"
    script.write_text(CHILD % json.dumps(made_up(0.4).to_dict()))
    monkeypatch.setattr(studies, "COMMAND", (sys.executable, str(script)))
    for name in ("good", "missing", "broken", "killed"):
        monkeypatch.setitem(STUDIES, name, "nowhere:run")
    return script


def asked(tmp_path: Path, *arguments: str) -> Result:
    command = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), *arguments]
    return CliRunner().invoke(evaluate, command)


def test_a_study_leaves_json_and_a_page(child: Path, tmp_path: Path) -> None:
    found = asked(tmp_path, "good")
    assert found.exit_code == 0, found.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good.json", "index.html"}
    for wanted in ("0.5000 0.4000 to 0.6000", "base rate 0.2000", "goal holds"):
        assert wanted in found.output


def test_every_study_has_one_thread(child: Path, tmp_path: Path) -> None:
    asked(tmp_path, "good")
    assert json.loads((tmp_path / "out" / "good.json").read_text())["seconds"] == 1.0


def test_one_that_fails_says_so_and_the_others_go_on(child: Path, tmp_path: Path) -> None:
    found = asked(tmp_path, "missing", "broken", "killed", "good")
    assert found.exit_code == 1
    assert "missing: sets/beauty is not there" in found.output
    assert "broken: RuntimeError: deep inside" in found.output
    assert "killed: the process was ended by signal 9" in found.output
    assert "goal holds" in found.output
    assert "Traceback" not in found.output
    assert "Traceback" in (tmp_path / "out" / "broken.log").read_text()


def test_a_goal_that_falls_short_is_exit_code_1_unless_it_was_a_look(
    child: Path, tmp_path: Path
) -> None:
    child.write_text(CHILD % json.dumps(made_up(0.9).to_dict()))
    found = asked(tmp_path, "good")
    assert found.exit_code == 1
    assert "goal FALLS SHORT" in found.output
    assert asked(tmp_path, "good", "--quick").exit_code == 0


def test_json_is_one_line_per_figure_and_goal(child: Path, tmp_path: Path) -> None:
    lines = json.loads(asked(tmp_path, "good", "--json").stdout)
    assert [line["figure"] for line in lines] == [
        "good: one ap",
        "good: one f1",
        "good: average precision",
    ]
    assert all(set(line) == {"figure", "value", "unit", "bar", "holds", "detail"} for line in lines)
    assert [line["bar"] for line in lines] == [None, None, 0.4]
    assert "base rate 0.2" in lines[0]["detail"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing-like-that"], "there is no study nothing-like-that"),
        ([], "name a study or say --all"),
        (["--all", "--data", "no/such/folder"], "the data folder no/such/folder is not there"),
        (["--document", "no/such/folder"], "the folder no/such/folder is not there"),
    ],
)
def test_a_wrong_call_is_exit_code_2(
    child: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    found = asked(tmp_path, *arguments)
    assert found.exit_code == 2
    assert sentence in " ".join(found.output.split())


def test_a_study_from_a_package_needs_no_folder(
    child: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STUDIES, "journey", "nowhere:run")
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(evaluate, ["journey", "--out", str(tmp_path / "out")])
    assert found.exit_code == 0, found.output
    assert CliRunner().invoke(evaluate, ["journey", "good"]).exit_code == 2


def test_the_paper_page_is_printed_from_a_folder(child: Path, tmp_path: Path) -> None:
    asked(tmp_path, "good")
    found = CliRunner().invoke(evaluate, ["--document", str(tmp_path / "out")])
    assert found.exit_code == 0
    assert found.output.startswith("# Evaluation\n")
    assert "## Made up" in found.output


def test_progress_is_passed_on_and_chatter_is_not(child: Path, tmp_path: Path) -> None:
    told = []
    order = Order(names=("good",), data=tmp_path, out=tmp_path / "out")
    found = list(run_studies(order, lambda *what: told.append(what)))
    assert found == [Outcome("good")]
    assert told == [("good", "starting", 0.0), ("good", "fitting", 0.5)]


def test_whoever_stops_asking_ends_what_still_runs(child: Path, tmp_path: Path) -> None:
    child.write_text("import time; print('{}', flush=True); time.sleep(60)")
    order = Order(names=("good", "missing"), data=tmp_path, out=tmp_path / "out")
    told = []

    def watch(name: str, what: str, share: float) -> None:
        told.append(name)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 2)
        with pytest.raises(KeyboardInterrupt):
            list(run_studies(order, watch))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert told == ["good", "missing"]
    assert time.monotonic() - began < 20


def test_the_long_ones_begin_first_and_each_once() -> None:
    found = longest_first(["movielens", "alibaba", "journey", "alibaba"])
    assert found == ["journey", "alibaba", "movielens"]


def test_figures_with_intervals_come_first() -> None:
    assert headline(made_up(0.4)) == ["ap"]
    assert figure_text(None) == ""
    assert figure_text(Figure(0.25)) == "0.2500"
