"""Attention: each place asks all others, and takes from them by how well they answer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

HIDDEN = -1e9
"""Score of what must not be seen: its weight is 0, and even where nothing may be seen no weight is NaN."""


def weights(query: Any, keys: Any, mask: Any = None) -> Any:
    """How much each place of the query takes from each place of the source: (..., Q, S), each row of sum 1.

    Args:
        query: (..., Q, D).
        keys: (..., S, D).
        mask: what may be seen, bool, of a shape that broadcasts to (..., Q, S); left out, everything.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1.
    """
    scores = ops.matmul(query, ops.swapaxes(keys, -1, -2)) / np.sqrt(keys.shape[-1]).astype("float32")
    if mask is not None:
        scores = ops.where(mask, scores, HIDDEN)
    return ops.softmax(scores, axis=-1)


def causal(steps: int) -> np.ndarray:
    """What may be seen where no place sees a later one: bool (1, 1, steps, steps)."""
    return np.tril(np.ones((1, 1, steps, steps), dtype=bool))


def of_keys(is_there: Any) -> Any:
    """What may be seen of a source whose places bool (B, S) are there or are padding: (B, 1, 1, S)."""
    return is_there[:, np.newaxis, np.newaxis, :]


@keras.saving.register_keras_serializable(package="miar")
class MultiHeadAttention(layers.Layer):
    """Several attentions side by side, each in a space of its own; 4 (D^2 + D) parameters.

    Args:
        width: of what goes in and out, D.
        heads: how many, h; they divide the width.

    Source: section 3.2.2 of the paper, with biases, which it does not mention.
    """

    def __init__(self, *, width: int, heads: int, **kw: Any):
        super().__init__(**kw)
        if width % heads:
            raise ValueError(f"`heads` must divide `width`. Received: heads={heads}, width={width}")
        self.width, self.heads = width, heads
        self.query, self.key, self.value, self.out = (
            layers.Dense(width, name=name) for name in ("query", "key", "value", "out")
        )

    def build(self, query_shape: Any) -> None:
        del query_shape
        for one in (self.query, self.key, self.value, self.out):
            one.build((None, None, self.width))

    def call(self, query: Any, source: Any, mask: Any = None) -> Any:
        """What each place of the query (B, Q, D) takes from the source (B, S, D): (B, Q, D)."""
        return self.answer(query, *self.remember(source), mask)

    def looks(self, query: Any, source: Any, mask: Any = None) -> Any:
        """How much each place of the query (B, Q, D) takes from each of the source (B, S, D): (B, h, Q, S)."""
        return weights(self.parted(self.query(query)), self.parted(self.key(source)), mask)

    def remember(self, source: Any) -> tuple[Any, Any]:
        """Keys and values of the source (B, S, D): (B, h, S, D / h) each."""
        return self.parted(self.key(source)), self.parted(self.value(source))

    def answer(self, query: Any, keys: Any, values: Any, mask: Any = None) -> Any:
        """What the query (B, Q, D) takes from what is remembered: (B, Q, D)."""
        taken = ops.matmul(weights(self.parted(self.query(query)), keys, mask), values)  # (B, h, Q, D / h)
        together = ops.reshape(ops.transpose(taken, (0, 2, 1, 3)), (-1, query.shape[1], self.width))
        return self.out(together)

    def parted(self, x: Any) -> Any:
        """(B, S, D) as (B, h, S, D / h)."""
        heads = ops.reshape(x, (-1, x.shape[1], self.heads, self.width // self.heads))
        return ops.transpose(heads, (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "heads": self.heads}
