"""The installation that a measurement runs on."""

import tempfile

import pytest

from workers.benchmarks.stack import logs_kept


def test_a_measurement_that_fails_leaves_its_logs_behind(tmp_path, monkeypatch):
    home, aside = tmp_path / "home", tmp_path / "aside"
    (home / "neo4j").mkdir(parents=True)
    aside.mkdir()
    (home / "ingest.log").write_text("first")
    (home / "neo4j" / "debug.log").write_text("second")
    (home / "data.bin").write_text("large")
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    with pytest.raises(RuntimeError), logs_kept(home):
        raise RuntimeError
    (kept,) = aside.iterdir()
    found = {path.name: path.read_text() for path in kept.iterdir()}
    assert found == {"ingest.log": "first", "neo4j-debug.log": "second"}


def test_a_measurement_that_ends_well_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with logs_kept(tmp_path):
        (tmp_path / "ingest.log").write_text("fine")
    assert [path.name for path in tmp_path.iterdir()] == ["ingest.log"]
