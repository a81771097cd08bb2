"""The convolutions of Darknet-19 and Darknet-53, that classifiers and YOLO read.

Papers: Redmon and Farhadi, "YOLO9000: Better, faster, stronger", CVPR 2017, table 6; "YOLOv3: An incremental
improvement", 2018, table 1.
"""

from __future__ import annotations

import keras
from keras import layers

from models.parts.convolutions import convolution, residual

STAGES = ((1, 1), (2, 1), (4, 3), (8, 3), (16, 5), (32, 5))
"""Before each pooling, and after the last: how many times `width` maps, and how many convolutions."""

BLOCKS = (1, 2, 8, 8, 4)
"""Residual blocks of each stage; a stage has half the height and width of the one before, and twice its maps."""


def darknet19(x: keras.KerasTensor, *, width: int = 32, momentum: float = 0.99) -> dict[int, keras.KerasTensor]:
    """Eighteen convolutions on images (B, H, W, C): each size's last maps, by how many pixels apart their cells are.

    At 1, 2, 4, 8, 16 and 32 pixels they are 1, 2, 4, 8, 16 and 32 times `width`. Of YOLOv2, 16 is the passthrough.

    Args:
        width: maps of the first convolution; the last have 32 times as many.
        momentum: of the mean and variance that inference uses; less where training has few steps.
    """
    maps: dict[int, keras.KerasTensor] = {}
    for times, count in STAGES:
        x = layers.MaxPooling2D(2)(x) if maps else x
        x = maps[times] = in_turn(x, times * width, count, momentum=momentum)
    return maps


def in_turn(x: keras.KerasTensor, filters: int, count: int, *, momentum: float) -> keras.KerasTensor:
    """So many convolutions, 3x3 and 1x1 in turn; those of 1x1 have half as many maps."""
    for number in range(count):
        narrow = number % 2
        x = convolution(x, filters // 2 if narrow else filters, 1 if narrow else 3, momentum=momentum)
    return x


def darknet53(
    x: keras.KerasTensor, *, width: int = 32, blocks: tuple[int, ...] = BLOCKS, momentum: float = 0.99
) -> dict[int, keras.KerasTensor]:
    """Fifty-two convolutions on images (B, H, W, C): each stage's last maps, by how many pixels apart their cells are.

    At 2, 4, 8, 16 and 32 pixels they are 2, 4, 8, 16 and 32 times `width`. YOLOv3 takes the last three.

    Args:
        width, momentum: as those of `darknet19`.
        blocks: residual blocks of each of the five stages.
    """
    maps: dict[int, keras.KerasTensor] = {}
    x = convolution(x, width, 3, momentum=momentum)  # (B, 256, 256, 32)
    for number, count in enumerate(blocks, start=1):
        x = maps[2**number] = halved(x, 2**number * width, count, momentum=momentum)
    return maps


def halved(x: keras.KerasTensor, filters: int, count: int, *, momentum: float) -> keras.KerasTensor:
    """A convolution that halves the maps, and so many residual blocks."""
    x = convolution(x, filters, 3, strides=2, momentum=momentum)
    for _ in range(count):
        x = residual(x, momentum=momentum)
    return x
