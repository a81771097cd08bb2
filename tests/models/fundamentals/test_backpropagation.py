"""Backpropagation: the course's worked example to ten digits, and gradients against automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fundamentals import backpropagation as bp
from models.fundamentals.activations import ACTIVATIONS
from models.fundamentals.perceptron import GATES, POINTS

FORWARD = bp.forward(bp.EXAMPLE_INPUT, bp.EXAMPLE_WEIGHTS)
GRADIENTS = bp.backward(bp.EXAMPLE_ANSWER, FORWARD, bp.EXAMPLE_WEIGHTS)
XOR_ANSWERS = GATES["XOR"][:, None]
TEN = {"rtol": 0, "atol": 5e-11}


class TestWorkedExample:
    def test_forward(self) -> None:
        np.testing.assert_allclose(FORWARD.sums[0], [[0.3775, 0.3925]], **TEN)
        np.testing.assert_allclose(FORWARD.inputs[1], [[0.5932699921, 0.5968843783, 1]], **TEN)
        np.testing.assert_allclose(FORWARD.output, [[0.7513650696]], **TEN)
        error = bp.half_squared_error(bp.EXAMPLE_ANSWER, FORWARD.output)
        assert error == pytest.approx(0.2748110832, abs=5e-11)

    def test_backward(self) -> None:
        _, output = bp.deltas(bp.EXAMPLE_ANSWER, FORWARD, bp.EXAMPLE_WEIGHTS)
        np.testing.assert_allclose(output, [[0.1384985616]], **TEN)
        np.testing.assert_allclose(GRADIENTS[1][:2, 0], [0.0821670406, 0.0826676278], **TEN)

    def test_the_outputs_delta_is_in_a_first_layer_gradient_once(self) -> None:
        """The course's text multiplies by it twice, and its factor 0.0965 is w a (1 - a)."""
        hidden, output = bp.deltas(bp.EXAMPLE_ANSWER, FORWARD, bp.EXAMPLE_WEIGHTS)
        assert hidden[0, 0] / output[0, 0] == pytest.approx(0.0965202834, abs=5e-11)
        assert GRADIENTS[0][0, 0] == pytest.approx(6.68396e-4, abs=5e-10)

    def test_update_without_rounding_on_the_way(self) -> None:
        first, second = bp.update(bp.EXAMPLE_WEIGHTS, GRADIENTS, rate=bp.EXAMPLE_RATE)
        np.testing.assert_allclose(second[:2, 0], [0.3589164797, 0.4086661861], **TEN)
        assert first[0, 0] == pytest.approx(0.1496658020, abs=5e-11)

    def test_the_error_falls(self) -> None:
        better = bp.update(bp.EXAMPLE_WEIGHTS, GRADIENTS, rate=bp.EXAMPLE_RATE)
        assert bp.error(bp.EXAMPLE_INPUT, bp.EXAMPLE_ANSWER, better) < 0.2748110832


def taped(x: np.ndarray, y: np.ndarray, weights: bp.Weights, activation: str) -> list[np.ndarray]:
    """The gradients that TensorFlow finds by itself."""
    layers, a = [tf.Variable(w) for w in weights], tf.constant(x)
    with tf.GradientTape() as tape:
        for w in layers:
            a = tf.concat([a, tf.ones((len(x), 1), "float64")], 1) if w.shape[0] > a.shape[1] else a
            a = getattr(tf.math, activation)(a @ w)
        error = 0.5 * tf.reduce_sum((y - a) ** 2) / len(x)
    return [gradient.numpy() for gradient in tape.gradient(error, layers)]


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), samples=st.integers(1, 5), hidden=st.lists(st.integers(1, 4), max_size=3))
def test_gradients_are_those_of_automatic_differentiation(
    activation: str, seed: int, samples: int, hidden: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    weights = bp.initial((2, *hidden, 2), seed=seed)
    x, y = rng.normal(size=(samples, 2)), rng.normal(size=(samples, 2))
    gone = bp.forward(x, weights, activation=ACTIVATIONS[activation])
    ours = bp.backward(y, gone, weights, activation=ACTIVATIONS[activation])
    for one, other in zip(ours, taped(x, y, weights, activation), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    tried = bp.finite_differences(x, y, weights, activation=ACTIVATIONS[activation])
    for one, other in zip(ours, tried, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)


def course_variant() -> bp.Weights:
    """The lesson's 2-3-1 network: three hidden units, and an output without a bias."""
    first, second = bp.initial((2, 3, 1), seed=3)
    return first, second[:3]


@pytest.mark.parametrize("weights", [bp.EXAMPLE_WEIGHTS, course_variant(), bp.initial((2, 3, 4, 2), seed=1)])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_unit_by_unit_is_the_same_as_in_matrices(weights: bp.Weights, activation: str) -> None:
    x, one = bp.EXAMPLE_INPUT, ACTIVATIONS[activation]
    y = np.full((1, weights[-1].shape[1]), 0.3)
    gone = bp.forward(x, weights, activation=one)
    by_unit = bp.backward_by_unit(y, gone, weights, activation=one)
    for ours, matrix, tape in zip(
        by_unit, bp.backward(y, gone, weights, activation=one), taped(x, y, weights, activation), strict=True
    ):
        np.testing.assert_allclose(ours, matrix, rtol=1e-12)
        np.testing.assert_allclose(ours, tape, atol=1e-12)


def test_unit_by_unit_takes_one_sample() -> None:
    gone = bp.forward(POINTS, bp.EXAMPLE_WEIGHTS)
    with pytest.raises(ValueError, match=r"one sample. Received: shape \(4, 1\)"):
        bp.backward_by_unit(XOR_ANSWERS, gone, bp.EXAMPLE_WEIGHTS)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_learns_xor_from_at_least_nine_of_ten_seeds(activation: str) -> None:
    one, solved = ACTIVATIONS[activation], 0
    for seed in range(10):
        start = bp.initial((2, 3, 1), seed=seed)
        trained = bp.train(POINTS, XOR_ANSWERS, start, rate=1, epochs=4999, tolerance=0.005, activation=one)
        given = bp.forward(POINTS, trained.weights, activation=one).output
        solved += bool(((given > 0.5) == XOR_ANSWERS).all())
    assert solved >= 9


def test_training_stops_on_tolerance_or_epochs() -> None:
    start = bp.initial((2, 3, 1), seed=0)
    early = bp.train(POINTS, XOR_ANSWERS, start, rate=1, epochs=5000, tolerance=0.01)
    assert early.converged
    assert early.errors[-1] <= 0.01 < early.errors[-2]
    assert early.errors[-1] == pytest.approx(bp.error(POINTS, XOR_ANSWERS, early.weights), abs=1e-15)
    short = bp.train(POINTS, XOR_ANSWERS, start, rate=1, epochs=7, tolerance=0.01)
    assert (short.converged, short.epochs, len(short.errors)) == (False, 7, 8)


def test_a_perturbed_weight_is_one() -> None:
    changed = bp.perturbed(bp.EXAMPLE_WEIGHTS, 0, (2, 1), 0.5)
    difference = [new - old for new, old in zip(changed, bp.EXAMPLE_WEIGHTS, strict=True)]
    assert [np.count_nonzero(layer) for layer in difference] == [1, 0]
    assert difference[0][2, 1] == pytest.approx(0.5)


def test_the_naive_way_lowers_the_error_and_moves_each_weight_against_its_gradient() -> None:
    naive = bp.naive_update(bp.EXAMPLE_INPUT, bp.EXAMPLE_ANSWER, bp.EXAMPLE_WEIGHTS, step=0.01)
    assert bp.error(bp.EXAMPLE_INPUT, bp.EXAMPLE_ANSWER, naive) < 0.2748110832
    for new, old, gradient in zip(naive, bp.EXAMPLE_WEIGHTS, GRADIENTS, strict=True):
        np.testing.assert_allclose(new - old, -0.01 * np.sign(gradient), atol=1e-12)
