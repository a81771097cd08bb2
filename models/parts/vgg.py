"""VGG16's convolutions, as detectors read them: any width, normalised or not, maps of images of any size."""

from __future__ import annotations

import keras
from keras import layers

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Filters at full width, and convolutions."""


def vgg16(x: keras.KerasTensor, *, width: float = 1.0, normalised: bool = False) -> dict[int, keras.KerasTensor]:
    """The thirteen convolutions on images (B, H, W, C): each block's last map, by how many pixels apart its cells are.

    Those are 1, 2, 4, 8 and 16; a map of step s has -(-H // s) rows. At full width, 14,714,688 parameters.

    Args:
        width: filters, of those that the paper has.
        normalised: whether batch normalisation follows each convolution.

    Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
    table 1, column D. Sizes are rounded up, as Caffe rounds them.
    """
    maps = {}
    for block, (filters, count) in enumerate(BLOCKS):
        x = layers.MaxPooling2D(2, padding="same")(x) if block else x  # 75 cells become 38
        for number in range(1, count + 1):
            x = convolution(x, filters, 3, width=width, normalised=normalised, name=f"conv{block + 1}_{number}")
        maps[2**block] = x
    return maps


def convolution(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    *,
    width: float,
    normalised: bool,
    name: str,
    step: int = 1,
    spread: int = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    """A convolution and ReLU, normalised between the two or not; at least eight filters."""
    filters = max(8, round(filters * width))
    if not normalised:
        convolve = layers.Conv2D(
            filters, size, strides=step, padding=padding, dilation_rate=spread, activation="relu", name=name
        )
        return convolve(x)
    convolve = layers.Conv2D(
        filters, size, strides=step, padding=padding, dilation_rate=spread, use_bias=False, name=name
    )
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_normalisation")(convolve(x))
    return layers.ReLU(name=f"{name}_relu")(x)
