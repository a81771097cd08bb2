"""Simple recurrent network: a state that each word changes, and that the last word leaves to the classifier.

The same weights read every word: h = tanh(x W + h U + b). Through as many steps as there are words a gradient is
multiplied by U each time, so that what was read long ago is hardly learnt.

Lesson: recurrent neural networks, and why they forget over a long gap; the classification of texts.
Paper: Elman, "Finding structure in time", Cognitive Science 1990.
Departures: the course's embedding of 32 and one unit at the end; Adam.

Input shape: (B, T), words, int32, 0 behind the end; nothing there is passed over.
Output shape: (B, K), probabilities.
Score: accuracy 0.852 on 25,000 reviews (recipe simple_rnn_imdb, the best of 6 epochs, 120 s of processor time on 2 CPU
cores); 0.547 on 1,684 newswires of up to 500 words (simple_rnn_reuters), which its gate refuses.
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


def simple_rnn(
    *,
    spec: Spec = texts.REVIEWS,
    units: int = 32,
    embedding: int = 32,
    dropout: float = 0.0,
    bidirectional: bool = False,
) -> keras.Model:
    """An embedding, a simple recurrent layer and the classes: 322,113 parameters at these defaults.

    Args:
        spec: words, and classes.
        units: numbers in the state.
        embedding: size of a word's vector.
        dropout: fraction dropped in training of the vectors and of the last state, 0 to 0.6.
        bidirectional: whether a second one reads from the end.
    """
    cell = layers.SimpleRNN(units)  # u (u + d) + u parameters
    return texts.reader(
        cell, spec=spec, embedding=embedding, dropout=dropout, bidirectional=bidirectional, name="simple_rnn"
    )


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters: units, embedding, dropout and bidirectional, see `texts.settings`, and
        learning_rate: 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero; 0 for none.
    """
    model = simple_rnn(spec=spec, **texts.settings(hp, units=32, embedding=32))
    return compile_classifier(model, hp, decays=True)
