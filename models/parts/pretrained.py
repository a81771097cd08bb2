"""What networks with weights from ImageNet have in common: their door, their freezing, their classifier."""

from __future__ import annotations

import keras
from keras import layers, ops

MEANS = (103.939, 116.779, 123.68)
"""Of blue, green and red over ImageNet, as Caffe's networks take them off."""


def door(x: keras.KerasTensor) -> keras.KerasTensor:
    """Images (B, H, W, C), uint8, RGB or grey, as Caffe's networks take them: BGR less ImageNet's means.

    Nothing is divided. A grey image counts three times.
    """
    if x.shape[-1] == 1:
        x = layers.Concatenate()([x, x, x])
    return layers.Rescaling(1.0, offset=[-mean for mean in MEANS])(ops.flip(x, axis=-1))


def classifier(x: keras.KerasTensor, *, classes: int, dropout: float) -> keras.KerasTensor:
    """Maps (B, h, w, D) as probabilities (B, K): the mean of each map, dropout and one dense layer of a new name."""
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dense(classes, activation="softmax", name="classifier")(layers.Dropout(dropout)(x))


def freeze(model: keras.Model, *, trained: tuple[str, ...]) -> None:
    """Let only the classifier and the layers whose names begin with one of `trained` learn.

    Batch normalisation never does: it keeps the statistics of ImageNet, also in training, since a few small batches
    would tell it wrong ones.
    """
    for layer in model.layers:
        named = layer.name.startswith(("classifier", *trained))
        layer.trainable = named and not isinstance(layer, layers.BatchNormalization)
