"""Gradients against those by hand and by finite differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from models.views import gradients, twins
from tests.models.views import networks


def test_by_hand() -> None:
    """x squared times 3: value 3 x x, slope 6 x, for each sample by itself."""
    values, slope = gradients.gradient(lambda x: ops.sum(3 * x**2, axis=-1), np.array([[1.0, 2.0], [0.0, -1.0]]))
    np.testing.assert_allclose(values, [15, 3])
    np.testing.assert_allclose(slope, [[6, 12], [0, -6]])


def test_of_a_network_by_differences() -> None:
    """A network without kinks, so that a step to either side tells its slope."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Input((4, 4, 1)),
            keras.layers.Conv2D(3, 3, activation="tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    copy = twins.twin(model)
    at = np.random.default_rng(0).normal(size=(1, 4, 4, 1)).astype(np.float32)
    _, slope = gradients.gradient(lambda x: copy(x, training=False)[:, 0], at)
    for place in np.ndindex(4, 4):
        step = np.zeros_like(at)
        step[(0, *place, 0)] = 1e-2
        high, low = (copy.predict(at + sign * step, verbose=0).item() for sign in (1, -1))
        assert slope[(0, *place, 0)] == pytest.approx((high - low) / 2e-2, abs=2e-3)


def test_the_networks_slope_is_that_of_keras_own_backend() -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("compares with TensorFlow's tape")
    import tensorflow as tf

    copy = twins.twin(networks.plain())
    at = networks.images().astype(np.float32)
    with tf.GradientTape() as tape:
        x = tf.Variable(at)
        answer = copy(x)[:, 1]
    _, slope = gradients.gradient(lambda x: copy(x, training=False)[:, 1], at)
    np.testing.assert_allclose(slope, tape.gradient(answer, x), atol=1e-7)


def test_it_says_which_backends_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(NotImplementedError, match=r"tensorflow or jax.*torch"):
        gradients.gradient(lambda x: x, np.zeros(1))
