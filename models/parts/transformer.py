"""The layers that a Transformer is piled up from, and the rate that it is trained with.

Each part's answer is added to what went in, and the sum is normalised, as the paper has it; later Transformers
normalise first.

Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, sections 3.1, 3.3 and 5.3.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from models.parts.attention import MultiHeadAttention, causal, of_keys

EPSILON = 1e-5
"""Added to a variance before its root is taken."""

Cache = tuple[Any, Any]
"""Keys and values (B, h, T, D / h)."""


class Block(layers.Layer):
    """What the encoder's and the decoder's layer share: attentions, then two dense layers for each place by itself.

    Args:
        width: of what goes in and out, D.
        heads: of each attention; they divide the width.
        feed_forward: width between the two dense layers.
        dropout: fraction dropped of each part's answer in training, 0 to 0.9.
    """

    ATTENTIONS: tuple[str, ...]

    def __init__(self, *, width: int, heads: int, feed_forward: int, dropout: float = 0.0, **kw: Any):
        super().__init__(**kw)
        self.width, self.heads, self.feed_forward, self.dropout = width, heads, feed_forward, dropout
        self.attentions = [MultiHeadAttention(width=width, heads=heads, name=name) for name in self.ATTENTIONS]
        self.wide = layers.Dense(feed_forward, activation="relu", name="wide")
        self.narrow = layers.Dense(width, name="narrow")
        names = [f"norm_{name}" for name in (*self.ATTENTIONS, "feed_forward")]
        self.norms = [layers.LayerNormalization(epsilon=EPSILON, name=name) for name in names]
        self.drop = layers.Dropout(dropout, name="drop")

    def build(self, x_shape: Any) -> None:
        del x_shape
        shape = (None, None, self.width)
        for one in (*self.attentions, self.wide, *self.norms):
            one.build(shape)
        self.narrow.build((None, None, self.feed_forward))

    def added(self, x: Any, answer: Any, norm: int, training: bool | None) -> Any:
        """The sum of what went into a part and its answer, normalised."""
        return self.norms[norm](x + self.drop(answer, training=training))

    def fed_forward(self, x: Any, training: bool | None) -> Any:
        return self.added(x, self.narrow(self.wide(x)), -1, training)

    def get_config(self) -> dict[str, Any]:
        own = {"width": self.width, "heads": self.heads, "feed_forward": self.feed_forward, "dropout": self.dropout}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="miar")
class EncoderLayer(Block):
    """Every place takes from every other: 3,152,384 parameters at the paper's 512, 8 and 2048."""

    ATTENTIONS = ("attention",)

    def call(self, x: Any, is_there: Any, training: bool | None = None) -> Any:
        """Of x (B, S, D), whose places bool (B, S) are there or are padding: (B, S, D)."""
        (attention,) = self.attentions
        x = self.added(x, attention(x, x, of_keys(is_there)), 0, training)
        return self.fed_forward(x, training)


@keras.saving.register_keras_serializable(package="miar")
class DecoderLayer(Block):
    """Every place takes from those before it, then from the source: 4,204,032 parameters at the paper's numbers."""

    ATTENTIONS = ("attention", "source")

    def call(self, x: Any, memory: Any, is_there: Any, training: bool | None = None) -> Any:
        """Of x (B, T, D) and the encoded source (B, S, D), whose places bool (B, S) are there or not: (B, T, D)."""
        own, source = self.attentions
        seen = (own.remember(x), causal(x.shape[1]))
        return self.from_both(x, *seen, source.remember(memory), of_keys(is_there), training)

    def looks(self, x: Any, memory: Any, is_there: Any) -> Any:
        """How much each place of x takes from each of the encoded source, as the call does: (B, h, T, S)."""
        own, source = self.attentions
        x = self.added(x, own(x, x, causal(x.shape[1])), 0, False)
        return source.looks(x, memory, of_keys(is_there))

    def step(self, x: Any, place: Any, cache: Cache, source: Cache, is_there: Any) -> tuple[Any, Cache]:
        """The same of one place, x (B, 1, D), and the cache of the T places with it; later ones are of no account.

        Args:
            source: keys and values of the encoded source, as its attention remembers them.
        """
        steps = ops.arange(cache[0].shape[2])
        here = (steps == place)[:, None]  # (T, 1)
        new = self.attentions[0].remember(x)
        cache = (ops.where(here, new[0], cache[0]), ops.where(here, new[1], cache[1]))
        return self.from_both(x, cache, steps <= place, source, of_keys(is_there), False), cache

    def from_both(self, x: Any, own: Cache, seen: Any, source: Cache, there: Any, training: bool | None) -> Any:
        x = self.added(x, self.attentions[0].answer(x, *own, seen), 0, training)
        x = self.added(x, self.attentions[1].answer(x, *source, there), 1, training)
        return self.fed_forward(x, training)


@keras.saving.register_keras_serializable(package="miar")
class Noam(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises in a line to its peak, and then falls with the root of the steps.

    Args:
        width: of the network's vectors.
        warm_up: steps to the peak, at least 1.
        factor: of the whole; the paper's is 1. The peak is factor / sqrt(width * warm_up).

    Source: equation 3 of the paper.
    """

    def __init__(self, width: int, warm_up: int, factor: float = 1.0):
        self.width, self.warm_up, self.factor = width, warm_up, factor

    def __call__(self, step: Any) -> Any:
        """The rate of a step; the optimizer counts them from 0, the paper from 1."""
        number = ops.cast(step, "float32") + 1.0
        return self.factor * self.width**-0.5 * ops.minimum(number**-0.5, number * self.warm_up**-1.5)

    def get_config(self) -> dict[str, Any]:
        return {"width": self.width, "warm_up": self.warm_up, "factor": self.factor}
