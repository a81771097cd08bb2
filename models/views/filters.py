"""The weights of the first convolution, which are small pictures."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers


def first(model: keras.Model) -> np.ndarray:
    """The kernels of the first convolution, each stretched to 0..255: uint8 (filters, k, k, C), C 1 or 3.

    Kernels over other numbers of channels than 1 and 3 are shown by their mean over the channels.
    """
    kernels = np.moveaxis(kernel(model), -1, 0)  # (filters, k, k, C)
    if kernels.shape[-1] not in (1, 3):
        kernels = kernels.mean(axis=-1, keepdims=True)
    low, high = (edge(kernels, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
    return np.asarray(np.round(255 * (kernels - low) / np.maximum(high - low, 1e-12)), dtype=np.uint8)


def noise(model: keras.Model) -> np.ndarray:
    """How noisy each kernel of the first convolution is: float (filters,), 0 for a constant one, 2 for white noise.

    The mean squared difference of neighbours over the variance. Filters that stay as noisy as they began have learnt
    too little, or by heart.
    """
    kernels = np.moveaxis(kernel(model), -1, 0)
    spread = kernels.var(axis=(1, 2, 3))
    across, down = np.diff(kernels, axis=2), np.diff(kernels, axis=1)
    rough = ((across**2).mean(axis=(1, 2, 3)) + (down**2).mean(axis=(1, 2, 3))) / 2
    return np.asarray(np.divide(rough, spread, out=np.zeros_like(rough), where=spread > 0))


def kernel(model: keras.Model) -> np.ndarray:
    """The weights of the first convolution wider than a pixel, (k, k, C, filters).

    Raises:
        ValueError: if there is none.
    """
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D) and max(layer.kernel_size) > 1:
            return np.asarray(keras.ops.convert_to_numpy(layer.kernel))
    raise ValueError("this view takes a network with a convolution. Received one without")
