"""Convolutions of Darknet and SSD's normalised map, against plain loops and numbers by hand."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from models.fundamentals.convolution import convolve
from models.parts.convolutions import L2Normalization, convolution, residual
from models.views.gradients import gradient


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def set_at_random(model: keras.Model) -> None:
    """Weights that no initialiser would give, so that each of them matters; variances are positive."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in model.get_weights()])


def by_hand(maps: np.ndarray, weights: list[np.ndarray], *, strides: int = 1, slope: float) -> np.ndarray:
    kernel, gamma, beta, mean, variance = weights
    margin = kernel.shape[0] // 2
    padded = np.pad(maps, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    found = convolve(padded, kernel, strides=(strides, strides))
    found = gamma * (found - mean) / np.sqrt(variance + 1e-5) + beta
    return np.where(found > 0, found, slope * found)


@pytest.mark.parametrize(
    ("size", "strides", "slope", "shape"),
    [(3, 1, 0.1, (5, 6)), (1, 1, 0.0, (5, 6)), (3, 2, 0.1, (3, 3)), (7, 2, 0.1, (3, 3))],
)
def test_convolution_by_loops(size: int, strides: int, slope: float, shape: tuple[int, int]) -> None:
    inputs = layers.Input((5, 6, 2))
    model = keras.Model(inputs, convolution(inputs, 4, size, strides=strides, slope=slope))
    set_at_random(model)
    maps = drawn(2, 5, 6, 2)
    given = ops.convert_to_numpy(model(maps, training=False))
    assert given.shape == (2, *shape, 4)
    assert (given <= 0).any()
    np.testing.assert_allclose(
        given, by_hand(maps, model.get_weights(), strides=strides, slope=slope), rtol=1e-4, atol=1e-4
    )


def test_residual_by_loops() -> None:
    inputs = layers.Input((4, 5, 6))
    model = keras.Model(inputs, residual(inputs, slope=0.2))
    set_at_random(model)
    maps = drawn(2, 4, 5, 6)
    narrow = by_hand(maps, model.get_weights()[:5], slope=0.2)
    assert narrow.shape[-1] == 3
    expected = maps + by_hand(narrow, model.get_weights()[5:], slope=0.2)
    np.testing.assert_allclose(ops.convert_to_numpy(model(maps, training=False)), expected, rtol=1e-4, atol=1e-4)


def test_parameters_of_darknet53_s_first_stage() -> None:
    """3x3 to 32, 3x3 to 64 by two, and one block: windows and, for each filter, four of normalisation."""
    inputs = layers.Input((16, 16, 3))
    x = residual(convolution(convolution(inputs, 32, 3), 64, 3, strides=2))
    pairs = [(27, 32), (288, 64), (64, 32), (288, 64)]
    assert x.shape == (None, 8, 8, 64)
    assert keras.Model(inputs, x).count_params() == sum((window + 4) * filters for window, filters in pairs)


def test_momentum_reaches_every_normalisation() -> None:
    inputs = layers.Input((4, 4, 2))
    model = keras.Model(inputs, residual(convolution(inputs, 2, 3, momentum=0.5), momentum=0.5))
    found = [layer.momentum for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    assert found == [0.5] * 3


def test_names_begin_with_the_one_that_is_given() -> None:
    inputs = layers.Input((4, 4, 2))
    model = keras.Model(inputs, residual(convolution(inputs, 2, 3, strides=2, name="down"), name="block"))
    assert [layer.name for layer in model.layers[1:]] == [
        "down_margin",
        "down_convolution",
        "down_normalisation",
        "down",
        "block_narrow_convolution",
        "block_narrow_normalisation",
        "block_narrow",
        "block_wide_convolution",
        "block_wide_normalisation",
        "block_wide",
        "block",
    ]


def test_l2_normalization_by_hand() -> None:
    """Length 5 becomes 20 in all; then each feature has its own factor."""
    layer = L2Normalization()
    maps = np.array([[[[3.0, 4.0], [0.0, -2.0]]]])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(maps)), [[[[12, 16], [0, -20]]]], rtol=1e-6)
    layer.set_weights([np.array([1.0, 10.0])])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(maps)), [[[[0.6, 8], [0, -10]]]], rtol=1e-6)
    assert layer.trainable_weights


def test_l2_normalization_of_zeros_has_a_gradient() -> None:
    layer = L2Normalization(scale=3.0)
    given, slope = gradient(lambda x: ops.sum(layer(x), axis=(1, 2, 3)), np.zeros((1, 1, 2, 4)))
    assert given == [0]
    assert np.isfinite(slope).all()


def test_all_of_it_can_be_saved(tmp_path: Path) -> None:
    inputs = layers.Input((6, 6, 2))
    x = L2Normalization(scale=7.0, name="normalised")(residual(convolution(inputs, 4, 3, strides=2)))
    model = keras.Model(inputs, x)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.get_layer("normalised").scale == 7
    maps = drawn(2, 6, 6, 2)
    np.testing.assert_array_equal(again.predict(maps, verbose=0), model.predict(maps, verbose=0))
