"""How a network that answers with class probabilities is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    import keras_tuner


def compile_classifier(
    model: keras.Model,
    hp: keras_tuner.HyperParameters,
    *,
    rate: float = 1e-3,
    decays: bool = False,
    optimizer: str = "adam",
) -> keras.Model:
    """Compile `model` with cross-entropy against integer labels.

    Args:
        rate: default of the learning rate; Keras's own of 1e-3.
        decays: whether the rate may fall.
        optimizer: adam or rmsprop.

    Hyperparameters:
        learning_rate: 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero along half a cosine; 0 for none. Only where it `decays`.
    """
    optimizers = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
    model.compile(
        optimizer=optimizers[optimizer](learning_rate(hp, rate=rate, decays=decays)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def learning_rate(
    hp: keras_tuner.HyperParameters, *, rate: float = 1e-3, highest: float = 1e-2, decays: bool = False
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Declare `learning_rate`, 1e-5 to `highest`, and `decay_steps` where the rate `decays`."""
    start = float(hp.Float("learning_rate", 1e-5, highest, sampling="log", default=rate))
    steps = hp.Int("decay_steps", 0, 10_000_000, default=0) if decays else 0
    return keras.optimizers.schedules.CosineDecay(start, steps) if steps else start
