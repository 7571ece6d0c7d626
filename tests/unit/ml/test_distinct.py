"""Different numbers, the fast way."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ml.distinct import distinct, numbered

NUMBERS = some.integers(-(2**62), 2**62) | some.integers(-3, 3)


@given(arrays(np.int64, some.integers(0, 60), elements=NUMBERS))
def test_it_gives_what_numpy_gives(values: NDArray[np.int64]) -> None:
    """Ascending, each once; none of none."""
    before = values.copy()
    found = distinct(values)
    np.testing.assert_array_equal(found, np.unique(values))
    np.testing.assert_array_equal(values, before)
    assert found.dtype == values.dtype


def test_what_it_gives_is_nobody_else_s() -> None:
    """Also for a single number."""
    one = np.array([7])
    distinct(one)[0] = 8
    assert one.tolist() == [7]


@given(arrays(np.int64, some.integers(0, 60), elements=NUMBERS))
def test_each_number_gets_its_place_among_the_different_ones(values: NDArray[np.int64]) -> None:
    """As numpy has it, also for no number at all."""
    found, place = numbered(values)
    wanted, inverse = np.unique(values, return_inverse=True)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(place, inverse)
