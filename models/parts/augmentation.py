"""Images changed at random in training, so that few are worth many; at any other time they pass as they are."""

from __future__ import annotations

import keras
from keras import layers


def moved(
    x: keras.KerasTensor, *, shift: float = 0.0, mirror: bool = False, turn: float = 0.0, zoom: float = 0.0
) -> keras.KerasTensor:
    """Mirror, turn, zoom and shift images (B, H, W, C) in training; what has no range adds no layer.

    Args:
        shift: up to this fraction of height and width.
        mirror: left for right, half of the images.
        turn: up to this fraction of a full turn, either way.
        zoom: up to this fraction nearer or farther.

    Source: lesson on data augmentation.
    """
    if mirror:
        x = layers.RandomFlip("horizontal")(x)
    if turn:
        x = layers.RandomRotation(turn, fill_mode="reflect")(x)
    if zoom:
        x = layers.RandomZoom(zoom, fill_mode="reflect")(x)
    if shift:
        x = layers.RandomTranslation(shift, shift, fill_mode="reflect")(x)
    return x
