"""Character LSTM: reads a window of text character by character, and says how likely each next one is.

The first layer gives all its states to the second, whose last state has seen the whole window; drawn from again and
again, the network writes.

Lesson: from discriminative to generative networks; text in the manner of Don Quijote.
Paper: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 1997; Graves, "Generating sequences
with recurrent neural networks", 2013 (arXiv:1308.0850), section 4.
Departures, all of them the course's: two layers and no peepholes; a window is read from zeros, not from where the one
before ended. Of the course's code: characters come as bytes and become rows of one 1 among zeros inside; its listing
has one layer of 64 units, but its summary, its text and its log are those of these two.

Input shape: (B, T), characters, uint8, 0 to V - 1.
Output shape: (B, V), probabilities.
Score: 2.55 bits per character on a tenth of Don Quijote's chapters, after 3 epochs of 158,675 windows of the others, 21
min on two busy CPU cores (recipe char_lstm_quijote_characters, 59 characters, 409,595 parameters). How often characters
occur takes 4.31 bits, and counting what followed the last four 2.03: so short a training does not reach that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.classifiers import compile_classifier
from models.parts.encodings import OneHot

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def char_lstm(
    *, length: int = 60, characters: int = 45, units: tuple[int, ...] = (256, 64), dropout: float = 0.0
) -> keras.Model:
    """LSTM layers of `units`, then softmax: 394,349 parameters at these defaults, the course's.

    Args:
        length: characters of a window, T.
        characters: different ones, V.
        units: of each layer.
        dropout: fraction of each layer's states dropped in training, 0 to 0.9.
    """
    inputs = layers.Input((length,), dtype="uint8", name="characters")
    x = OneHot(characters)(inputs)  # (B, 60, 45)
    for number, width in enumerate(units, start=1):
        x = layers.LSTM(width, return_sequences=number < len(units))(x)  # (B, 60, 256), (B, 64)
        x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(characters, activation="softmax")(x), name="char_lstm")  # (B, 45)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        units: of the first layer, 16 to 1024; the course has 256.
        last: of the second layer, 16 to 512; the course has 64.
        dropout: 0 to 0.5; the course has none.
        optimizer: rmsprop, the course's, or adam.
        learning_rate: 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero; 0, the course's, for none.
    """
    spec.check(inputs=("characters",), classes=True)
    model = char_lstm(
        length=spec.input_shape[0],
        characters=len(spec.classes),
        units=(hp.Int("units", 16, 1024, step=16, default=256), hp.Int("last", 16, 512, step=16, default=64)),
        dropout=hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.0),
    )
    return compile_classifier(model, hp, decays=True, optimizer=hp.Choice("optimizer", ["rmsprop", "adam"]))
