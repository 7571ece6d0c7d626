"""The page robot without a browser: its files, its manners, its history, its judgement."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.factories import NOW_MS
from workers.commands.robot import robot
from workers.connectors.robot.door import LowTrustDoor
from workers.connectors.robot.errors import RobotOff, SiteUnreadable
from workers.connectors.robot.health import PAGES, SelectorHealth, health
from workers.connectors.robot.judging import judge, read_sample
from workers.connectors.robot.pages import Verdict
from workers.connectors.robot.records import Records, Visit, last_visits
from workers.connectors.robot.settings import RobotSettings
from workers.connectors.robot.site import SiteField, read_site
from workers.intake.pseudonyms import Pseudonyms

GOOD = """
name = "reviews"
pages = ["https://reviews.example/one"]
rows = "li"
[fields.sku]
selector = "b"
"""


def site_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name = ", "no TOML"),
        ('name = "reviews"', "pages"),
        (GOOD.replace("https://", "file:///"), "address"),
        (GOOD.replace('"reviews"', '"../reviews"'), "name"),
        (GOOD + 'pattern = "x"', "one group"),
        (GOOD + 'pattern = "(("', "no pattern"),
        (GOOD + "colour = 1", "colour"),
        (GOOD + "[fields.key]", "by itself"),
        (GOOD + '[events]\ncolumns = {event_type = "kind", event_time = "sku"}\n'
         '[events.time]\nunit = "s"', "kind"),
    ],
)  # fmt: skip
def test_a_file_that_describes_no_site_is_refused_in_a_sentence(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(SiteUnreadable, match=reason):
        read_site(site_file(tmp_path, text))
    with pytest.raises(SiteUnreadable, match="no file"):
        read_site(tmp_path / "nowhere.toml")


def test_a_row_without_a_person_gets_a_visitor_of_its_own(tmp_path: Path) -> None:
    """So that nobody's name has to be collected; a column that names one is taken."""
    events = '[events]\nfixed = {event_type = "review"}\n[events.time]\nunit = "s"\n'
    columns = '[events.columns]\nevent_time = "sku"\n'
    plain = read_site(site_file(tmp_path, GOOD + events + columns)).mapping()
    named = read_site(site_file(tmp_path, GOOD + events + columns + 'user_id = "sku"')).mapping()
    assert plain is not None
    assert named is not None
    assert plain.columns["anonymous_id"] == plain.columns["event_id"] == "key"
    assert "anonymous_id" not in named.columns
    assert plain.source == "robot-reviews"


@pytest.mark.parametrize(
    ("pattern", "found", "cell"),
    [("(?s)(.*)", " a \n  b ", "a b"), ("^([0-9])/5", "4/5 stars", "4"), ("^([0-9])/5", "x", None),
     ("(?s)(.*)", "  ", None), ("(?s)(.*)", None, None), ("(a)|b", "b", None)],
)  # fmt: skip
def test_a_cell_is_what_the_pattern_keeps(pattern: str, found: Any, cell: str | None) -> None:
    """Nothing kept counts as a selector that matched nothing."""
    assert SiteField(pattern=pattern).cell(found) == cell


def test_the_robot_is_off_until_somebody_names_hosts_and_a_contact() -> None:
    with pytest.raises(RobotOff, match="HOSTS"):
        RobotSettings().must_be_on()
    with pytest.raises(RobotOff, match="CONTACT"):
        RobotSettings(hosts="reviews.example").must_be_on()
    settings = RobotSettings(hosts=" A.example, ,b.example", contact="x@shop.example")
    settings.must_be_on()
    assert settings.allowed == {"a.example", "b.example"}


def test_without_the_extra_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at what was collected needs none."""
    monkeypatch.setenv("SHOPGRAPH_HOME", str(tmp_path))
    monkeypatch.setenv("SHOPGRAPH_ROBOT_HOSTS", "reviews.example")
    monkeypatch.setenv("SHOPGRAPH_ROBOT_CONTACT", "x@shop.example")
    monkeypatch.setitem(sys.modules, "workers.connectors.robot.running", None)
    failed = CliRunner().invoke(robot, ["collect", str(site_file(tmp_path, GOOD))])
    assert "shopgraph[collect]" in str(failed.exception)
    assert "Nothing was collected yet" in CliRunner().invoke(robot, ["status"]).output


def visit(run: int, seen: int = 10, **matched: int) -> Visit:
    return Visit(run, run, "https://r.example/1", Verdict.GOOD, "", seen, matched)


def test_health_compares_the_newest_run_with_those_before() -> None:
    """Shares of rows; the rows themselves as a share of pages; only a real fall is one."""
    history = [visit(1, sku=10, stars=9), visit(2, sku=10, stars=10), visit(3, sku=9, stars=5)]
    found = health([*history, visit(3, 0)])
    assert found is not None
    assert found.selectors == (
        SelectorHealth(PAGES, 0.5, 1.0), SelectorHealth("sku", 0.9, 1.0),
        SelectorHealth("stars", 0.5, 0.95),
    )  # fmt: skip
    assert [one.falls for one in found.selectors] == [True, False, True]
    assert health([]) is None
    first = health(history[:1])
    assert first is not None
    assert not any(one.falls for one in first.selectors)


def test_the_history_is_kept_between_runs(tmp_path: Path) -> None:
    told = [visit(1, sku=10), dataclasses.replace(visit(2), verdict=Verdict.BLOCKED, reason="no")]
    for one in told:
        Records(tmp_path, "reviews").note(one)
    records = Records(tmp_path, "reviews")
    assert records.visits() == told
    Records(tmp_path, "another-of-that-host").note(visit(7))
    assert last_visits(tmp_path) == {"r.example": 0.007}
    with pytest.raises(SiteUnreadable, match="nothing was collected"):
        list(records.kept())


def row(place: int, stars: str, url: str = "u") -> dict[str, str]:
    return {"url": url, "row": str(place), "key": "k", "stars": stars, "text": "t"}


def test_accuracy_counts_missing_rows_as_wrong_and_tells_of_extra_ones() -> None:
    labelled = [{"url": "u", "row": str(n), "stars": "4"} for n in range(1, 5)]
    collected = [row(1, "4"), row(2, "4"), row(3, "5"), row(9, "4"), row(1, "1", "elsewhere")]
    found = judge("reviews", labelled, collected)
    (stars,) = found.fields
    assert (found.labelled, found.missing, found.extra) == (4, 1, 1)
    assert (stars.n, stars.right, stars.share) == (4, 2, 0.5)
    # Wilson's interval of 2 of 4, by hand: 0.5 -+ 1.96 * sqrt(1 / 16 + 0.96 / 16) / 1.96.
    assert stars.interval == pytest.approx((0.1500, 0.8500), abs=1e-4)
    with pytest.raises(SiteUnreadable, match="colour"):
        judge("reviews", [{"url": "u", "row": "1", "colour": "red"}], collected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("url,row,stars\nu,1,4\n", "site"), ("site,url,row\nr,u,1\n", "no labelled field"),
     ("site,url,row,stars\n", "no labelled field"), ("site,url,row,stars\nr,u,1\n", "cells")],
)  # fmt: skip
def test_a_sample_that_labels_nothing_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "sample.csv"
    path.write_text(text)
    with pytest.raises(SiteUnreadable, match=reason):
        read_sample(path)


def test_everything_through_the_door_is_marked() -> None:
    """The mark of programs keeps it out of training; the other one says where it is from."""
    door = LowTrustDoor(Pseudonyms(b"p" * 32, b"e" * 64))
    raw = {
        "event_id": "e", "event_type": "review", "anonymous_id": "k", "item_id": "i", "rating": 4,
        "event_time": "2026-02-01T00:00:00Z",
    }  # fmt: skip
    checked = door.check([raw, {}], default_source="r", received_ms=NOW_MS * 2, imported=True)
    assert [event.flags for event in checked.events] == [("bot", "low_trust")]
    assert [one.status for one in checked.rows] == ["accepted", "rejected"]
