"""The made-up shop that training is timed on, and how stages are told apart."""

import time

import numpy as np

from ml.config import PaperConfig, Progress
from workers.benchmarks.training import VIEW, Stages, made_up_log, training_figures


def test_the_made_up_log_is_sorted_repeats_and_has_the_size_that_was_asked_for():
    log, again = made_up_log(5_000), made_up_log(5_000)
    assert len(log) == 5_000
    assert (np.diff(log.ts) >= 0).all()
    assert np.array_equal(log.item, again.item)
    assert log.n_users == 100


def test_what_is_bought_was_mostly_touched_before_by_the_same_person():
    log = made_up_log(20_000)
    first = {}
    for row, (who, what) in enumerate(zip(log.user.tolist(), log.item.tolist(), strict=True)):
        first.setdefault((who, what), row)
    bought = np.flatnonzero(log.code != VIEW)
    known = [first[log.user[row], log.item[row]] < row for row in bought.tolist()]
    assert np.mean(known) > 0.7


def test_time_between_two_reports_belongs_to_the_earlier_stage():
    stages = Stages()
    stages.tell(Progress("features", 0.1))
    time.sleep(0.02)
    stages.tell(Progress("fit", 0.2))
    assert stages.seconds["features"] >= 0.02
    assert "fit" not in stages.seconds


def test_the_figures_name_every_stage_and_how_the_cost_grows():
    told = list[str]()
    quick = PaperConfig(max_epochs=1, min_positives=1, stack_networks=0, threads=1)
    figures = list(training_figures(16_000, told.append, (2, 1), quick))
    names = [figure.figure for figure in figures]
    assert {"stage features", "stage fit", "stage evaluate", "growth exponent"} <= set(names)
    assert len(told) == 3
    assert "1 M events, one epoch of the towers" in names
    assert all(np.isfinite(figure.value) and figure.value > 0 for figure in figures)
