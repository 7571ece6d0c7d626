"""Child processes that end with the block that needs them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending(
    child: "subprocess.Popen[bytes]", *, patience_s: float = 20.0
) -> Iterator["subprocess.Popen[bytes]"]:
    """End a child with the block, however the block ends: SIGTERM, wait, SIGKILL."""
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
