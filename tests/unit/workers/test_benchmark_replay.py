"""Which visits of a log are asked about."""

import numpy as np

from ml.dataset import Catalogue, Interactions
from workers.benchmarks.replay import visits
from workers.benchmarks.soak import Memory

VIEW = 2


def log(*rows: tuple[int, int, int]) -> Interactions:
    """Rows of (person, item, moment)."""
    columns = np.array(rows)
    return Interactions.of(
        user=columns[:, 0],
        item=columns[:, 1],
        code=np.full(len(rows), VIEW),
        ts=columns[:, 2],
        user_ids=["a", "b", "c"],
        catalogue=Catalogue.of(["i0", "i1", "i2", "i3"]),
    )


def test_what_a_person_does_at_one_moment_is_one_visit() -> None:
    """Asked about at its first event; two people at one moment are two visits."""
    told = log((0, 0, 1), (0, 1, 5), (1, 2, 5), (0, 3, 5), (2, 0, 9))
    found = visits(told, 1, 10)
    assert [(one.at, one.user) for one in found] == [(1, 0), (2, 1), (4, 2)]
    assert found[0].items == {"i1", "i3"}


def test_visits_are_evenly_spaced_where_there_are_more_than_wanted() -> None:
    """The known part of the log is not asked about."""
    told = log(*((k % 3, k % 4, k) for k in range(40)))
    found = visits(told, 10, 5)
    assert [one.at for one in found] == [10, 16, 22, 28, 34]


def test_growth_is_told_between_the_second_and_the_last_quarter() -> None:
    """What is loaded at the start is no leak, and one high look is none either."""
    memory = Memory()
    memory.seen["api"] = [10.0, 20.0, 100.0, 100.0, 500.0, 100.0, 110.0, 110.0]
    assert memory.growth("api") == (100.0, 110.0, 10.0)
    memory.seen["ingest"] = [50.0]
    assert memory.growth("ingest") == (50.0, 50.0, 0.0)
