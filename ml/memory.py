"""How much memory a training run will take, told before it begins."""

from ml.config import PaperConfig
from ml.dataset import Interactions
from ml.errors import NotEnoughMemory

MIB = 1 << 20

BASE = 700 * MIB
"""The libraries, and models whose size no data decides."""

PER_EVENT = 1_500
"""Bytes: the log, its orders, and the questions that are made of it, with all their columns."""

PER_ITEM = 2_500
"""Bytes: vectors and counters of an item, its neighbours, and their copies on the way out."""

PER_PERSON = 1_500
"""Bytes: the vectors of a person and the tables of strangers."""


def needed_bytes(events: int, people: int, items: int, config: PaperConfig) -> int:
    """
    The most that a run on so much behaviour takes.

    Grows with each number alone: nothing is held for every person times every item. Measured for
    shops of many events, many people and many items, see docs/benchmarks.md.
    """
    moments = config.train_cutoffs + config.validation_cutoffs + config.test_cutoffs
    # At each moment everybody's last events and latest items, and a vector; 4 bytes each.
    person = PER_PERSON + moments * 4 * (config.steps + config.neighbours + config.dim)
    item = PER_ITEM + moments * 4 * config.neighbours
    return BASE + events * PER_EVENT + people * person + items * item


def check_memory(data: Interactions, config: PaperConfig, free: int) -> int:
    """
    The bytes that a run will take, if there are as many.

    Raises:
        NotEnoughMemory: there are fewer.
    """
    needed = needed_bytes(len(data), data.n_users, data.n_items, config)
    if needed > free:
        raise NotEnoughMemory(
            f"training on {len(data):,} events of {data.n_users:,} people and {data.n_items:,} "
            f"items takes about {needed // MIB:,} MiB, and {free // MIB:,} MiB are free"
        )
    return needed
