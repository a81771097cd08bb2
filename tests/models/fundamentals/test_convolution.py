"""Convolution and pooling by plain loops, against Keras's layers over many shapes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fundamentals import convolution as conv

sides, windows, strides = st.integers(1, 9), st.integers(1, 4), st.integers(1, 3)
paddings = st.sampled_from(["valid", "same"])
few = settings(max_examples=40, deadline=None)


def test_3x3_on_5x5_has_nine_places() -> None:
    assert conv.output_size(5, 3) == 3
    assert sum(len(row) for row in conv.places((5, 5), (3, 3))) == 9


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "places"),
    [
        (28, 3, 1, "valid", 26),
        (26, 2, 2, "valid", 13),
        (5, 3, 2, "valid", 2),
        (5, 3, 1, "same", 5),
        (5, 3, 2, "same", 3),
        (6, 3, 2, "valid", 2),
    ],
)
def test_output_sizes_by_hand(size: int, window: int, stride: int, padding: str, places: int) -> None:
    assert conv.output_size(size, window, stride=stride, padding=padding) == places


def test_says_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"Received: 3 for size 2"):
        conv.output_size(2, 3)
    with pytest.raises(ValueError, match=r"valid or same. Received: 'full'"):
        conv.output_size(5, 3, padding="full")


def test_by_hand() -> None:
    """1 to 9 in a square under [[1, 0], [0, -1]]: each pixel less its neighbour down and right, always -4."""
    image = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    kernel = np.array([[1.0, 0], [0, -1]]).reshape(2, 2, 1, 1)
    np.testing.assert_array_equal(conv.convolve(image, kernel).squeeze(), [[-4, -4], [-4, -4]])
    np.testing.assert_array_equal(conv.max_pool(image, strides=(1, 1)).squeeze(), [[5, 6], [8, 9]])
    np.testing.assert_array_equal(conv.average_pool(image, strides=(1, 1)).squeeze(), [[3, 4], [6, 7]])


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@few
@given(
    height=sides,
    width=sides,
    window=st.tuples(windows, windows),
    stride=strides,
    padding=paddings,
    channels=st.integers(1, 3),
    filters=st.integers(1, 3),
    seed=st.integers(0, 999),
)
def test_convolve_agrees_with_keras(
    height: int,
    width: int,
    window: conv.Pair,
    stride: int,
    padding: str,
    channels: int,
    filters: int,
    seed: int,
) -> None:
    if padding == "valid" and (window[0] > height or window[1] > width):
        return
    images = drawn((2, height, width, channels), seed)
    layer = keras.layers.Conv2D(filters, window, strides=stride, padding=padding)
    layer.build(images.shape)
    layer.set_weights([drawn((*window, channels, filters), seed + 1), drawn((filters,), seed + 2)])
    theirs = keras.ops.convert_to_numpy(layer(images))
    ours = conv.convolve(images, *layer.get_weights(), strides=(stride, stride), padding=padding)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    expected = [
        conv.output_size(n, k, stride=stride, padding=padding) for n, k in zip((height, width), window, strict=True)
    ]
    assert list(ours.shape) == [2, *expected, filters]


@few
@given(height=sides, width=sides, window=st.tuples(windows, windows), stride=strides, padding=paddings)
@pytest.mark.parametrize(
    ("pool", "layer"),
    [(conv.max_pool, keras.layers.MaxPooling2D), (conv.average_pool, keras.layers.AveragePooling2D)],
)
def test_pooling_agrees_with_keras(
    pool: object, layer: type, height: int, width: int, window: conv.Pair, stride: int, padding: str
) -> None:
    if padding == "valid" and (window[0] > height or window[1] > width):
        return
    images = drawn((2, height, width, 2), height + 10 * width)
    theirs = keras.ops.convert_to_numpy(layer(window, strides=stride, padding=padding)(images))
    ours = pool(images, window, strides=(stride, stride), padding=padding)  # type: ignore[operator]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_pooling_is_2x2_with_stride_2_by_default() -> None:
    images = drawn((1, 5, 6, 1), 0)
    np.testing.assert_allclose(conv.max_pool(images), keras.ops.convert_to_numpy(keras.layers.MaxPooling2D()(images)))


def test_a_shifted_image_has_a_shifted_answer() -> None:
    image = np.zeros((1, 8, 8, 1))
    image[0, 2:4, 2:4] = drawn((2, 2, 1), 5)
    kernel = drawn((3, 3, 1, 2), 6)
    moved = conv.convolve(np.roll(image, (1, 2), axis=(1, 2)), kernel)
    np.testing.assert_allclose(moved[:, 1:, 2:], conv.convolve(image, kernel)[:, :-1, :-2])


def test_pixels_may_be_bytes_and_a_missing_one_is_not_passed_over() -> None:
    image = np.full((1, 3, 3, 1), 200, dtype=np.uint8)
    np.testing.assert_array_equal(conv.max_pool(image, padding="same"), np.full((1, 2, 2, 1), 200))
    np.testing.assert_array_equal(conv.average_pool(image, padding="same"), np.full((1, 2, 2, 1), 200))
    np.testing.assert_array_equal(conv.convolve(image, np.ones((3, 3, 1, 1))), [[[[1800]]]])
    broken = np.array([[np.nan, 1], [1, 1]]).reshape(1, 2, 2, 1)
    assert np.isnan(conv.average_pool(broken)).all()
