"""The weights of the first convolution, which are small pictures."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from models.views.twins import leaves, twin


def first(model: keras.Model) -> np.ndarray:
    """The kernels of the first convolution, each stretched to 0..255: uint8 (filters, k, k, C), C as of the images.

    They are shown in the colours of the images, whatever order and scale the network brings those in before.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, figure 6; lesson on
    what convolutional networks learn.
    """
    seen = np.einsum("klcf,ic->fkli", weights(first_convolution(model)), colours(model))
    low, high = (edge(seen, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
    return np.asarray(np.round(255 * (seen - low) / np.maximum(high - low, 1e-12)), dtype=np.uint8)


def colours(model: keras.Model) -> np.ndarray:
    """How much the first convolution gets, in each of its channels, from each channel of the image: (C, channels)."""
    copy = twin(model)
    before = keras.Model(copy.inputs, copy.get_layer(first_convolution(model).name).input)
    size = [side or 64 for side in model.inputs[0].shape[1:3]]
    lights = np.eye(model.inputs[0].shape[-1], dtype=np.float32)
    black_then_lights = np.concatenate([0 * lights[:1], lights])[:, np.newaxis, np.newaxis]
    given = before.predict(np.tile(black_then_lights, (1, *size, 1)), verbose=0).mean(axis=(1, 2))
    return np.asarray(given[1:] - given[0])


def noise(model: keras.Model) -> np.ndarray:
    """How noisy each kernel of the first convolution is: float (filters,), 0 for a constant one, 2 for white noise.

    The mean squared difference of neighbours over the variance. Filters that stay as noisy as they began have learnt
    too little, or by heart.

    Source: lesson on what convolutional networks learn, which asks for filters almost without noise; the number is
    ours.
    """
    kernels = np.moveaxis(weights(first_convolution(model)), -1, 0)
    spread = kernels.var(axis=(1, 2, 3))
    across, down = np.diff(kernels, axis=2), np.diff(kernels, axis=1)
    rough = ((across**2).mean(axis=(1, 2, 3)) + (down**2).mean(axis=(1, 2, 3))) / 2
    return np.asarray(np.divide(rough, spread, out=np.zeros_like(rough), where=spread > 0))


def first_convolution(model: keras.Model) -> Any:
    """The first layer of convolutions wider than a pixel.

    Raises:
        ValueError: if there is none.
    """
    for layer in leaves(model):
        if isinstance(layer, layers.Conv2D) and max(layer.kernel_size) > 1:
            return layer
    raise ValueError("this view takes a network with a convolution. Received one without")


def weights(layer: Any) -> np.ndarray:
    """The weights of a convolution, (k, k, C, filters)."""
    return np.asarray(keras.ops.convert_to_numpy(layer.kernel))
