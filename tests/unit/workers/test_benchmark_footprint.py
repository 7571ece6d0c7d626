"""Memory and disk of an installation."""

import subprocess
import sys
from pathlib import Path

import pytest

from workers.benchmarks.footprint import disk_mib, peak_memory_mib

FORTY_MIB = "x = bytearray(40 << 20); del x; print('ready', flush=True); input()"


def test_the_peak_of_a_child_counts_also_after_it_gave_memory_back() -> None:
    """A child that once held 40 MiB is counted with them, under the name of its kind."""
    command = [sys.executable, "-c", FORTY_MIB, "ingest"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = peak_memory_mib()
        child.communicate(b"\n")
    assert found["ingest"] > 40


def test_parts_of_a_folder_are_sized_largest_first(tmp_path: Path) -> None:
    """Two parts, one of them nested."""
    for name, size in (("small/a", 1 << 20), ("large/b/c", 3 << 20)):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"\0" * size)
    assert list(disk_mib(tmp_path).items()) == [
        ("large", pytest.approx(3)),
        ("small", pytest.approx(1)),
    ]
