"""Recall over a gap: what is asked, that its gradient is right, and who learns it."""

from __future__ import annotations

import numpy as np
import pytest

from models.fundamentals import gap, recurrent
from models.fundamentals.recurrent import CELLS, Weights


def test_a_sequence_is_a_symbol_and_others_that_are_none() -> None:
    x, first = gap.sequences(3, 50, np.random.default_rng(0))
    assert x.shape == (50, 4, 8)
    assert (x.sum(axis=2) == 1).all()
    symbols = x.argmax(axis=2)
    np.testing.assert_array_equal(symbols[:, 0], first)
    assert set(first) == {0, 1, 2, 3}
    assert set(symbols[:, 1:].ravel()) == {4, 5, 6, 7}


@pytest.mark.parametrize("name", CELLS)
def test_the_gradient_is_the_slope_of_the_error(name: str) -> None:
    rng = np.random.default_rng(0)
    network = gap.initial(CELLS[name], 3, rng)
    x, first = gap.sequences(4, 6, rng)
    found = gap.gradients(network, x, first)

    def error(by: float) -> float:
        kernel, last = network.weights.kernel.copy(), network.last.copy()
        kernel[1, 2] += by
        last[0, 1] += by
        weights = Weights(kernel, *network.weights[1:])
        return gap.gradients(gap.Network(network.cell, weights, last), x, first).error

    slope = (error(1e-6) - error(-1e-6)) / 2e-6
    assert found.blame.weights.kernel[1, 2] + found.last[0, 1] == pytest.approx(slope, rel=1e-4)


def test_an_untrained_network_answers_by_chance() -> None:
    rng = np.random.default_rng(0)
    network = gap.initial(CELLS["GRU"], 8, rng)
    error = gap.gradients(network, *gap.sequences(10, 500, rng)).error
    assert error == pytest.approx(np.log(4), abs=0.4)
    assert gap.accuracy(network, *gap.sequences(10, 500, rng)) < 0.6


def test_long_gradients_are_shortened_together() -> None:
    long = gap.shortened([np.array([3.0]), np.array([[4.0]])])
    np.testing.assert_allclose(np.concatenate([one.ravel() for one in long]), [0.6, 0.8])
    np.testing.assert_array_equal(gap.shortened([np.array([0.3])])[0], [0.3])


def test_training_ends_when_the_error_is_small() -> None:
    assert not gap.is_small([0.01] * 19)
    assert gap.is_small([1.0] + [0.01] * 20)
    assert not gap.is_small([0.01] * 19 + [0.06])


def test_what_comes_back_through_a_simple_network_shrinks_step_by_step() -> None:
    """U is half the identity and the states are zeros: every step back is a half of the one after it."""
    cell = CELLS["simple RNN"]
    weights = Weights(np.zeros((8, 2)), 0.5 * np.eye(2), np.zeros(2))
    network = gap.Network(cell, weights, np.random.default_rng(0).normal(size=(2, 4)))
    lengths = gap.by_step(network, *gap.sequences(5, 4, np.random.default_rng(0)))
    np.testing.assert_allclose(lengths / lengths[0], 0.5 ** np.arange(6))


def test_over_a_short_gap_a_gru_learns_to_recall() -> None:
    rng = np.random.default_rng(0)
    start = gap.initial(recurrent.CELLS["GRU"], 12, rng)
    trained = gap.train(start, longest=5, updates=300, batch=32, rate=0.02, rng=rng)
    assert len(trained.errors) < 300
    assert gap.accuracy(trained.network, *gap.sequences(5, 300, rng)) > 0.98
