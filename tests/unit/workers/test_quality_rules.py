"""When a figure is a finding, and what follows from it."""

import pytest
from pydantic import ValidationError

from graph.domain.quality import Figure, Finding, Level, Report
from workers.quality.checks import CHECKS
from workers.quality.drift import js_divergence, psi
from workers.quality.gate import refusal
from workers.quality.monitor import judge
from workers.quality.settings import QualitySettings


def figure(check: str, value: float | None, total: int | None = 1_000) -> Figure:
    """A number of the tracker's views."""
    return Figure(check=check, source="web", event_type="view", value=value, count=30, total=total)


def levels(*figures: Figure, **settings: str) -> dict[str, Level]:
    """What is found, by check."""
    found = judge(list(figures), QualitySettings(**settings))  # type: ignore[arg-type]
    return {one.figure.check: one.level for one in found}


def test_a_figure_is_found_beyond_its_threshold_and_not_at_it() -> None:
    """Floors are undercut, all others exceeded."""
    assert levels(figure("completeness_pct", 95.0), figure("duplicate_pct", 2.0)) == {}
    assert levels(figure("completeness_pct", 94.9), figure("duplicate_pct", 2.1)) == {
        "completeness_pct": Level.BLOCK,
        "duplicate_pct": Level.WARN,
    }


def test_volume_may_change_neither_way() -> None:
    """Half of the usual rows are as odd as twice as many."""
    assert levels(figure("row_count_change_pct", -51.0)) == {"row_count_change_pct": Level.WARN}
    assert levels(figure("row_count_change_pct", 51.0)) == {"row_count_change_pct": Level.WARN}


@pytest.mark.parametrize(
    "quiet",
    [figure("late_pct", 50.0, 99), figure("late_pct", None), figure("behaviour_mix", 100.0)],
)
def test_few_rows_no_value_and_plain_numbers_are_not_judged(quiet: Figure) -> None:
    assert levels(quiet) == {}


def test_thresholds_levels_and_owners_are_settings() -> None:
    """A shop that lives with more repeats says so; another one trains on none."""
    assert levels(figure("duplicate_pct", 4.0), thresholds="duplicate_pct=5") == {}
    found = judge(
        [figure("duplicate_pct", 4.0)],
        QualitySettings(levels="duplicate_pct=block", owners="duplicate_pct=Mei"),
    )
    assert [(one.level, one.owner, one.threshold) for one in found] == [(Level.BLOCK, "Mei", 2.0)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": "dupes=5"},
        {"thresholds": "duplicate_pct=many"},
        {"levels": "duplicate_pct=stop"},
        {"expected_fields": "view=colour"},
        {"expected_fields": "vew=dwell_ms"},
        {"expected_fields": "session_id=dwell_ms"},
        {"expected_fields": "search=query"},
    ],
)
def test_a_setting_that_names_nothing_stops_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        QualitySettings(**wrong)  # type: ignore[arg-type]


def test_expected_fields_are_told_by_type() -> None:
    settings = QualitySettings(expected_fields="view=dwell_ms+session_id, cart=price_minor")
    assert settings.expected == {"view": ("dwell_ms", "session_id"), "cart": ("price_minor",)}


def test_each_check_has_an_owner_and_the_three_promises_their_numbers() -> None:
    promised = {"completeness_pct": 95, "accuracy_pct": 98, "latency_p95_seconds": 300}
    assert {name: CHECKS[name].threshold for name in promised} == promised
    assert all(check.owner for check in CHECKS.values())


def report(*findings: Finding) -> Report:
    return Report(report_id="q-1", as_of_ms=1, begin_ms=0, data_seq=0, findings=list(findings))


def test_only_what_blocks_stops_a_training_and_the_reason_names_it() -> None:
    """Check, place, rows and threshold stand in one sentence."""
    seen = [figure("accuracy_pct", 97.0), figure("late_pct", 3.0)]
    warned = judge(seen[1:], QualitySettings())
    assert refusal(report(*warned)) is None
    said = refusal(report(*judge(seen, QualitySettings())))
    assert said is not None
    assert "accuracy_pct of web view: 97 (30 of 1000), the threshold is 98" in said
    assert "late_pct" not in said


def test_histograms_that_are_alike_have_not_drifted() -> None:
    """Only shares count, not how many rows there are."""
    small, large = {"view": 50, "cart": 50}, {"view": 5_000, "cart": 5_000}
    assert psi(small, large) == pytest.approx(0, abs=1e-9)
    assert js_divergence(small, large) == pytest.approx(0, abs=1e-12)


def test_drift_is_what_the_formulas_say() -> None:
    """Worked out by hand; nothing in common is one bit."""
    assert js_divergence({"view": 3}, {"cart": 8}) == pytest.approx(1.0)
    # (0.75 - 0.25) ln 3, twice; the half that is added to each class makes 3.5 and 1.5 of 5.
    assert psi({"a": 3, "b": 1}, {"a": 1, "b": 3}) == pytest.approx(2 * 0.4 * 0.8472978603872034)
