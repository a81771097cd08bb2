"""Which pixels an answer rests on: the gradient of a class's logit with respect to the image."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from models.views.gradients import gradient
from models.views.twins import twin


def plain(model: keras.Model, samples: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The largest absolute gradient over the channels: float (B, H, W), 0 to 1 in each image.

    Args:
        classes: whose logit it is, int (B,).

    Source: Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", ICLR 2014 workshop, section 3.
    """
    return stretched(np.abs(slope(twin(model), samples, classes)).max(axis=-1))


def guided(model: keras.Model, samples: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Guided backpropagation: what raises the logit, through filters that answer: float (B, H, W), 0 to 1.

    Source: Springenberg et al., "Striving for simplicity", ICLR 2015 workshop, section 3.4.
    """
    return stretched(np.maximum(slope(twin(model, guided=True), samples, classes), 0).max(axis=-1))


def slope(logits: keras.Model, samples: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The gradient of each sample's class with respect to its pixels, (B, H, W, C)."""
    chosen = np.eye(logits.output.shape[-1], dtype=np.float32)[classes]
    _, found = gradient(lambda x: ops.sum(logits(x, training=False) * chosen, axis=-1), samples)
    return found


def stretched(heat: np.ndarray) -> np.ndarray:
    """Each image (B, H, W) over its largest value; one without any stays zero."""
    highest = heat.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0))
