"""Skip-gram: a word's vector is learnt so that it tells which words stand near.

Each word of a text is asked for each of its neighbours; words that keep the same company end with vectors alike.

Lesson: word2vec, skip-gram beside CBOW; texts as vectors.
Paper: Mikolov, Chen, Corrado, Dean, "Efficient estimation of word representations in vector space", 2013
(arXiv:1301.3781), section 3.2; Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed representations of words and
phrases and their compositionality", NeurIPS 2013, for negative sampling (equation 4) and subsampling (equation 5).
Departures: runs of words are learnt at once, by Adam; the noise words of a run are shared by its pairs, and may by
chance be right ones; words that subsampling leaves out do not bring others nearer; the window is always the whole one.

Input shape: (B, T), words, int32, 0 behind the end, 1 unknown; both have a vector of zeros.
Output shape: (B, T, D), float32.
Score: neighbourhood 0.616 on 13 of Don Quijote's 127 chapters (recipe skip_gram_quijote_words, 999,600 parameters, 10
epochs, 48 s on 2 very busy CPU cores; chance 0.5, gensim's skip-gram 0.615), and 0.637 on 2,494 of 50,000 reviews
(skip_gram_imdb_words, 3 epochs, 118 s; gensim's 0.640).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from models.parts.word_vectors import TEXT, Vectors, compile_vectors, network, settings

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


@keras.saving.register_keras_serializable(package="miar")
class SkipGram(Vectors):
    """Each word's vector is held against those of its neighbours."""

    def pairs(self, run: Any, near: Any) -> tuple[Any, Any, Any]:
        return ops.take(self.vectors, self.inside(run), axis=0), ops.take(self.contexts, run, axis=0), near


def skip_gram(
    *, spec: Spec = TEXT, size: int = 100, negatives: int = 5, noise: int = 16, subsample: float = 1e-4
) -> keras.Model:
    """Two tables of a vector for each word, 2 V D parameters: 2,000,000 at these defaults.

    Args:
        spec: words, and neighbours that are asked for.
        size: of a vector, D.
        negatives: noise words for each pair; 0 for the softmax over all words.
        noise: different noise words that a run has.
        subsample: share of the text above which a word is left out at times; 0 for none.
    """
    sizes = {"size": size, "negatives": negatives, "noise": noise, "subsample": subsample}
    return network(spec, SkipGram, "skip_gram", **sizes)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters: size, negatives, noise and subsample, see `word_vectors.settings`, and
        learning_rate: 1e-5 to 1e-1.
        decay_steps: steps in which the rate falls to zero; 0 for none.
    """
    return compile_vectors(skip_gram(spec=spec, **settings(hp)), hp)
