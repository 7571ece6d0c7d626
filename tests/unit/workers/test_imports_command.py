"""What ``shopgraph import`` prints."""

import json
from pathlib import Path

from click.testing import CliRunner

from workers.commands.imports import import_


def test_the_figures_of_an_import_are_json(tmp_path: Path) -> None:
    """Also how many rows there were of each kind."""
    path = tmp_path / "events.jsonl"
    row = {"event_id": "e", "event_type": "view", "user_id": "u-1", "item_id": "A"}
    path.write_text(json.dumps(row | {"event_time": "2026-03-01T08:00:00Z"}))
    found = CliRunner().invoke(import_, ["jsonl", str(path), "--check", "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.output)["kinds"] == {"view": 1}
