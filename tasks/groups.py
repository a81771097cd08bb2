"""Groups: which pictures show the same, so that they stay together when the samples are split."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

BITS = 64


def near(hashes: np.ndarray, distance: int) -> np.ndarray:
    """Number the groups of perceptual hashes that are near to one another, directly or through others.

    Two hashes of which at most `distance` bits differ have at least one of `distance + 1` bands of bits in common,
    so only those that have one are compared.

    Args:
        hashes: uint64 (N,).
        distance: bits that may differ, 0 to 15.

    Returns:
        int (N,), from 0; equal numbers are one group.

    Raises:
        ValueError: if `distance` is not within its bounds.
    """
    if not 0 <= distance < 16:
        raise ValueError(f"`distance` must be from 0 to 15 bits. Received: {distance}")
    pairs = [neighbours(hashes, band, distance) for band in bands(distance + 1)]
    left, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
    links = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(len(hashes), len(hashes)))
    numbers: np.ndarray = connected_components(links, directed=False)[1]
    return numbers


def bands(count: int) -> list[tuple[int, int]]:
    """First bit and number of bits of `count` bands that cover all bits."""
    edges = np.linspace(0, BITS, count + 1).round().astype(int)
    return [(int(first), int(last - first)) for first, last in itertools.pairwise(edges)]


def neighbours(hashes: np.ndarray, band: tuple[int, int], distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows that have the band's bits in common and are near enough.

    Rows in the order of the band are compared with those one behind, two behind, and so on, all at once.
    """
    first, width = band
    keys = (hashes >> np.uint64(first)) & np.uint64((1 << width) - 1)
    order = np.argsort(keys, kind="stable")
    sorted_keys, sorted_hashes = keys[order], hashes[order]
    left, right = [], []
    for step in range(1, len(hashes)):
        alike = np.flatnonzero(sorted_keys[step:] == sorted_keys[:-step])
        if not len(alike):
            break
        close = np.bitwise_count(sorted_hashes[alike] ^ sorted_hashes[alike + step]) <= distance
        left.append(order[alike[close]])
        right.append(order[alike[close] + step])
    none = [np.empty(0, dtype=np.int64)]
    return np.concatenate(left or none), np.concatenate(right or none)


def named(numbers: np.ndarray, names: np.ndarray, ages: np.ndarray) -> np.ndarray:
    """Call each group by its oldest member: a group keeps its name when others join it.

    Args:
        numbers: of groups, int (N,).
        names: of the pictures, text (N,).
        ages: when each was first had, text (N,) that sorts by time.
    """
    order = np.lexsort((names, ages))
    groups, first = np.unique(numbers[order], return_index=True)
    oldest = dict(zip(groups.tolist(), names[order][first].tolist(), strict=True))
    return np.array([oldest[number] for number in numbers.tolist()])


def exam(names: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Which groups are in the exam: bool (N,), by their names alone, so that nothing new moves them."""
    drawn = {name: int(hashlib.sha256(f"{seed} {name}".encode()).hexdigest()[:13], 16) / 16**13 for name in set(names)}
    return np.array([drawn[name] < fraction for name in names], dtype=bool)
