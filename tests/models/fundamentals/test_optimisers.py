"""Every update rule, over several steps, against keras.optimizers with the same settings."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from models.fundamentals import optimisers
from models.fundamentals.optimisers import RULES, descend

THEIRS = {
    "SGD": lambda **settings: keras.optimizers.SGD(**settings),
    "momentum": lambda **settings: keras.optimizers.SGD(**{"momentum": 0.9, **settings}),
    "Nesterov": lambda **settings: keras.optimizers.SGD(**{"momentum": 0.9, **settings}, nesterov=True),
    "Adagrad": keras.optimizers.Adagrad,
    "RMSprop": keras.optimizers.RMSprop,
    "Adadelta": keras.optimizers.Adadelta,
    "Adam": keras.optimizers.Adam,
    "Adamax": keras.optimizers.Adamax,
    "Ftrl": keras.optimizers.Ftrl,
}
OTHER = {
    "SGD": {},
    "momentum": {"momentum": 0.5},
    "Nesterov": {"momentum": 0.5},
    "Adagrad": {"initial_accumulator_value": 0.5, "epsilon": 1e-3},
    "RMSprop": {"rho": 0.5, "epsilon": 1e-3},
    "Adadelta": {"rho": 0.5, "epsilon": 1e-3},
    "Adam": {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 1e-3},
    "Adamax": {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 1e-3},
    "Ftrl": {
        "learning_rate_power": -0.75,
        "initial_accumulator_value": 0.5,
        "l1_regularization_strength": 0.5,
        "l2_regularization_strength": 0.25,
    },
}
EXACT = {"Adam": {"learning_rate": 0.125, "beta_1": 0.875, "beta_2": 1 - 2**-10}}
"""Keras rounds a rate and Adam's betas to float32, and 1 - 0.999^t loses four digits by that; these lose none."""

START = np.array([[0.5, -1.5], [2.0, 0.1]])


def slope(weights: np.ndarray) -> np.ndarray:
    """Of 1/2 w^2 with a different curvature for each weight, and something that turns it about."""
    return np.array([[1.0, 0.1], [3.0, 0.5]]) * weights + 0.3 * np.sin(5 * weights)


def keras_path(name: str, steps: int, settings: dict[str, float]) -> np.ndarray:
    optimiser, weights = THEIRS[name](**settings), keras.Variable(START, dtype="float64")
    path = [START]
    for _ in range(steps):
        optimiser.apply([keras.ops.convert_to_tensor(slope(path[-1]), "float64")], [weights])
        path.append(keras.ops.convert_to_numpy(weights))
    return np.stack(path)


def test_there_is_a_keras_optimiser_for_each() -> None:
    assert list(THEIRS) == list(OTHER) == list(RULES)


@pytest.mark.parametrize("name", list(RULES))
def test_agrees_with_keras_for_twenty_steps(name: str) -> None:
    settings = EXACT.get(name, {"learning_rate": 0.125})
    ours, theirs = descend(slope, START, RULES[name], steps=20, **settings), keras_path(name, 20, settings)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert np.abs(np.diff(ours, axis=0)).max() > 1e-4


@pytest.mark.parametrize("name", list(RULES))
def test_agrees_with_keras_at_other_settings(name: str) -> None:
    settings = {"learning_rate": 0.0625, **OTHER[name]}
    ours, theirs = descend(slope, START, RULES[name], steps=20, **settings), keras_path(name, 20, settings)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("name", list(RULES))
def test_has_the_defaults_of_keras(name: str) -> None:
    np.testing.assert_allclose(descend(slope, START, RULES[name], steps=5), keras_path(name, 5, {}), atol=1e-6)


@pytest.mark.parametrize("name", list(RULES))
def test_changes_nothing_that_it_is_given(name: str) -> None:
    weights, gradient = START.copy(), slope(START)
    before = gradient.copy()
    _, state = RULES[name](weights, gradient, {})
    kept = {key: np.copy(value) for key, value in state.items()}
    RULES[name](weights, gradient, state)
    np.testing.assert_array_equal(weights, START)
    np.testing.assert_array_equal(gradient, before)
    for key, value in state.items():
        np.testing.assert_array_equal(value, kept[key])


def test_first_steps_by_hand() -> None:
    w, g = np.array([1.0]), np.array([4.0])
    assert optimisers.sgd(w, g, {}, learning_rate=0.1)[0] == pytest.approx(0.6)
    again, state = optimisers.momentum(w, g, {}, learning_rate=0.1, momentum=0.5)
    assert again == pytest.approx(0.6)
    assert optimisers.momentum(again, g, state, learning_rate=0.1, momentum=0.5)[0] == pytest.approx(0.0)
    assert optimisers.nesterov(w, g, {}, learning_rate=0.1, momentum=0.5)[0] == pytest.approx(0.4)
    assert optimisers.adam(w, g, {}, learning_rate=0.1)[0] == pytest.approx(0.9)  # the first step is the rate
    assert optimisers.adamax(w, g, {}, learning_rate=0.1)[0] == pytest.approx(0.9)
    assert optimisers.rmsprop(w, g, {}, learning_rate=0.1, rho=0.75)[0] == pytest.approx(0.8)


def test_ftrl_makes_exact_zeros() -> None:
    small, _ = optimisers.ftrl(np.zeros(2), np.array([0.3, 3.0]), {}, learning_rate=0.1, l1_regularization_strength=1.0)
    assert small[0] == 0
    assert small[1] < 0
