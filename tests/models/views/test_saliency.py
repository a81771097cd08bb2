"""Which pixels an answer rests on: against gradients by hand, and where an object was planted."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import layers

from models.views import grad_cam, gradients, saliency, twins
from tests.models.views import networks


def linear() -> keras.Model:
    """Logits that are sums of pixels over 255: its slope is its weights, whatever the image."""
    model = keras.Sequential(
        [
            layers.Input((2, 2, 1), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.layers[-1].set_weights([np.array([[4.0, 0], [-8, 1], [0, 0], [2, -3]]), np.zeros(2)])
    return model


def test_it_does_not_fade_where_the_network_is_sure() -> None:
    """Behind a softmax of 1.0 there would be no slope; there is one, since the softmax is taken off."""
    model = linear()
    model.layers[-1].set_weights([100 * model.layers[-1].get_weights()[0], np.array([500.0, 0])])
    samples = np.full((1, 2, 2, 1), 200, dtype=np.uint8)
    assert model.predict(samples, verbose=0)[0, 0] == 1
    np.testing.assert_allclose(saliency.plain(model, samples, np.array([0])), [[[0.5, 1], [0, 0.25]]], atol=1e-6)


def test_the_largest_slope_of_a_channel_counts() -> None:
    model, samples, classes = networks.plain(), networks.images(), np.array([0, 3, 1])
    copy = twins.twin(model)
    chosen = np.eye(4, dtype=np.float32)[classes]
    _, slope = gradients.gradient(lambda x: keras.ops.sum(copy(x, training=False) * chosen, axis=-1), samples)
    highest = np.abs(slope).max(axis=-1)
    np.testing.assert_allclose(
        saliency.plain(model, samples, classes), highest / highest.max(axis=(1, 2), keepdims=True), atol=1e-6
    )


def test_guided_by_hand() -> None:
    """Two hidden units: 2 a - b, which feeds the class with -1, and a + b with 3; only the second passes, 3 and 3.

    Plain: 3 (1, 1) - (2, -1) = (1, 4).
    """
    model = keras.Sequential(
        [layers.Input((1, 2, 1), dtype="uint8"), layers.Flatten(), layers.Dense(2, activation="relu"), layers.Dense(1)]
    )
    model.set_weights([np.array([[2.0, 1], [-1, 1]]), np.zeros(2), np.array([[-1.0], [3.0]]), np.zeros(1)])
    samples = np.array([5, 1], dtype=np.uint8).reshape(1, 1, 2, 1)
    np.testing.assert_allclose(saliency.slope(twins.twin(model), samples, np.array([0])).ravel(), [1, 4])
    guided = saliency.slope(twins.twin(model, guided=True), samples, np.array([0]))
    np.testing.assert_allclose(guided.ravel(), [3, 3])
    np.testing.assert_allclose(saliency.guided(model, samples, np.array([0])), [[[1, 1]]])


@pytest.mark.parametrize("view", [saliency.plain, saliency.guided, grad_cam.grad_cam, grad_cam.cam])
def test_a_network_inside_changes_nothing(view: Any) -> None:
    whole, samples, classes = networks.pooled(), networks.images(), np.array([0, 3, 1])
    theirs, ours = (view(model, samples, classes) for model in (whole, networks.nested(whole)))
    assert ours.shape == (3, 12, 12)
    assert theirs.max() > 0
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@given(arrays.arrays(np.float32, (2, 3, 4), elements=st.floats(0, 100, width=32)))
def test_stretched_to_one_unless_there_is_nothing(heat: np.ndarray) -> None:
    found = saliency.stretched(heat)
    assert (found >= 0).all()
    np.testing.assert_array_equal(found.max(axis=(1, 2)), (heat.max(axis=(1, 2)) > 0).astype(float))
