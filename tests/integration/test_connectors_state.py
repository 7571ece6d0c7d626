"""What connectors remember, who runs them, and what an operator sees."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner
from flask.testing import FlaskClient

from graph.client import Graph
from graph.settings import GraphSettings
from tests.environments import process_environment
from tests.factories import PSEUDONYMS
from tests.platforms import rest
from tests.platforms.setups import Setup, environment, intake_settings, set_up
from tests.platforms.shop import BEGIN_MS, DAY_MS, HOUR_MS
from workers.commands.connectors import connectors
from workers.connectors.connector import Clock
from workers.connectors.errors import ConnectorBusy
from workers.connectors.running import at_work, pull_if_due
from workers.connectors.tokens import TOKENS, SealedTokens, Token
from workers.intake.bookmarks import Bookmarks, Progress
from workers.intake.deadletters import DeadLetters
from workers.intake.deliveries import Deliveries
from workers.jobs import Jobs
from workers.leases import now_ms


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Setup]:
    """The till of a shop, on the evening of its second day."""
    with set_up("till", tmp_path) as one:
        one.platform.clock.ms = BEGIN_MS + DAY_MS + 20 * HOUR_MS
        yield one


def pull(till: Setup, graph: Graph, redis_url: str) -> Progress:
    """Run the connector, if it is due."""
    clock = till.platform.clock
    intake, fake = intake_settings(redis_url), Clock(clock.now_ms, clock.sleep)
    pull_if_due("till", graph, till.settings, intake, fake)
    progress = Bookmarks(redis_url).get("till")
    assert progress is not None
    return progress


def test_after_a_failure_the_connector_is_left_alone_for_a_while(
    till: Setup, graph: Graph, redis_url: str
) -> None:
    """And then goes on from its bookmark."""
    clock = till.platform.clock
    begun = Progress(until_ms=clock.ms - HOUR_MS)
    Bookmarks(redis_url).keep("till", begun)
    till.platform.is_locked = True
    failed = pull(till, graph, redis_url)
    assert (failed.until_ms, failed.failures) == (begun.until_ms, 1)
    assert "CredentialsRefused: a renewed token is refused as well" in (failed.problem or "")
    till.platform.is_locked = False
    asked = len(till.platform.asked)
    assert pull(till, graph, redis_url) == failed
    assert len(till.platform.asked) == asked
    clock.ms = failed.not_before_ms
    good = pull(till, graph, redis_url)
    assert (good.failures, good.problem) == (0, None)
    assert good.gap_minutes(clock.ms) < 2


def test_one_process_at_a_time_runs_a_connector(till: Setup, graph: Graph, redis_url: str) -> None:
    """The second hears that it is busy, and touches nothing."""
    intake = intake_settings(redis_url)
    with at_work("till", graph, till.settings, intake):
        with pytest.raises(ConnectorBusy), at_work("till", graph, till.settings, intake):
            pass
        assert pull_if_due("till", graph, till.settings, intake) is None
    assert till.platform.asked == []


def test_a_row_that_is_refused_is_one_dead_letter_however_often_it_comes(
    till: Setup, graph: Graph, redis_url: str
) -> None:
    """The bookmark moves past it, and the orders beside it are taken."""
    sale = next(one for one in till.platform.shop.sales if one.is_paid and not one.refund)
    sale.buyer = "null"
    clock = till.platform.clock
    intake, fake = intake_settings(redis_url), Clock(clock.now_ms, clock.sleep)
    with at_work("till", graph, till.settings, intake, fake) as one:
        first = one.between(BEGIN_MS, BEGIN_MS + DAY_MS)
        again = one.between(BEGIN_MS, BEGIN_MS + DAY_MS)
    assert first.rows["rejected"] == 1
    assert first.rows["accepted"] > 1
    assert set(again.rows) == {"duplicate"}
    assert DeadLetters(redis_url).depth() == 1


def test_renewed_tokens_are_sealed_and_belong_to_the_settings_they_come_from(
    redis_url: str,
) -> None:
    """Nobody reads them in Valkey, and new credentials make them worthless."""
    store, given = SealedTokens(redis_url, PSEUDONYMS), Token("given", "r0")
    store.keep("taobao", given, Token("renewed-access", "renewed-refresh"))
    assert store.get("taobao", given) == Token("renewed-access", "renewed-refresh")
    other = Token("another", "r0")
    assert store.get("taobao", other) == other
    assert store.get("jd", given) == given
    with redis.Redis.from_url(redis_url) as client:
        (sealed,) = client.hvals(TOKENS)
    assert b"renewed" not in sealed


def test_deliveries_are_known_by_sender_and_signature(redis_url: str) -> None:
    """For as long as their time is good."""
    deliveries = Deliveries(redis_url)
    assert not deliveries.is_known("till", "s")
    deliveries.note("till", "s")
    assert deliveries.is_known("till", "s")
    assert not deliveries.is_known("desk", "s")


def test_the_gap_of_a_connector_is_a_metric(client: FlaskClient, redis_url: str) -> None:
    """In minutes, also for one that fails."""
    Bookmarks(redis_url).keep("till", Progress(until_ms=now_ms() - 90 * 60_000, problem="away"))
    lines = client.get("/metrics").text.splitlines()
    (line,) = [one for one in lines if one.startswith('connector_gap_minutes{connector="till"}')]
    assert 89.9 < float(line.split()[-1]) < 95


@pytest.mark.usefixtures("graph")
def test_the_commands_say_what_there_is_and_run_a_part_of_the_past(
    till: Setup,
    neo4j_settings: GraphSettings,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``list``, ``status`` and ``run``; no bookmark moves, and nothing secret is printed."""
    secrets = {"till": rest.CLIENT_SECRET}
    for name, value in {
        **process_environment(neo4j_settings, redis_url),
        **environment(redis_url),
        "SHOPGRAPH_CONNECTOR_FOLDER": str(till.settings.connector_folder),
        "SHOPGRAPH_CONNECTOR_SECRETS": json.dumps(secrets),
    }.items():
        monkeypatch.setenv(name, value)

    def said(*words: str) -> str:
        found = CliRunner().invoke(connectors, words)
        assert found.exit_code == 0, found.output
        assert rest.CLIENT_SECRET not in found.output
        return found.output

    assert json.loads(said("list", "--json")) == ["till"]
    assert json.loads(said("status", "--json"))[0]["problem"] == "has not run yet"
    part = ("--since", "2026-03-02T00:00:00+08:00", "--until", "2026-03-03T00:00:00+08:00")
    told = said("run", "till", *part, "--json")
    done = json.loads(told[told.index("{") :])
    assert done["windows"] == 12
    assert done["rows"]["accepted"] > 1
    assert Bookmarks(redis_url).get("till") is None
    Bookmarks(redis_url).keep("till", replace(Progress(now_ms() - 60_000), problem="status 500"))
    (row,) = json.loads(said("status", "--json"))
    assert (row["problem"], 0.9 < row["gap_minutes"] < 3) == ("status 500", True)
    assert CliRunner().invoke(connectors, ["run", "till", "--since", "yesterday"]).exit_code == 2


@pytest.mark.usefixtures("graph")
def test_a_worker_of_the_default_queue_pulls_when_the_bell_asks(
    till: Setup, neo4j_settings: GraphSettings, redis_url: str, tmp_path: Path
) -> None:
    """A real worker, which finds nothing new at the till and says up to when."""
    till.platform.clock.ms = now_ms()
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "--app", "workers.main:app", "worker",
         "--queues", "default", "--pool", "solo", "--hostname", "pull@test"],
        env={
            **process_environment(neo4j_settings, redis_url), **environment(redis_url),
            "SHOPGRAPH_MODEL_STORE": str(tmp_path),
            "SHOPGRAPH_PULL_BEGIN_DAYS": "1",
            "SHOPGRAPH_CONNECTOR_FOLDER": str(till.settings.connector_folder),
            "SHOPGRAPH_CONNECTOR_SECRETS": json.dumps({"till": rest.CLIENT_SECRET}),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        Jobs(redis_url).pull("till")
        deadline = time.monotonic() + 120
        while (found := Bookmarks(redis_url).get("till")) is None or found.gap_minutes(
            now_ms()
        ) > 5:
            assert time.monotonic() < deadline, "the worker did not pull"
            time.sleep(0.2)
    finally:
        worker.terminate()
        worker.wait()
