"""Gated recurrent unit: two gates and no memory besides the state, three quarters of an LSTM's weights.

The update gate says how much of the old state stays, h = z h + (1 - z) h~, and the reset gate how much of it the new
one is made of.

Lesson: GRU, the LSTM's younger relative; the classification of texts.
Paper: Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014.
Departures: as Keras has it, the reset gate acts after the multiplication with U, which has a bias of its own.

Input shape: (B, T), words, int32, 0 behind the end; nothing there is passed over.
Output shape: (B, K), probabilities.
Score: accuracy 0.882 on 25,000 reviews (recipe gru_imdb, the best of 5 epochs, 286 s of processor time on 2 CPU
cores); 0.863 on 1,684 newswires (gru_reuters), 0.936 from the vectors of GloVe (gru_reuters_glove).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts import texts
from models.parts.classifiers import compile_classifier
from models.spec import Spec

if TYPE_CHECKING:
    import keras_tuner


def gru(
    *,
    spec: Spec = texts.REVIEWS,
    units: int = 128,
    embedding: int = 128,
    dropout: float = 0.0,
    bidirectional: bool = False,
) -> keras.Model:
    """An embedding, a GRU layer and the classes: 1,379,201 parameters at these defaults.

    Args:
        spec: words, and classes.
        units: numbers in the state.
        embedding: size of a word's vector.
        dropout: fraction dropped in training of the vectors and of the last state, 0 to 0.6.
        bidirectional: whether a second one reads from the end.
    """
    cell = layers.GRU(units)  # 3 (u (u + d) + 2 u) parameters
    return texts.reader(cell, spec=spec, embedding=embedding, dropout=dropout, bidirectional=bidirectional, name="gru")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters: units, embedding, dropout and bidirectional, see `texts.settings`, and
        learning_rate: 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero; 0 for none.
    """
    model = gru(spec=spec, **texts.settings(hp, units=128, embedding=128))
    return compile_classifier(model, hp, decays=True)
