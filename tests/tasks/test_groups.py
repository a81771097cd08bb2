"""Groups: which pictures belong together, and where they go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from tasks import groups


@st.composite
def crowds(draw: st.DrawFn) -> np.ndarray:
    """Hashes, and others that differ from them in a few bits."""
    first = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12))
    flips = draw(st.lists(st.tuples(st.sampled_from(first), st.sets(st.integers(0, 63), max_size=9)), max_size=20))
    others = [start ^ sum(1 << bit for bit in bits) for start, bits in flips]
    return np.array(first + others, dtype=np.uint64)


@given(crowds(), st.integers(0, 12))
def test_groups_are_those_of_comparing_each_with_each(hashes: np.ndarray, distance: int) -> None:
    close = np.bitwise_count(hashes[:, np.newaxis] ^ hashes[np.newaxis]) <= distance
    wanted = connected_components(close, directed=False)[1]
    found = groups.near(hashes, distance)
    assert ((found[:, np.newaxis] == found) == (wanted[:, np.newaxis] == wanted)).all()


@pytest.mark.parametrize("count", range(1, 17))
def test_bands_cover_every_bit_once(count: int) -> None:
    assert [bit for first, width in groups.bands(count) for bit in range(first, first + width)] == list(range(64))


@pytest.mark.parametrize("distance", [-1, 16])
def test_a_distance_out_of_bounds_is_refused(distance: int) -> None:
    with pytest.raises(ValueError, match=f"Received: {distance}"):
        groups.near(np.zeros(2, dtype=np.uint64), distance)


def test_a_group_is_called_by_its_oldest_and_keeps_that_name() -> None:
    names, ages = np.array(["c", "a", "b"]), np.array(["2026-01-02", "2026-01-03", "2026-01-01"])
    assert groups.named(np.array([0, 0, 1]), names, ages).tolist() == ["c", "c", "b"]
    more_names, more_ages = np.array([*names, "0"]), np.array([*ages, "2026-02-01"])
    assert groups.named(np.array([0, 0, 1, 0]), more_names, more_ages).tolist() == ["c", "c", "b", "c"]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=40), st.integers(0, 99))
def test_nothing_new_moves_what_is_in_the_exam(names: list[str], seed: int) -> None:
    few, many = np.array(names[: len(names) // 2 + 1]), np.array(names)
    assert groups.exam(many, 0.3, seed)[: len(few)].tolist() == groups.exam(few, 0.3, seed).tolist()


def test_the_exam_has_about_the_fraction_asked_for() -> None:
    drawn = groups.exam(np.array([f"{number:064x}" for number in range(4000)]), 0.2, 7)
    assert abs(drawn.mean() - 0.2) < 3 * np.sqrt(0.2 * 0.8 / 4000)
