"""Where a symbol stands: attention alone does not know it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import initializers, layers, ops


def sinusoids(length: int, width: int) -> np.ndarray:
    """Sines in the even places, cosines in the odd ones, of ever longer waves: float32 (length, width).

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    """
    places, numbers = np.arange(length)[:, np.newaxis], np.arange(width)
    angles = places / 10_000 ** (numbers // 2 * 2 / width)
    return np.where(numbers % 2, np.cos(angles), np.sin(angles)).astype(np.float32)


@keras.saving.register_keras_serializable(package="miar")
class Embedded(layers.Layer):
    """A vector for each symbol, times the root of its width, and where it stands.

    Args:
        size: how many symbols there are, V.
        width: of a vector, D.
        length: most symbols in a row.
        dropout: fraction dropped of the sum in training, 0 to 0.9.

    Input shape: (B, T), int32, T at most `length`.
    Output shape: (B, T, D).
    """

    def __init__(self, *, size: int, width: int, length: int, dropout: float = 0.0, **kw: Any):
        super().__init__(**kw)
        self.size, self.width, self.length, self.dropout = size, width, length, dropout
        spread = initializers.RandomNormal(stddev=width**-0.5)
        self.vectors = layers.Embedding(size, width, embeddings_initializer=spread, name="vectors")
        self.drop = layers.Dropout(dropout, name="drop")
        self.places = sinusoids(length, width)

    def build(self, shape: Any) -> None:
        self.vectors.build(shape)

    def call(self, symbols: Any, training: bool | None = None) -> Any:
        placed = self.vectors(symbols) * self.width**0.5 + self.places[: symbols.shape[1]]
        return self.drop(placed, training=training)

    def at(self, symbol: Any, place: Any) -> Any:
        """Of one symbol (B,) that stands at `place`: (B, 1, D), as the call has it out of training."""
        where = ops.take(ops.convert_to_tensor(self.places), place, axis=0)
        return self.vectors(symbol[:, np.newaxis]) * self.width**0.5 + where

    def get_config(self) -> dict[str, Any]:
        own = {"size": self.size, "width": self.width, "length": self.length, "dropout": self.dropout}
        return {**super().get_config(), **own}
