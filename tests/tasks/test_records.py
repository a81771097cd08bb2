"""Record arrays: what goes in comes out, row by row, and plain arrays pass as they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks import records

SHAPES = st.lists(
    st.tuples(st.sampled_from(["uint8", "int32", "float32"]), st.lists(st.integers(1, 3), max_size=3)), min_size=1
)


@given(st.integers(1, 6), SHAPES, st.integers(0, 2**32 - 1))
def test_parts_come_out_as_they_went_in(count: int, kinds: list[tuple[str, list[int]]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = {
        f"part{place}": rng.integers(0, 200, (count, *shape)).astype(dtype)
        for place, (dtype, shape) in enumerate(kinds)
    }
    packed = records.packed(parts)
    assert packed.shape == (count,)
    rows = rng.permutation(count)
    found = records.fed(packed[rows])
    assert isinstance(found, dict)
    for name, part in parts.items():
        np.testing.assert_array_equal(found[name], part[rows])
        np.testing.assert_array_equal(records.part(packed, name), part)


def test_an_array_stays_one() -> None:
    array = np.arange(6).reshape(2, 3)
    assert records.packed(array) is array
    np.testing.assert_array_equal(records.fed(array), array)
    np.testing.assert_array_equal(records.part(array, "anything"), array)
