"""Runs the studies of the evaluation, each in a process of its own, some side by side."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workers.local.children import ending

COMMAND = (sys.executable, "-m", "ml.studies")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
ONE_THREAD = dict.fromkeys(THREADS, "1") | {"OMP_WAIT_POLICY": "PASSIVE"}
"""Two processes with two threads each on two cores are five to ten times slower than with one."""

USUAL_MINUTES = {
    "journey": 46,
    "diginetica": 38,
    "retailrocket": 22,
    "beauty": 11,
    "alibaba": 11,
    "switches": 9,
    "journey_next": 9,
    "cold_journey": 8,
    "cold_taobao": 6,
    "cold_taobao_categories": 3,
    "movielens-recbole": 2,
    "movielens-time": 2,
}
"""The long ones begin first, so that none of them is left alone at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    What is to be run and how.

    Attributes:
        data: the folder with one folder per public data set.
        out: takes ``<study>.json`` of each study, and ``<study>.log`` of one that broke.
        jobs: studies side by side.
    """

    names: tuple[str, ...]
    data: Path
    out: Path
    seeds: int = 3
    jobs: int = 2
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a study ended; ``problem`` is one sentence, empty where it went well."""

    name: str
    problem: str = ""


Watch = Callable[[str, str, float], None]
"""Is told of a study: its name, what it is doing, and the share that is done."""


def longest_first(names: Sequence[str]) -> list[str]:
    """In the order in which they are best begun."""
    return sorted(dict.fromkeys(names), key=lambda name: -USUAL_MINUTES.get(name, 9))


def run_studies(order: Order, watch: Watch) -> Iterator[Outcome]:
    """
    Run them all and say of each how it ended, as soon as it has; none stops the others.

    Whoever stops asking ends those that still run.
    """
    order.out.mkdir(parents=True, exist_ok=True)
    running: list[subprocess.Popen[bytes]] = []
    with ThreadPoolExecutor(order.jobs) as pool:
        waiting = [
            pool.submit(_run, name, order, watch, running) for name in longest_first(order.names)
        ]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            for one in waiting:
                one.cancel()
            for child in running:
                child.terminate()


def _run(
    name: str, order: Order, watch: Watch, running: "list[subprocess.Popen[bytes]]"
) -> Outcome:
    log = order.out / f"{name}.log"
    watch(name, "starting", 0.0)
    with log.open("wb") as errors, ending(_child(name, order, errors)) as child:
        running.append(child)
        assert child.stdout is not None
        with child.stdout as lines:
            for line in lines:
                _pass_on(line, name, watch)
        code = child.wait()
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    if code == 0:
        log.unlink()
        return Outcome(name)
    if code < 0:
        return Outcome(name, f"the process was ended by signal {-code}")
    return Outcome(name, said.splitlines()[-1] if said else f"the process ended with {code}")


def _child(name: str, order: Order, errors: IO[bytes]) -> "subprocess.Popen[bytes]":
    command = [
        *COMMAND,
        name,
        *("--data", str(order.data), "--to", str(order.out / f"{name}.json")),
        *("--seeds", str(order.seeds)),
        *(["--quick"] if order.quick else []),
    ]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=os.environ | ONE_THREAD,
    )


def _pass_on(line: bytes, name: str, watch: Watch) -> None:
    """A line that is no report of progress is some library's chatter."""
    try:
        told = json.loads(line)
        watch(name, str(told["what"]), float(told["share"]))
    except (ValueError, KeyError, TypeError):
        return
