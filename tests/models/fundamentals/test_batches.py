"""Batch size: the course's own counts, the noise of a batch's gradient, and the full batch as the noiseless end."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fundamentals import batches as b

X, Y = b.generated_line(256, seed=0)
START = np.array([-1.0, 0.0])


@pytest.mark.parametrize(
    ("samples", "batch", "steps"),
    [(54_000, 128, 422), (40_000, 32, 1250), (103_718, 128, 811), (10, 10, 1), (10, 1, 10)],
)
def test_steps_per_epoch_of_the_courses_logs(samples: int, batch: int, steps: int) -> None:
    assert b.steps_per_epoch(samples, batch) == steps


@given(samples=st.integers(1, 200), batch=st.integers(1, 250), seed=st.integers(0, 99))
def test_an_epoch_shows_every_sample_once(samples: int, batch: int, seed: int) -> None:
    parts = list(b.batches(samples, batch, np.random.default_rng(seed)))
    assert len(parts) == b.steps_per_epoch(samples, batch)
    assert all(len(part) == batch for part in parts[:-1])
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(samples))


def test_epochs_are_shuffled_anew() -> None:
    rng = np.random.default_rng(0)
    first, second = (np.concatenate(list(b.batches(50, 8, rng))) for _ in range(2))
    assert not np.array_equal(first, second)


def test_the_gradient_is_what_finite_differences_find() -> None:
    steps = 1e-6 * np.eye(2)
    tried = [(b.error(X, Y, START + step) - b.error(X, Y, START - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(b.gradient(X, Y, START), tried, atol=1e-8)


@pytest.mark.parametrize("batch", [1, 4, 16, 64])
def test_noise_falls_with_the_root_of_the_batch(batch: int) -> None:
    expected = b.expected_noise(X, Y, START, batch=batch)
    measured = b.measured_noise(X, Y, START, batch=batch, draws=4000, rng=np.random.default_rng(1))
    assert measured == pytest.approx(expected, rel=0.05)
    alone = b.expected_noise(X, Y, START, batch=1)
    assert expected == pytest.approx(alone / np.sqrt(batch) * np.sqrt((256 - batch) / 255))


def test_noise_by_hand() -> None:
    """Two samples whose gradients are 1 and 3: a batch of one is 1 away from their mean, always."""
    x, y, w = np.ones((2, 1)), np.array([-1.0, -3.0]), np.zeros(1)
    assert b.expected_noise(x, y, w, batch=1) == pytest.approx(1)
    assert b.measured_noise(x, y, w, batch=1, draws=10, rng=np.random.default_rng(0)) == pytest.approx(1)


def test_the_full_batch_has_no_noise() -> None:
    assert b.expected_noise(X, Y, START, batch=256) == 0
    paths = [
        b.descend(X, Y, START, batch=256, epochs=20, rate=0.5, rng=np.random.default_rng(seed)).path for seed in (1, 2)
    ]
    np.testing.assert_allclose(paths[0], paths[1], atol=1e-12)


@pytest.mark.parametrize(("batch", "updates"), [(1, 768), (100, 9), (256, 3)])
def test_updates_are_steps_times_epochs(batch: int, updates: int) -> None:
    done = b.descend(X, Y, START, batch=batch, epochs=3, rate=0.1, rng=np.random.default_rng(0))
    assert len(done.path) == updates + 1
    assert 3 * done.steps == updates


def test_small_batches_are_nearer_after_one_epoch_and_restless_after_many() -> None:
    best = np.linalg.lstsq(X, Y, rcond=None)[0]

    def distances(batch: int, epochs: int) -> np.ndarray:
        path = b.descend(X, Y, START, batch=batch, epochs=epochs, rate=0.1, rng=np.random.default_rng(0)).path
        return np.linalg.norm(path - best, axis=1)

    assert distances(1, 1)[-1] < distances(256, 1)[-1] / 3
    assert distances(1, 200)[-256:].mean() > 10 * distances(256, 200)[-1]


def test_a_falling_rate_is_that_of_keras() -> None:
    theirs = keras.optimizers.schedules.InverseTimeDecay(0.5, decay_steps=1, decay_rate=0.125)
    for update in (0, 1, 8, 1000):
        assert b.falling(0.5, update, decay=0.125) == pytest.approx(float(theirs(update)), abs=1e-6)


def test_a_falling_rate_brings_single_samples_to_rest() -> None:
    best = np.linalg.lstsq(X, Y, rcond=None)[0]

    def restlessness(decay: float) -> float:
        rng = np.random.default_rng(0)
        path = b.descend(X, Y, START, batch=1, epochs=40, rate=0.1, rng=rng, decay=decay).path
        return float(np.linalg.norm(path[-256:] - best, axis=1).mean())

    assert restlessness(0.01) < restlessness(0) / 3
