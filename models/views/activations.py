"""What each filter answers to an image, and which filters answer to none."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from models.views.twins import rectified, twin

BATCH = 32


def maps(model: keras.Model, samples: np.ndarray, layer: str) -> np.ndarray:
    """The maps that the layer called `layer` gives, float32 (B, h, w, filters).

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014; lesson on what
    convolutional networks learn.
    """
    (found,) = several(model, samples, [layer])
    return found


def several(model: keras.Model, samples: np.ndarray, names: list[str]) -> list[np.ndarray]:
    """The maps of several layers, in one pass."""
    copy = twin(model)
    asked = keras.Model(copy.inputs, [copy.get_layer(name).output for name in names])
    given = asked.predict(np.asarray(samples, dtype=np.float32), batch_size=BATCH, verbose=0)
    return [np.asarray(one) for one in (given if isinstance(given, list) else [given])]


def pictures(maps: np.ndarray) -> np.ndarray:
    """Each of the maps (B, h, w, filters) from its lowest value, black, to its highest: uint8 (B, filters, h, w).

    A map of one value everywhere, such as that of a dead filter, is black.
    """
    seen = np.moveaxis(maps, -1, 1)
    low, high = (edge(seen, axis=(2, 3), keepdims=True) for edge in (np.min, np.max))
    shares = np.divide(seen - low, high - low, out=np.zeros_like(seen), where=high > low)
    return np.asarray(np.round(255 * shares), dtype=np.uint8)


def dead(model: keras.Model, samples: np.ndarray) -> dict[str, np.ndarray]:
    """By layer with ReLU, which filters are zero everywhere for all `samples`: bool (filters,).

    A filter that is dead for hundreds of images learns no more, since its gradient is zero too; a learning rate that
    is too high leaves many. Few samples find too many of them.

    Source: lesson on what convolutional networks learn.
    """
    names = rectified(model)
    if not names:
        return {}
    copy = twin(model)
    highest = [layers.GlobalMaxPooling2D()(copy.get_layer(name).output) for name in names]  # (B, filters), not all maps
    given = keras.Model(copy.inputs, highest).predict(
        np.asarray(samples, dtype=np.float32), batch_size=BATCH, verbose=0
    )
    found = given if isinstance(given, list) else [given]
    return {name: np.asarray((one <= 0).all(axis=0)) for name, one in zip(names, found, strict=True)}
