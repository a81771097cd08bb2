"""The image that a filter or a class answers to most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from models.views.gradients import gradient
from models.views.twins import twin

GREY = 127.5


def filters(model: keras.Model, layer: str, numbers: list[int], *, steps: int = 60, seed: int = 0) -> np.ndarray:
    """An image for each filter of the layer called `layer`, whose map is as high as it gets: uint8 (filters, H, W, C).

    Args:
        layer: a ReLU, or one behind it: the mean of a map before it says little but how bright the image is.
        numbers: of the filters.
        steps: of gradient ascent.

    Source: Erhan et al., "Visualizing higher-layer features of a deep network", 2009; lesson on activation
    maximisation (block1_conv2 of VGG16).
    """
    copy = twin(model)
    asked = keras.Model(copy.inputs, copy.get_layer(layer).output)
    chosen = np.eye(asked.output.shape[-1], dtype=np.float32)[numbers]  # (B, filters)
    return climb(
        lambda x: ops.sum(ops.mean(asked(x, training=False), axis=(1, 2)) * chosen, axis=-1),
        model,
        len(numbers),
        steps,
        seed,
    )


def classes(model: keras.Model, numbers: list[int], *, steps: int = 120, seed: int = 0) -> np.ndarray:
    """An image for each class, whose logit is as high as it gets: uint8 (classes, H, W, C).

    Source: Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", ICLR 2014 workshop, section 2.
    """
    copy = twin(model)
    chosen = np.eye(copy.output.shape[-1], dtype=np.float32)[numbers]
    return climb(lambda x: ops.sum(copy(x, training=False) * chosen, axis=-1), model, len(numbers), steps, seed)


def climb(objective: Callable[[Any], Any], model: keras.Model, count: int, steps: int, seed: int) -> np.ndarray:
    """Go uphill from grey noise: uint8 (count, H, W, C).

    Each step is the gradient over its own size, long at first and short in the end. Total variation and distance from
    grey are held down, else what is found is high-frequency noise.
    """
    shape = (count, *model.inputs[0].shape[1:])
    image = GREY + np.random.default_rng(seed).normal(0, 10, shape).astype(np.float32)
    for step in range(steps):
        _, slope = gradient(objective, image)
        size = np.sqrt((slope**2).mean(axis=(1, 2, 3), keepdims=True)) + 1e-8
        length = 12 * (1 - step / steps) + 1
        image = image + length * (slope / size) - restraint(image)
        image = np.clip(image, 0, 255).astype(np.float32)
    return np.round(image).astype(np.uint8)


def restraint(image: np.ndarray, *, smooth: float = 0.01, grey: float = 0.002) -> np.ndarray:
    """The gradient of total variation (squared) and of the distance from grey (squared), weighed."""
    rough = np.zeros_like(image)
    for axis in (1, 2):
        across = np.diff(image, axis=axis)
        behind = [(0, 0)] * image.ndim
        behind[axis] = (0, 1)
        before = [(0, 0)] * image.ndim
        before[axis] = (1, 0)
        rough += np.pad(across, before) - np.pad(across, behind)
    return smooth * rough + grey * (image - GREY)
