"""What is done to numbers before a network sees them: flattened, scaled, gaps closed, shuffled and split.

A scaling is found on the training samples and applied to all, so that the exam stays unseen.

Lesson: preprocessing for neural networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Parts = tuple[np.ndarray, np.ndarray]


def vectorise(samples: np.ndarray) -> np.ndarray:
    """Any samples (N, ...) as rows of numbers, float (N, D)."""
    return samples.reshape(len(samples), -1).astype(float)


@dataclass(frozen=True)
class Scaling:
    """(x - offset) / width of each column; a column that never changes has the width 1."""

    offset: np.ndarray
    width: np.ndarray

    def apply(self, x: np.ndarray) -> np.ndarray:
        return np.asarray((x - self.offset) / self.width)

    def undo(self, scaled: np.ndarray) -> np.ndarray:
        return np.asarray(scaled * self.width + self.offset)


def to_unit_range(train: np.ndarray) -> Scaling:
    """The scaling that takes each column of `train` (N, D) to 0..1."""
    least, greatest = train.min(axis=0), train.max(axis=0)
    return Scaling(least, np.where(greatest > least, greatest - least, 1.0))


def to_standard(train: np.ndarray) -> Scaling:
    """The scaling that gives each column of `train` (N, D) mean 0 and standard deviation 1."""
    constant = train.min(axis=0) == train.max(axis=0)
    return Scaling(train.mean(axis=0), np.where(constant, 1.0, train.std(axis=0)))


def drop_missing(x: np.ndarray) -> np.ndarray:
    """The rows of `x` (N, D) in which nothing is missing (NaN)."""
    return np.asarray(x[~np.isnan(x).any(axis=1)])


def zero_missing(x: np.ndarray) -> np.ndarray:
    """`x` with 0 for what is missing; only where 0 means nothing else."""
    return np.where(np.isnan(x), 0.0, x)


def interpolate_missing(x: np.ndarray) -> np.ndarray:
    """`x` (N, D) with each gap on the line between its neighbours in the column; ends repeat the nearest.

    Raises:
        ValueError: if a column has no value at all.
    """
    return np.column_stack([interpolated(column) for column in x.T])


def interpolated(column: np.ndarray) -> np.ndarray:
    (there,) = np.nonzero(~np.isnan(column))
    if len(there) == 0:
        raise ValueError(f"a column must have a value to interpolate from. Received: {len(column)} missing values")
    return np.asarray(np.interp(np.arange(len(column)), there, column[there]))


def hold_out(samples: int, *, fraction: float, rng: np.random.Generator) -> Parts:
    """Numbers of the samples to train on, and of ceil(fraction * samples) held out, shuffled.

    Args:
        fraction: above 0 and below 1.
    """
    order = rng.permutation(samples)
    held = int(np.ceil(fraction * samples))
    return order[held:], order[:held]


def k_fold(samples: int, *, folds: int, rng: np.random.Generator | None = None) -> Iterator[Parts]:
    """Numbers to train on and to judge by, `folds` times, so that each sample is judged exactly once.

    Args:
        folds: 2 to `samples`; sizes differ by one at most.
        rng: shuffles first; without one, folds are runs of neighbours.
    """
    if not 2 <= folds <= samples:
        raise ValueError(f"`folds` must be from 2 to the number of samples, {samples}. Received: {folds}")
    order = np.arange(samples) if rng is None else rng.permutation(samples)
    parts = np.array_split(order, folds)
    for number, part in enumerate(parts):
        yield np.concatenate([*parts[:number], *parts[number + 1 :]]), part
