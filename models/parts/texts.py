"""What networks that read a text one word after the other share: where words come in, and how the classes come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from models.parts import fronts
from models.spec import Input, Spec

if TYPE_CHECKING:
    import keras_tuner

EMBEDDING = "embedding"
"""Name of the layer that has a vector for each word."""

REVIEWS = Spec({"words": Input((250,), "int32", sizes=(10_000,))}, classes=("negative", "positive"))


FIRST = 2
"""Number of the first word that is known; before it are nothing and an unknown one."""


@keras.saving.register_keras_serializable(package="miar")
class NamedVectors(layers.Embedding):
    """A vector for each of some words, which the layer knows by name, so that others can find theirs.

    Args:
        words: the word of each row; there is no row for nothing, nor for an unknown one.
    """

    def __init__(self, *, words: Sequence[str], output_dim: int, **kw: Any):
        super().__init__(len(words), output_dim, **kw)
        self.words = tuple(words)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "words": list(self.words)}
        del config["input_dim"]
        return config


def embedded(x: keras.KerasTensor, words: Input, *, size: int, masked: bool, frozen: bool = False) -> keras.KerasTensor:
    """A vector of `size` for each word (B, T): (B, T, size).

    Args:
        masked: whether recurrent layers are to pass over the places where there is nothing.
        frozen: whether the vectors stay as they start.
    """
    return layers.Embedding(words.sizes[0], size, mask_zero=masked, trainable=not frozen, name=EMBEDDING)(x)


def probabilities(x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """Features (B, D) as class probabilities (B, K); of two classes one unit says how probable the second is."""
    if classes > 2:
        return layers.Dense(classes, activation="softmax")(x)
    second = layers.Dense(1, activation="sigmoid")(x)  # (B, 1)
    return layers.Concatenate()([layers.Rescaling(-1, 1)(second), second])


def reader(
    cell: layers.RNN, *, spec: Spec, embedding: int, dropout: float, bidirectional: bool, name: str
) -> keras.Model:
    """A recurrent network: a vector for each word, `cell` over them all, and the classes from its last state.

    Where there is nothing the state stays as it is, so that the answer does not depend on how much of it follows.

    Args:
        spec: words, and classes.
        embedding: size of a word's vector.
        dropout: fraction dropped in training of the vectors, the same for all words of a text, and of the last state.
        bidirectional: whether a second one reads from the end.
    """
    spec.check(inputs=("words",), classes=True)
    words = fronts.inputs(spec)["words"]
    x = embedded(words, spec.input, size=embedding, masked=True)  # (B, T, D)
    x = layers.SpatialDropout1D(dropout)(x)
    x = (layers.Bidirectional(cell) if bidirectional else cell)(x)  # (B, units), or twice as many
    x = layers.Dropout(dropout)(x)
    return keras.Model(words, probabilities(x, len(spec.classes)), name=name)


def settings(hp: keras_tuner.HyperParameters, *, units: int, embedding: int) -> dict[str, Any]:
    """Declare what all recurrent networks leave open, with these defaults.

    Hyperparameters:
        units: of the recurrent layer, 8 to 256.
        embedding: size of a word's vector, 8 to 300.
        dropout: of vectors and last state, 0 to 0.6.
        bidirectional: whether the text is read from its end too.
    """
    return {
        "units": hp.Int("units", 8, 256, sampling="log", default=units),
        "embedding": hp.Int("embedding", 8, 300, sampling="log", default=embedding),
        "dropout": hp.Float("dropout", 0.0, 0.6, step=0.1, default=0.0),
        "bidirectional": hp.Boolean("bidirectional", default=False),
    }
