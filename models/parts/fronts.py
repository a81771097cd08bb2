"""How each kind of input becomes features: the first layers of a network, with all scaling inside."""

from __future__ import annotations

import keras
from keras import layers

from models.parts.encodings import OneHot
from models.spec import Input, Spec


def inputs(spec: Spec) -> dict[str, keras.KerasTensor]:
    """Keras's inputs for `spec`, by name."""
    return {name: layers.Input(one.shape, dtype=one.dtype, name=name) for name, one in spec.inputs.items()}


def features(name: str, one: Input, tensor: keras.KerasTensor) -> keras.KerasTensor:
    """The input called `name` as one row of features: (B, D), each about 0 to 1.

    Pixels are flattened and divided by 255; numbers are scaled to 0..1 over the training samples' range, or to 0
    where that is a single number; categories and words become 1 where they occur and 0 elsewhere, characters at every
    place.
    """
    if name == "image":
        return layers.Flatten()(layers.Rescaling(1 / 255)(tensor))  # (B, H*W*C)
    if name == "numbers":
        return scaled(one, tensor)  # (B, D)
    if name == "characters":
        return layers.Flatten()(OneHot(*one.sizes)(tensor))  # (B, T*V)
    return layers.CategoryEncoding(sum(one.sizes), output_mode="multi_hot")(apart(one, tensor))  # (B, V)


def bag(one: Input, tensor: keras.KerasTensor, *, counting: str) -> keras.KerasTensor:
    """A bag of the words (B, T): of each but nothing, `count` for how often it occurs, `multi_hot` for whether it does.

    Output shape: (B, V - 1), the unknown words first.
    """
    return layers.CategoryEncoding(*one.sizes, output_mode=counting)(tensor)[:, 1:]


def apart(one: Input, tensor: keras.KerasTensor) -> keras.KerasTensor:
    """Category numbers (B, D), each column's beginning where the one before ends, so that no two share a number."""
    starts = [sum(one.sizes[:column]) for column in range(len(one.sizes))]
    return layers.Rescaling(1, starts)(tensor) if len(starts) > 1 else tensor


def scaled(one: Input, tensor: keras.KerasTensor) -> keras.KerasTensor:
    """Numbers (B, D), each from 0 at its lowest to 1 at its highest among the training samples."""
    spans = [high - low for low, high in zip(one.lowest, one.highest, strict=True)]
    scale = [1 / span if span else 0.0 for span in spans]
    offset = [-low * factor for low, factor in zip(one.lowest, scale, strict=True)]
    return layers.Rescaling(scale, offset)(tensor)
