"""How a network that answers with class probabilities is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    import keras_tuner


def compile_classifier(model: keras.Model, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile `model` with Adam and cross-entropy against integer labels.

    Hyperparameters:
        learning_rate: of Adam, 1e-4 to 1e-2; Keras's own default of 1e-3.
    """
    rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
