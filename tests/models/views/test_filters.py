"""The first filters as pictures, in the colours of the images, and how noisy they are."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from models.views import filters
from tests.models.views import networks


def network(kernel: np.ndarray, *, channels: int = 3, flipped: bool = False) -> keras.Model:
    """A first convolution of that kernel, (k, k, 3, filters), behind a door that may turn RGB into BGR."""
    inputs = layers.Input((8, 8, channels), dtype="uint8")
    x = layers.Rescaling(1 / 255, offset=-0.4)(inputs)
    if channels == 1:
        x = layers.Concatenate()([x, x, x])
    x = ops.flip(x, axis=-1) if flipped else x
    x = layers.Conv2D(kernel.shape[-1], kernel.shape[0], padding="same", name="first")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.get_layer("first").set_weights([kernel, np.zeros(kernel.shape[-1])])
    return model


def red() -> np.ndarray:
    """A filter that likes its first channel in one corner."""
    kernel = np.zeros((3, 3, 3, 1))
    kernel[0, 0, 0] = 1
    return kernel


@pytest.mark.parametrize(("flipped", "channel"), [(False, 0), (True, 2)])
def test_colours_are_those_of_the_images(*, flipped: bool, channel: int) -> None:
    """The first channel of a network that takes BGR is blue."""
    seen = filters.first(network(red(), flipped=flipped))
    assert seen.shape == (1, 3, 3, 3)
    assert seen.dtype == np.uint8
    wanted = np.zeros((3, 3, 3))
    wanted[0, 0, channel] = 255
    np.testing.assert_array_equal(seen[0], wanted)


def test_grey_images_have_grey_filters() -> None:
    kernel = np.zeros((3, 3, 3, 1))
    kernel[1, 1] = np.array([1, 2, 3])[:, None]
    kernel[0, 0, 0], kernel[2, 2, 0] = 3, -6  # the centre weighs 6, the corners 3 and -6
    seen = filters.first(network(kernel, channels=1))
    assert seen.shape == (1, 3, 3, 1)
    assert seen[0, :, :, 0].diagonal().tolist() == [191, 255, 0]


def test_the_first_filters_of_a_network_inside() -> None:
    whole = networks.pooled()
    for view in (filters.first, filters.noise):
        np.testing.assert_allclose(view(networks.nested(whole)), view(whole), atol=1)
