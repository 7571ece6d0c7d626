"""What a run will take is said before it begins."""

import pytest

from ml.config import PaperConfig
from ml.errors import NotEnoughMemory
from ml.memory import MIB, check_memory, needed_bytes

SHOP = (2_000_000, 100_000, 100_000)


def test_e6_a_large_shop_needs_no_table_of_people_times_items() -> None:
    """One byte for each pair would be more than everything takes."""
    events, people, items = SHOP
    needed = needed_bytes(events, people, items, PaperConfig())
    assert needed < people * items
    twice = needed_bytes(2 * events, 2 * people, 2 * items, PaperConfig())
    assert twice < 2 * needed


@pytest.mark.parametrize("which", [0, 1, 2])
def test_e6_the_estimate_grows_with_events_people_and_items(which: int) -> None:
    more = [size + 10_000 * (place == which) for place, size in enumerate(SHOP)]
    assert needed_bytes(*more, PaperConfig()) > needed_bytes(*SHOP, PaperConfig())


def test_e6_a_run_that_does_not_fit_is_refused_with_the_numbers(world, small) -> None:
    needed = check_memory(world, small, free=1 << 50)
    with pytest.raises(
        NotEnoughMemory, match=f"{needed // MIB:,} MiB, and 10 MiB are free"
    ) as told:
        check_memory(world, small, free=10 * MIB)
    assert f"{len(world):,} events of {world.n_users:,} people" in str(told.value)
