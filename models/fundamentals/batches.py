"""What the batch size changes: how many updates an epoch has, how noisy each is, and how much must be in memory.

The experiment is a straight line through points, so that the error is a bowl over two weights and can be drawn.

Lesson: batch size; stochastic, mini-batch and full gradient descent. Two departures from its text: an epoch has
ceil(N / B) steps and not int(N / B), as its own logs show (the last batch is smaller); and it is the full batch that
needs too much memory, not the single sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


def steps_per_epoch(samples: int, batch: int) -> int:
    """ceil(samples / batch): every sample is seen, the last batch takes what is left."""
    return -(-samples // batch)


def batches(samples: int, batch: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The numbers of the samples of each step of one epoch, in a new random order."""
    order = rng.permutation(samples)
    for first in range(0, samples, batch):
        yield order[first : first + batch]


def generated_line(samples: int, *, seed: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Generated points around y = 1 + 2 x: inputs [1 x], (N, 2), and answers (N,), with normal noise.

    Args:
        noise: standard deviation of the answers around the line.
    """
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(samples), rng.uniform(-1, 1, samples)])
    return x, x @ np.array([1.0, 2.0]) + noise * rng.standard_normal(samples)


def error(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """1/2 (x w - y)^2, the mean over samples."""
    return float(0.5 * np.mean((x @ weights - y) ** 2))


def sample_gradients(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What each sample alone says of the slope: (x w - y) x, (N, D). A batch's gradient is the mean of its samples'."""
    return np.asarray((x @ weights - y)[:, None] * x)


def gradient(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """dE/dw, (D,)."""
    return np.asarray(sample_gradients(x, y, weights).mean(axis=0))


def expected_noise(x: np.ndarray, y: np.ndarray, weights: np.ndarray, *, batch: int) -> float:
    """Root mean square distance of a batch's gradient from that of all samples.

    sigma / sqrt(B), as for any mean of B: four times the batch has half the noise. Times sqrt((N - B) / (N - 1)),
    because a batch has no sample twice; so the full batch has none.
    """
    samples = len(x)
    variance = sample_gradients(x, y, weights).var(axis=0).sum()
    return float(np.sqrt(variance / batch * (samples - batch) / (samples - 1)))


def measured_noise(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, *, batch: int, draws: int, rng: np.random.Generator
) -> float:
    """The same distance, measured on `draws` random batches."""
    each = sample_gradients(x, y, weights)
    drawn = [each[rng.choice(len(x), batch, replace=False)].mean(axis=0) for _ in range(draws)]
    return float(np.sqrt(np.mean(np.sum((np.array(drawn) - each.mean(axis=0)) ** 2, axis=1))))


@dataclass(frozen=True)
class Descent:
    """The weights before the first update and after each, (updates + 1, D), and how many updates an epoch has."""

    path: np.ndarray
    steps: int


def falling(rate: float, update: int, *, decay: float) -> float:
    """rate / (1 + decay * update): a learning rate that starts at `rate` and is half of it after 1 / decay updates."""
    return rate / (1 + decay * update)


def descend(
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    *,
    batch: int,
    epochs: int,
    rate: float,
    rng: np.random.Generator,
    decay: float = 0.0,
) -> Descent:
    """Plain gradient descent with batches of `batch` samples.

    Args:
        x: inputs, (N, D).
        y: answers, (N,).
        rate: learning rate of the first update, above 0.
        decay: how fast the rate falls, see `falling`; 0 keeps it.
    """
    path = [start]
    for _ in range(epochs):
        for chosen in batches(len(x), batch, rng):
            now = falling(rate, len(path) - 1, decay=decay)
            path.append(path[-1] - now * gradient(x[chosen], y[chosen], path[-1]))
    return Descent(np.stack(path), steps_per_epoch(len(x), batch))
