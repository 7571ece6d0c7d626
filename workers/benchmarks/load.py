"""A closed-loop HTTP load: so many connections, each asking again as soon as it is answered."""

import re
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np

_LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
_AT_MOST = 1 << 18


@dataclass(frozen=True, slots=True)
class Target:
    """Where the requests go, and the key they carry."""

    host: str
    port: int
    key: str

    def get(self, path: str) -> bytes:
        """The bytes of a GET request."""
        return self._head("GET", path) + b"\r\n"

    def post(self, path: str, body: bytes) -> bytes:
        """The bytes of a POST request with a JSON body."""
        sized = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return self._head("POST", path) + sized.encode() + body

    def _head(self, method: str, path: str) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
        return (head + f"X-API-Key: {self.key}\r\n").encode()


@dataclass(frozen=True, slots=True)
class Load:
    """
    What a load came to.

    Attributes:
        latencies_ms: one number per answered request, sorted.
        failures: answers with another status than the expected one.
    """

    latencies_ms: np.ndarray
    seconds: float
    failures: int

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency that ``percent`` of the requests stayed under."""
        return float(np.percentile(self.latencies_ms, percent))


def run_load(
    target: Target,
    request: Callable[[int], bytes],
    *,
    connections: int,
    seconds: float,
    expected_status: int = 200,
    most: int = 1 << 62,
) -> Load:
    """
    Ask for ``seconds`` over ``connections`` and take the times.

    Args:
        request: makes the bytes of the n-th request; called once a request.
        most: end sooner, after so many requests.
    """
    numbers, latencies, failures = iter(range(most)), list[float](), 0
    expected = f"HTTP/1.1 {expected_status} ".encode()
    began = time.perf_counter()
    until = began + seconds
    with ExitStack() as stack, selectors.DefaultSelector() as answering:
        for _ in range(connections):
            connection = stack.enter_context(closing(_Connection(target)))
            if connection.ask_next(request, numbers, until):
                answering.register(connection, selectors.EVENT_READ, connection)
        while answering.get_map():
            for ready, _ in answering.select():
                told: _Connection = ready.data
                if (head := told.answer()) is None:
                    continue
                latencies.append((time.perf_counter() - told.asked_at) * 1e3)
                failures += not head.startswith(expected)
                if not told.ask_next(request, numbers, until):
                    answering.unregister(told)
        took = time.perf_counter() - began
    return Load(np.sort(np.array(latencies)), took, failures)


def ask_once(target: Target, request: bytes) -> bytes:
    """Send one request on a connection of its own; returns the status line and headers."""
    with closing(_Connection(target)) as connection:
        connection.ask(request)
        while (head := connection.answer()) is None:
            pass
        return head


class _Connection:
    """
    One request at a time, over a bare socket.

    The generator shares the machine with what it measures, so it takes as little of it as it can.
    """

    def __init__(self, target: Target) -> None:
        self._socket = socket.create_connection((target.host, target.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = b""
        self.asked_at = 0.0

    def fileno(self) -> int:
        """What a selector waits for."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self._got, self.asked_at = b"", time.perf_counter()
        self._socket.sendall(request)

    def ask_next(
        self, request: Callable[[int], bytes], numbers: Iterator[int], until: float
    ) -> bool:
        """Send the next request, unless the time is over or there is none."""
        number = next(numbers, None) if time.perf_counter() < until else None
        if number is None:
            return False
        self.ask(request(number))
        return True

    def answer(self) -> bytes | None:
        """Take what has come; the status line and headers, once the answer is there whole."""
        came = self._socket.recv(_AT_MOST)
        if not came:
            raise ConnectionError("the server hung up in the middle of an answer")
        self._got += came
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._got[: end + 2]
        length = _LENGTH.search(head)
        whole = end + 4 + (int(length[1]) if length else 0)
        return head if len(self._got) >= whole else None
