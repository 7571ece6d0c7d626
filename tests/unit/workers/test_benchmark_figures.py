"""Measured figures and the bars they are held to."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from workers.benchmarks.figures import Bar, Figure, as_json, exponent, show
from workers.benchmarks.load import Load, Target, run_load


@pytest.mark.parametrize(
    ("value", "bar", "good", "holds"),
    [
        (10.0, None, Bar.AT_LEAST, True),
        (10.0, 10.0, Bar.AT_LEAST, True),
        (9.9, 10.0, Bar.AT_LEAST, False),
        (10.0, 10.0, Bar.AT_MOST, True),
        (10.1, 10.0, Bar.AT_MOST, False),
    ],
)
def test_a_figure_holds_on_the_good_side_of_its_bar(
    value: float, bar: float | None, good: Bar, holds: bool
) -> None:
    """Equality counts as held; without a bar nothing can fall short."""
    assert Figure("x", value, "s", bar, good).holds is holds


def test_the_json_form_has_the_documented_fields() -> None:
    """Machines read figure, value, unit, bar, holds and detail."""
    (row,) = json.loads(as_json([Figure("import", 95.5, "s", 180, Bar.AT_MOST, "cold")]))
    assert row == {
        "figure": "import",
        "value": 95.5,
        "unit": "s",
        "bar": 180,
        "holds": True,
        "detail": "cold",
    }


def test_a_missed_bar_is_plain_to_see() -> None:
    """People read NO beside the number."""
    out = StringIO()
    show([Figure("rate", 5, "1/s", 10)], title="speed", console=Console(file=out, width=120))
    assert "NO" in out.getvalue()
    assert "≥ 10" in out.getvalue()


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_growth_of_a_cost_is_the_power_of_its_size(power: float) -> None:
    """Twice the size at twice the cost is 1, at four times the cost 2."""
    assert exponent([(n, 3 * n**power) for n in (1, 4, 16)]) == pytest.approx(power)


@pytest.fixture
def server() -> Iterator[Target]:
    """A web server that says 200 to ``/good`` and 500 to anything else."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good" else 500)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield Target("127.0.0.1", httpd.server_address[1], "key")
        httpd.shutdown()
        thread.join()


def test_every_request_of_a_load_is_timed_and_checked(server: Target) -> None:
    """Three of four requests fail here, and the load says so."""
    paths = ["/good", "/bad", "/bad", "/bad"]
    load = run_load(server, lambda n: server.get(paths[n % 4]), connections=2, seconds=0.2)
    assert len(load.latencies_ms) > 4
    assert abs(load.failures / len(load.latencies_ms) - 0.75) < 0.2


def test_percentiles_come_from_the_measured_latencies() -> None:
    """The median of 1, 2, 3 is 2; the rate is requests over seconds."""
    load = Load(np.array([1.0, 2.0, 3.0]), seconds=1.5, failures=0)
    assert load.percentile_ms(50) == 2.0
    assert load.per_second == 2.0
