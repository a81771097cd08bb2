"""Convolution and pooling with plain loops over the places of the window: slow, and easy to believe.

As Keras has it, the window is not flipped (a cross-correlation), images are (B, H, W, C) and kernels (h, w, C, F).

Lesson: convolutional layers, strides, padding and pooling.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Pair = tuple[int, int]


def output_size(size: int, window: int, *, stride: int = 1, padding: str = "valid") -> int:
    """How many places a window has along one side.

    Valid: floor((size - window) / stride) + 1, all inside. Same: ceil(size / stride), however large the window is.

    Raises:
        ValueError: if the window does not fit, or `padding` is neither `"valid"` nor `"same"`.
    """
    if padding == "same":
        return -(-size // stride)
    if padding != "valid":
        raise ValueError(f"`padding` must be valid or same. Received: {padding!r}")
    if window > size:
        raise ValueError(f"`window` must fit into the input without padding. Received: {window} for size {size}")
    return (size - window) // stride + 1


def margins(size: int, window: int, *, stride: int = 1, padding: str = "valid") -> Pair:
    """How many pixels padding adds before and after one side; the odd one comes after."""
    if padding == "valid":
        return 0, 0
    count = output_size(size, window, stride=stride, padding=padding)
    missing = max((count - 1) * stride + window - size, 0)
    return missing // 2, missing - missing // 2


def pad(
    images: np.ndarray, window: Pair, *, strides: Pair = (1, 1), padding: str = "valid", value: float = 0.0
) -> np.ndarray:
    """`images` (B, H, W, C) with the margins that `padding` asks for, filled with `value`."""
    down, across = (
        margins(size, side, stride=stride, padding=padding)
        for size, side, stride in zip(images.shape[1:3], window, strides, strict=True)
    )
    return np.pad(images.astype(float), ((0, 0), down, across, (0, 0)), constant_values=value)


def places(shape: Pair, window: Pair, *, strides: Pair = (1, 1)) -> list[list[tuple[slice, slice]]]:
    """Every place of a window inside `shape`, row by row: the rows and the columns of pixels that it covers."""
    down, across = (
        [slice(stride * number, stride * number + side) for number in range(output_size(size, side, stride=stride))]
        for size, side, stride in zip(shape, window, strides, strict=True)
    )
    return [[(rows, columns) for columns in across] for rows in down]


def convolve(
    images: np.ndarray,
    kernels: np.ndarray,
    biases: np.ndarray | None = None,
    *,
    strides: Pair = (1, 1),
    padding: str = "valid",
) -> np.ndarray:
    """At each place the sum of pixels times kernel: how much the image there looks like it.

    Args:
        kernels: (h, w, C, F).
        biases: (F,), one for each kernel; none is zeros.

    Input shape: (B, H, W, C).
    Output shape: (B, rows, columns, F), see `output_size`.
    """
    window = kernels.shape[:2]
    padded = pad(images, window, strides=strides, padding=padding)
    summed = slide(padded, window, strides, lambda part: np.einsum("bhwc,hwcf->bf", part, kernels))
    return summed if biases is None else summed + biases


def max_pool(
    images: np.ndarray, window: Pair = (2, 2), *, strides: Pair | None = None, padding: str = "valid"
) -> np.ndarray:
    """The greatest value at each place, by channel; the strides are the window's size if none are given."""
    strides = strides or window
    padded = pad(images, window, strides=strides, padding=padding, value=-np.inf)
    return slide(padded, window, strides, lambda part: part.max(axis=(1, 2)))


def average_pool(
    images: np.ndarray, window: Pair = (2, 2), *, strides: Pair | None = None, padding: str = "valid"
) -> np.ndarray:
    """The mean at each place, by channel; pixels that padding added do not count."""
    strides = strides or window
    summed, counted = (
        slide(pad(one, window, strides=strides, padding=padding), window, strides, lambda part: part.sum(axis=(1, 2)))
        for one in (images, np.ones(images.shape))
    )
    return np.asarray(summed / counted)


def slide(images: np.ndarray, window: Pair, strides: Pair, answer: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What `answer` makes of the part (B, h, w, C) under each place of the window: (B, rows, columns, F)."""
    grid = places(images.shape[1:3], window, strides=strides)
    return np.stack([np.stack([answer(images[:, rows, columns]) for rows, columns in line], 1) for line in grid], 1)
