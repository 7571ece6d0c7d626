"""A closed-loop HTTP load: so many connections, each asking again as soon as it is answered."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


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
    return asyncio.run(_run(target, request, connections, seconds, expected_status, most))


def ask_once(target: Target, request: bytes) -> bytes:
    """Send one request on a connection of its own; returns the status line and headers."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        writer.write(request)
        head = await _answer(reader)
        writer.close()
        await writer.wait_closed()
        return head

    return asyncio.run(ask())


async def _run(
    target: Target,
    request: Callable[[int], bytes],
    connections: int,
    seconds: float,
    expected_status: int,
    most: int,
) -> Load:
    counter = iter(range(most))
    latencies: list[float] = []
    failures = 0
    expected = f"HTTP/1.1 {expected_status} ".encode()
    until = time.perf_counter() + seconds

    async def ask() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection(target.host, target.port)
        for number in counter:
            if (start := time.perf_counter()) >= until:
                break
            writer.write(request(number))
            status = await _answer(reader)
            latencies.append((time.perf_counter() - start) * 1e3)
            failures += not status.startswith(expected)
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(connections)))
    took = time.perf_counter() - began
    return Load(np.sort(np.array(latencies)), took, failures)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer whole; returns its status line and headers."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at >= 0:
        await reader.readexactly(int(lower[at + 15 : lower.find(b"\r\n", at)]))
    return head
