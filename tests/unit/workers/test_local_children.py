"""Children that end with their block."""

import signal
import subprocess
import sys

import pytest

from workers.local.children import ending

OBEYS = "print('up', flush=True); import time; time.sleep(60)"
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + OBEYS


def started(code: str) -> "subprocess.Popen[bytes]":
    """A child that has said that it is up."""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        child.stdout.readline()
    return child


@pytest.mark.parametrize(("code", "ended_by"), [(OBEYS, signal.SIGTERM), (IGNORES, signal.SIGKILL)])
def test_a_child_is_asked_first_and_killed_when_it_does_not_hear(
    code: str, ended_by: signal.Signals
) -> None:
    """Either way it is gone after the block."""
    with ending(started(code), patience_s=0.5) as child:
        assert child.poll() is None
    assert child.returncode == -ended_by


def test_a_child_ends_also_when_the_block_fails() -> None:
    """The error travels on."""
    child = started(OBEYS)
    with pytest.raises(ZeroDivisionError), ending(child):
        _ = 1 / 0
    assert child.returncode is not None
