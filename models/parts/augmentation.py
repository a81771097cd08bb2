"""Images changed at random in training, so that few are worth many; at any other time they pass as they are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from models.parts import boxes


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


def moved_scenes(
    x: keras.KerasTensor, *, zoom: float = 0.0, shift: float = 0.0, mirror: bool = False
) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Images (B, H, W, C) as `MovedScenes` gives them, and its moves; where nothing moves them, as they are."""
    if not (zoom or shift or mirror):
        return x, []
    x, moves = MovedScenes(zoom=zoom, shift=shift, mirror=mirror, name="moved")(x)
    return x, [moves]


@keras.saving.register_keras_serializable(package="miar")
class MovedScenes(layers.Layer):
    """Zoom, shift and mirror images (B, H, W, C) in training, and tell how, so that their boxes can follow.

    Gives the images, float32, black where nothing was, and the moves (B, 4): a place (y, x), relative, comes to lie at
    `moves[:2] * (y, x) + moves[2:]`.

    Args:
        zoom: up to this fraction nearer or farther, 0 to 0.9.
        shift: up to this fraction of height and width.
        mirror: left for right, half of the images.

    Source: Liu et al., "SSD", ECCV 2016, section 2.2 and 3.6. Departure: one draw of zoom and shift, where the paper
    draws patches until an object is in them.
    """

    def __init__(self, *, zoom: float = 0.0, shift: float = 0.0, mirror: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zoom, self.shift, self.mirror = zoom, shift, mirror
        self.seed = keras.random.SeedGenerator()

    def call(self, images: Any, training: bool = False) -> tuple[Any, Any]:
        images = ops.cast(images, "float32")
        count = ops.shape(images)[0]
        if not training:
            return images, ops.tile(np.array([[1, 1, 0, 0]], np.float32), (count, 1))
        moves = self.drawn(count)
        return ops.image.affine_transform(images, transform(moves, images.shape[1:3]), fill_value=0.0), moves

    def drawn(self, count: Any) -> Any:
        """How each image is moved: its centre stays where it was but for the shift."""
        scale = keras.random.uniform((count, 1), 1 - self.zoom, 1 + self.zoom, seed=self.seed)
        side = ops.sign(keras.random.uniform((count, 1), seed=self.seed) - 0.5 * self.mirror)
        scales = ops.concatenate([scale, scale * side], axis=1)
        shifts = keras.random.uniform((count, 2), -self.shift, self.shift, seed=self.seed)
        return ops.concatenate([scales, 0.5 - 0.5 * scales + shifts], axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "zoom": self.zoom, "shift": self.shift, "mirror": self.mirror}


def transform(moves: Any, shape: tuple[int, int]) -> Any:
    """Moves (B, 4) as Keras takes them: from a pixel of the moved image to the one that it shows, (B, 8)."""
    scales, shifts = moves[:, :2], moves[:, 2:] * np.array(shape, np.float32)
    slopes = 1 / scales
    starts = (0.5 - shifts) * slopes - 0.5  # a pixel's place is its centre's
    none = ops.zeros_like(slopes[:, 0])
    rows, columns = (slopes[:, 0], starts[:, 0]), (slopes[:, 1], starts[:, 1])
    return ops.stack([columns[0], none, columns[1], none, rows[0], rows[1], none, none], axis=1)


def followed(truth: dict[str, Any], moves: Any) -> dict[str, Any]:
    """Boxes and labels of moved images: cut at the image's edge, and gone where a box's centre is outside.

    Args:
        truth: `boxes` (B, M, 4) and `labels` (B, M), -1 where there is none.
        moves: (B, 4), as `MovedScenes` gives them.
    """
    moves = ops.expand_dims(moves, 1)
    first = truth["boxes"][..., :2] * moves[..., :2] + moves[..., 2:]
    second = truth["boxes"][..., 2:] * moves[..., :2] + moves[..., 2:]
    placed = ops.concatenate([ops.minimum(first, second), ops.maximum(first, second)], axis=-1)
    centre = (first + second) / 2
    inside = ops.all(ops.logical_and(centre > 0, centre < 1), axis=-1)
    return {"boxes": boxes.clipped(placed), "labels": ops.where(inside, truth["labels"], -1)}
