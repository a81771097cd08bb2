"""Vectors of words that tell which words stand near: the two tables that they are learnt with, and what it costs.

A run of T words is looked up once, and all its pairs are one product of matrices: the words of the run against those
around them (T, T + 2c), of which a band is asked for. So a word's rows are read and changed once or twice, and not once
for each of its 2c pairs, and noise words are shared by a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from models.parts.classifiers import learning_rate
from models.parts.texts import FIRST
from models.spec import Input, Spec

if TYPE_CHECKING:
    import keras_tuner

HEAD = "head"
"""Name of the layer that has the vectors."""

TEXT = Spec(
    {"words": Input((32,), "int32", sizes=(10_002,), counts=(1,) * 10_000)},
    tuple(map(str, range(10_000))),
    neighbours=5,
)

POWER = 0.75
"""Of how often words occur, by which noise is drawn: between all alike, 0, and as often as they occur, 1."""


def band(length: int, neighbours: int) -> np.ndarray:
    """1 where a word around a run is a neighbour of one of the run, and not itself: float32 (T, T + 2c)."""
    offset = np.arange(length + 2 * neighbours) - neighbours - np.arange(length)[:, np.newaxis]
    return np.asarray((np.abs(offset) <= neighbours) & (offset != 0), np.float32)


def kept(counts: tuple[int, ...], threshold: float) -> np.ndarray:
    """How likely an occurrence of each word is kept in training: min(1, sqrt(t / f)), float32; 1 where t is 0."""
    share = np.asarray(counts, np.float64) / sum(counts)
    if not threshold:
        return np.ones(len(counts), np.float32)
    return np.minimum(1, np.sqrt(threshold / np.maximum(share, 1e-12))).astype(np.float32)


def noise_until(counts: tuple[int, ...]) -> np.ndarray:
    """How likely a noise word is one of the first, up to each word: rising to 1, float32."""
    weight = np.asarray(counts, np.float64) ** POWER
    return np.cumsum(weight / weight.sum()).astype(np.float32)


def against_noise(pairs: Any, asked: Any, noise: Any, negatives: int) -> Any:
    """The cost of all pairs by negative sampling, their sum: -log s(pair) - log s(-noise), `negatives` times for each.

    Args:
        pairs: products of vectors (B, T, S), of which `asked`, 0 and 1, says which are pairs.
        noise: products with the noise words of the run (B, T, K), each of which stands for `negatives` / K of them.
    """
    each = ops.sum(asked, axis=-1, keepdims=True)  # pairs of each word
    return ops.sum(ops.softplus(-pairs) * asked) + negatives / noise.shape[-1] * ops.sum(ops.softplus(noise) * each)


def among_all(pairs: Any, asked: Any, logits: Any) -> Any:
    """The cost of all pairs by softmax, their sum: -log of how likely the right one is among all words (B, T, K)."""
    total = ops.logsumexp(logits, axis=-1, keepdims=True)
    return ops.sum((total - pairs) * asked)


class Vectors(layers.Layer):
    """Words int32 (B, T) as vectors (B, T, D), with a second table for words as neighbours.

    Args:
        counts: how often each known word occurs.
        size: of a vector, D.
        neighbours: on each side, c.
        negatives: noise words for each pair; 0 for the softmax over all words.
        noise: different noise words that a run has.
        subsample: share of the text above which a word is left out at times, the oftener the more frequent it is.
    """

    def __init__(
        self,
        *,
        counts: tuple[int, ...],
        size: int,
        neighbours: int,
        negatives: int = 5,
        noise: int = 16,
        subsample: float = 1e-4,
        **kw: Any,
    ) -> None:
        super().__init__(**kw)
        self.counts, self.size, self.neighbours = tuple(counts), size, neighbours
        self.negatives, self.noise, self.subsample = negatives, noise, subsample
        self.seeds = keras.random.SeedGenerator()

    def build(self, words_shape: Any) -> None:
        del words_shape
        shape, near = (len(self.counts), self.size), 0.5 / self.size
        self.vectors = self.add_weight(
            shape=shape, name="vectors", initializer=keras.initializers.RandomUniform(-near, near)
        )
        self.contexts = self.add_weight(shape=shape, name="contexts", initializer="zeros")

    def call(self, words: Any) -> Any:
        known = ops.cast(words >= FIRST, self.compute_dtype)
        return ops.take(self.vectors, ops.maximum(words - FIRST, 0), axis=0) * known[..., None]

    def cost(self, run: Any, *, training: bool) -> Any:
        """The mean cost of a pair.

        Args:
            run: words and those around them, int32 (B, T + 2c), -1 where there is none.
        """
        run = ops.cast(run, "int32")
        there, run = run >= 0, ops.maximum(run, 0)
        if training and self.subsample:
            chance = ops.take(kept(self.counts, self.subsample), run)
            there = ops.logical_and(there, keras.random.uniform(ops.shape(run), seed=self.seeds) < chance)
        there = ops.cast(there, "float32")
        near = band(run.shape[1] - 2 * self.neighbours, self.neighbours)
        near = near * self.inside(there)[..., None] * there[:, None]  # (B, T, S)
        features, right, asked = self.pairs(run, near)
        products = ops.matmul(features, ops.swapaxes(right, 1, 2))
        if self.negatives:
            drawn = ops.take(self.contexts, self.drawn(ops.shape(run)[0]), axis=0)  # (B, K, D)
            total = against_noise(products, asked, ops.matmul(features, ops.swapaxes(drawn, 1, 2)), self.negatives)
        else:
            total = among_all(products, asked, ops.matmul(features, ops.transpose(self.contexts)))
        return total / ops.maximum(ops.sum(asked), 1)

    def pairs(self, run: Any, near: Any) -> tuple[Any, Any, Any]:
        """What is asked by which: features (B, T, D), vectors of right words (B, S, D), and which are pairs (B, T, S).

        Args:
            run: words and those around them (B, T + 2c).
            near: 1 where one is a neighbour of the other, both being there (B, T, T + 2c).
        """
        raise NotImplementedError

    def inside(self, run: Any) -> Any:
        """A run without what is around it."""
        return run[:, self.neighbours : run.shape[1] - self.neighbours]

    def drawn(self, runs: Any) -> Any:
        """Noise words for some runs: int32 (B, K)."""
        chance = keras.random.uniform((runs, self.noise), seed=self.seeds)
        place = ops.searchsorted(noise_until(self.counts), ops.reshape(chance, (-1,)))
        return ops.reshape(ops.minimum(place, len(self.counts) - 1), (-1, self.noise))

    def get_config(self) -> dict[str, Any]:
        own = {
            name: getattr(self, name) for name in ("counts", "size", "neighbours", "negatives", "noise", "subsample")
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="miar")
class WordVectors(keras.Model):
    """A network whose last layer is `Vectors`: words in, vectors out; `fit` tells it which words stand around."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        del x, y_pred, sample_weight
        return self.get_layer(HEAD).cost(y, training=training)


def network(spec: Spec, head: type[Vectors], name: str, **settings: Any) -> keras.Model:
    """Words of a run, and their vectors by a layer `head` with `settings`."""
    spec.check(inputs=("words",), classes=True, vectors=True)
    words = layers.Input(spec.input_shape, dtype=spec.input_dtype, name="words")
    vectors = head(counts=spec.input.counts, neighbours=spec.neighbours, **settings, name=HEAD)
    return WordVectors(words, vectors(words), name=name)


def settings(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
    """Declare what is left open.

    Hyperparameters:
        size: of a vector, 4 to 300.
        negatives: noise words for each pair, 0 to 20; 0 for the softmax over all words.
        noise: different noise words that a run has, 1 to 128.
        subsample: share of the text above which a word is left out at times, 0 to 0.1; 0 for none.
    """
    return {
        "size": hp.Int("size", 4, 300, sampling="log", default=100),
        "negatives": hp.Int("negatives", 0, 20, default=5),
        "noise": hp.Int("noise", 1, 128, sampling="log", default=16),
        "subsample": hp.Float("subsample", 0.0, 0.1, default=1e-4),
    }


def compile_vectors(model: keras.Model, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile `model` with Adam, whose step no row can make larger by being frequent; its loss is its own.

    Hyperparameters:
        learning_rate: 1e-5 to 1e-1.
        decay_steps: steps in which the rate falls to zero along half a cosine; 0 for none.
    """
    model.compile(optimizer=keras.optimizers.Adam(learning_rate(hp, rate=1e-2, highest=1e-1, decays=True)))
    return model
