"""Scripts asked over a connection that a thread keeps, on a real Valkey."""

import threading
from collections.abc import Callable

import pytest
import redis

from workers.intake.valkey import Question, connect

SCRIPT = "return {redis.call('GET', KEYS[1]), ARGV[1]}"


def _cut(client: "redis.Redis[bytes]") -> None:
    """End every other connection, as a restart does."""
    client.client_kill_filter(_type="normal", skipme=True)


def _forget(client: "redis.Redis[bytes]") -> None:
    """Lose all scripts, as a restart does."""
    client.script_flush()


def _wrong(client: "redis.Redis[bytes]") -> None:
    """A key of a kind that the script cannot read."""
    client.delete("told")
    client.rpush("told", "x")


@pytest.mark.parametrize("trouble", [_cut, _forget])
def test_it_is_answered_also_after_the_server_forgot_everything(
    redis_url: str, trouble: Callable[["redis.Redis[bytes]"], None]
) -> None:
    """With nothing for the caller to do, and over a connection of its own again afterwards."""
    question = Question(connect(redis_url), SCRIPT)
    with redis.Redis.from_url(redis_url) as client:
        client.set("told", "yes")
        assert question.ask(["told"], ["a"]) == [b"yes", b"a"]
        trouble(client)
        assert question.ask(["told"], ["b"]) == [b"yes", b"b"]
        before = client.info("clients")["connected_clients"]
        assert [question.ask(["told"], [str(n)])[1] for n in range(20)] == [
            str(n).encode() for n in range(20)
        ]
        assert client.info("clients")["connected_clients"] <= before + 1


def test_what_the_script_cannot_do_is_told_and_the_next_question_is_answered(
    redis_url: str,
) -> None:
    question = Question(connect(redis_url), SCRIPT)
    with redis.Redis.from_url(redis_url) as client:
        _wrong(client)
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            question.ask(["told"], ["a"])
        client.delete("told")
    assert question.ask(["told"], ["b"]) == [None, b"b"]


def test_threads_do_not_get_each_other_s_answers(redis_url: str) -> None:
    """Eight of them at once, each with numbers of its own."""
    question = Question(connect(redis_url), SCRIPT)
    wrong: list[object] = []

    def ask(first: int) -> None:
        for number in range(first, first + 200):
            found = question.ask(["nothing"], [number])
            if found != [None, str(number).encode()]:
                wrong.append((number, found))

    threads = [threading.Thread(target=ask, args=(1_000 * one,)) for one in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_server_that_is_away_is_not_waited_for_twice(redis_url: str) -> None:
    """It took no answer within the time for one; the caller hears so at once."""
    question = Question(connect(redis_url, timeout_s=0.2), SCRIPT)
    assert question.ask(["nothing"], ["a"]) == [None, b"a"]
    with redis.Redis.from_url(redis_url) as client:
        client.client_pause(700, all=True)
    with pytest.raises(redis.TimeoutError):
        question.ask(["nothing"], ["b"])
    with redis.Redis.from_url(redis_url, socket_timeout=5) as client:
        client.ping()
    assert question.ask(["nothing"], ["c"]) == [None, b"c"]
