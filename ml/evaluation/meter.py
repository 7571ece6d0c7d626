"""What a model costs: wall-clock and memory of the process while it learns and answers."""

import threading
import time
from types import TracebackType

import psutil

EVERY_S = 0.02


class Meter:
    """
    Measures what happens inside a ``with`` block.

    Attributes:
        seconds: wall-clock.
        peak_mb: most resident memory of the whole process, in MiB, looked at every 20 ms.
    """

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self.seconds = 0.0
        self.peak_mb = 0.0
        self._process = psutil.Process()
        self._is_over = threading.Event()
        self._watch = threading.Thread(target=self._look_again, daemon=True)

    def __enter__(self) -> "Meter":
        """Begin."""
        self._look()
        self._began = time.perf_counter()
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; errors travel on."""
        self.seconds = time.perf_counter() - self._began
        self._is_over.set()
        self._watch.join()
        self._look()

    def _look(self) -> None:
        self.peak_mb = max(self.peak_mb, self._process.memory_info().rss / 2**20)

    def _look_again(self) -> None:
        while not self._is_over.wait(EVERY_S):
            self._look()
