"""Processes of one API count in one folder, so that any of them tells of all."""

import os
import subprocess
import sys
from pathlib import Path

COUNT = """
from backend.metrics import Metrics
counted = Metrics()
counted.events.labels("accepted").inc(3)
counted.model_serves("m-1")
counted.model_serves("m-2")
"""
SHOW = """
from backend.metrics import Metrics
print(Metrics().page().decode())
"""


def _run(code: str, folder: Path) -> str:
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_each_process_shows_the_sum_of_all(tmp_path: Path) -> None:
    """A page that told of one process only would fall and rise from call to call."""
    _run(COUNT, tmp_path)
    _run(COUNT, tmp_path)
    page = _run(SHOW, tmp_path)
    assert 'shopgraph_events_total{status="accepted"} 6.0' in page


def test_one_model_is_shown_as_serving(tmp_path: Path) -> None:
    """The one before it is shown as gone."""
    _run(COUNT, tmp_path)
    page = _run(SHOW, tmp_path)
    assert 'shopgraph_model_loaded{version="m-2"} 1.0' in page
    assert 'shopgraph_model_loaded{version="m-1"} 0.0' in page
