"""Activations: values by hand, ranges, slopes against finite differences and Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.fundamentals.activations import (
    ACTIVATIONS,
    merge_linear,
    sigmoid,
    sigmoid_slope,
    softmax,
    softmax_jacobian,
    tanh_slope,
    threshold,
)

numbers = arrays.arrays(float, st.integers(1, 8), elements=st.floats(-30, 30))


def test_the_courses_values() -> None:
    assert sigmoid_slope(np.array(0.0)) == 0.25
    assert tanh_slope(np.array(0.0)) == 1
    np.testing.assert_array_equal(threshold(np.array([-1, 0, 1e-9])), [0, 0, 1])
    assert sigmoid(np.array(0.3775)) == pytest.approx(0.5932699921, abs=1e-10)


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu"])
@given(z=numbers)
def test_agrees_with_keras(name: str, z: np.ndarray) -> None:
    theirs = keras.ops.convert_to_numpy(keras.activations.get(name)(keras.ops.convert_to_tensor(z, "float64")))
    np.testing.assert_allclose(ACTIVATIONS[name].value(z), theirs, atol=1e-12)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@given(z=numbers)
def test_rises_and_stays_in_its_range(name: str, z: np.ndarray) -> None:
    one, (least, greatest) = ACTIVATIONS[name], ACTIVATIONS[name].range
    values = one.value(np.sort(z))
    assert (np.diff(values) >= 0).all()
    assert (one.slope(z) >= 0).all()
    assert (least <= values).all()
    assert (values <= greatest).all()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@given(z=numbers)
def test_slopes_are_what_finite_differences_find(name: str, z: np.ndarray) -> None:
    z = z[np.abs(z) > 1e-3]  # threshold and ReLU have no slope at 0
    one = ACTIVATIONS[name]
    np.testing.assert_allclose(one.slope(z), (one.value(z + 1e-6) - one.value(z - 1e-6)) / 2e-6, atol=1e-8)


def test_sigmoid_slope_is_positive_and_at_most_a_quarter() -> None:
    slopes = sigmoid_slope(np.linspace(-20, 20, 401))
    assert (slopes > 0).all()
    assert slopes.max() == slopes[200] == 0.25


@pytest.mark.filterwarnings("error")
def test_great_sums_overflow_nowhere() -> None:
    np.testing.assert_array_equal(sigmoid(np.array([-1e4, 1e4])), [0, 1])
    np.testing.assert_array_equal(softmax(np.array([-1e4, 1e4])), [0, 1])


@given(z=numbers, shift=st.floats(-50, 50))
def test_softmax_is_a_probability_that_a_shift_does_not_change(z: np.ndarray, shift: float) -> None:
    p = softmax(z)
    assert p.sum() == pytest.approx(1)
    assert (p >= 0).all()
    np.testing.assert_allclose(softmax(z + shift), p, atol=1e-12)
    np.testing.assert_allclose(softmax(np.stack([z, z])), np.stack([p, p]), atol=1e-15)


def test_two_classes_of_softmax_are_a_sigmoid() -> None:
    np.testing.assert_allclose(softmax(np.array([1.7, 0.4])), [sigmoid(np.array(1.3)), sigmoid(np.array(-1.3))])


@given(z=arrays.arrays(float, 4, elements=st.floats(-5, 5)))
def test_softmax_jacobian_is_what_finite_differences_find(z: np.ndarray) -> None:
    found = np.stack([(softmax(z + h) - softmax(z - h)) / 2e-6 for h in 1e-6 * np.eye(4)], axis=1)
    np.testing.assert_allclose(softmax_jacobian(z), found, atol=1e-8)


@given(seed=st.integers(0, 10_000))
def test_two_linear_layers_are_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, w, b, v, c = (rng.normal(size=shape) for shape in ((5, 3), (3, 4), 4, (4, 2), 2))
    weights, biases = merge_linear((w, b), (v, c))
    np.testing.assert_allclose(x @ weights + biases, (x @ w + b) @ v + c, atol=1e-12)
