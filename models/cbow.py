"""CBOW, continuous bag of words: the mean of its neighbours' vectors is to tell which word stands between them.

In which order they stand does not count. There is one question for each word, where skip-gram has one for each pair.

Lesson: word2vec, CBOW: x = 1/2c times the sum of the neighbours' vectors, z = W x, softmax.
Paper: Mikolov, Chen, Corrado, Dean, "Efficient estimation of word representations in vector space", 2013
(arXiv:1301.3781), section 3.1; Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed representations of words and
phrases and their compositionality", NeurIPS 2013, for negative sampling (equation 4) and subsampling (equation 5).
Departures: those of skip_gram.py.

Input shape: (B, T), words, int32, 0 behind the end, 1 unknown; both have a vector of zeros.
Output shape: (B, T, D), float32.
Score: neighbourhood 0.613 on 13 of Don Quijote's 127 chapters (recipe cbow_quijote_words, 999,600 parameters, 10
epochs, 47 s on 2 very busy CPU cores; chance 0.5, gensim's CBOW 0.593).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from models.parts.word_vectors import TEXT, Vectors, compile_vectors, network, settings

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


@keras.saving.register_keras_serializable(package="miar")
class BagOfWords(Vectors):
    """The mean vector of a word's neighbours is held against the word; one without neighbours is not asked for."""

    def pairs(self, run: Any, near: Any) -> tuple[Any, Any, Any]:
        count = ops.sum(near, axis=-1, keepdims=True)
        means = ops.matmul(near, ops.take(self.vectors, run, axis=0)) / ops.maximum(count, 1)
        right = ops.take(self.contexts, self.inside(run), axis=0)
        itself = np.eye(right.shape[1], dtype=np.float32)
        return means, right, itself * ops.cast(count > 0, "float32")


def cbow(
    *, spec: Spec = TEXT, size: int = 100, negatives: int = 5, noise: int = 16, subsample: float = 1e-4
) -> keras.Model:
    """Two tables of a vector for each word, 2 V D parameters: 2,000,000 at these defaults.

    Args: those of `skip_gram`.
    """
    sizes = {"size": size, "negatives": negatives, "noise": noise, "subsample": subsample}
    return network(spec, BagOfWords, "cbow", **sizes)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters: size, negatives, noise and subsample, see `word_vectors.settings`, and
        learning_rate: 1e-5 to 1e-1.
        decay_steps: steps in which the rate falls to zero; 0 for none.
    """
    return compile_vectors(cbow(spec=spec, **settings(hp)), hp)
