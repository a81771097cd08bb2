"""The convolutions of AlexNet, that its classifier and R-CNN read.

Paper: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NeurIPS 2012.
"""

from __future__ import annotations

import keras
from keras import layers, ops

KERNEL, LEAST = 11, 15
"""Cells of the first convolution's window, and of its maps at least, so that three poolings leave one cell."""


def trunk(x: keras.KerasTensor, *, width: int = 32, stride: int = 4) -> dict[int, keras.KerasTensor]:
    """The convolutions on images (B, H, W, C): maps by how many pixels apart their cells are, 8, 16 and 32.

    Those are the second convolution's, the fifth's, and the last pooling's, which the dense layers read.

    Args:
        width: what all layers are multiples of, even.
        stride: of the first convolution, in pixels; the maps are 2, 4 and 8 times that apart.
    """
    x = layers.Conv2D(3 * width, KERNEL, strides=stride, activation="relu")(x)  # (B, 55, 55, 96)
    x = pooled(normalised(x))  # (B, 27, 27, 96)
    second = grouped(x, 8 * width, 5)  # (B, 27, 27, 256)
    x = pooled(normalised(second))  # (B, 13, 13, 256)
    x = layers.Conv2D(12 * width, 3, padding="same", activation="relu")(x)  # (B, 13, 13, 384)
    x = grouped(x, 12 * width, 3)
    fifth = grouped(x, 8 * width, 3)  # (B, 13, 13, 256)
    return {2 * stride: second, 4 * stride: fifth, 8 * stride: pooled(fifth)}  # (B, 6, 6, 256)


def grouped(x: keras.KerasTensor, filters: int, size: int) -> keras.KerasTensor:
    """A convolution in two groups, figure 2: half of the filters see half of the maps.

    Two layers, since one with `groups=2` runs on TensorFlow's CPU only through XLA, and cannot be exported to ONNX.
    """
    halves = [
        layers.Conv2D(filters // 2, size, padding="same", activation="relu")(half) for half in ops.split(x, 2, axis=-1)
    ]
    return layers.Concatenate()(halves)


def pooled(x: keras.KerasTensor) -> keras.KerasTensor:
    """The highest of overlapping windows, section 3.4."""
    return layers.MaxPooling2D(3, strides=2)(x)


def normalised(x: keras.KerasTensor) -> keras.KerasTensor:
    """Each value divided by what it and two maps on either side have in its cell: maps (B, h, w, D) as they were.

    Source: section 3.3, local response normalisation, with the paper's k = 2, n = 5, alpha = 1e-4 and beta = 0.75.
    """
    depth = x.shape[-1]
    squares = ops.pad(ops.square(x), [[0, 0], [0, 0], [0, 0], [2, 2]])
    near = sum(squares[..., shift : shift + depth] for shift in range(5))
    return x / (2 + 1e-4 * near) ** 0.75
