"""How a network that answers with a number ends, and how it is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.classifiers import learning_rate

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Number


def amount(x: keras.KerasTensor, number: Number) -> keras.KerasTensor:
    """A number in its own unit, (B, 1): a linear unit whose 1 is the highest among the training samples."""
    share = layers.Dense(1)(x)
    return layers.Rescaling(number.highest or 1.0, name=number.name)(share)


def place(x: keras.KerasTensor, number: Number) -> keras.KerasTensor:
    """A number in its own unit, (B, 1): a linear unit from the mean, whose 1 is the training samples' whole range.

    For numbers far from zero, such as years, where a share of the highest would say nothing.
    """
    away = layers.Dense(1)(x)
    return layers.Rescaling((number.highest - number.lowest) or 1.0, number.mean, name=number.name)(away)


def compile_regressor(model: keras.Model, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile `model` with Adam and the mean absolute percentage error; the mean absolute error is told too.

    Hyperparameters:
        learning_rate: of Adam, 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero along half a cosine; 0 for none.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate(hp, decays=True)),
        loss="mean_absolute_percentage_error",
        metrics=["mean_absolute_error"],
    )
    return model
