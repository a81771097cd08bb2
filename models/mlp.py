"""Multilayer perceptron: dense layers alone, blind to where a pixel lies.

The baseline that a convolutional network has to beat: every pixel is a feature of its own, so what is
learned in one place says nothing about another.

Lesson: from the perceptron to the multilayer perceptron; the first network on MNIST.
Paper: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", Nature 1986.
Departures, all of them the course's: ReLU for the sigmoid, softmax with cross-entropy for squared error,
Adam for plain gradient descent.

Input shape: (B, ...), uint8, 0 to 255; flattened and scaled to 0..1 inside.
Output shape: (B, K), probabilities.
Score: accuracy 0.978 on 359 digits of 8x8 (recipe mlp_digits, 5 s on 2 CPU cores).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.classifiers import compile_classifier

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def mlp(
    *,
    input_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    units: tuple[int, ...] = (512,),
    dropout: float = 0.0,
) -> keras.Model:
    """Dense layers of `units`, then softmax: 407,050 parameters at these defaults.

    Args:
        input_shape: shape of one sample, any rank.
        classes: number of classes, K.
        units: width of each hidden layer.
        dropout: fraction dropped after each hidden layer in training, 0 to 0.9.
    """
    model = keras.Sequential(name="mlp")
    model.add(layers.Input(input_shape, dtype="uint8"))
    model.add(layers.Rescaling(1 / 255))
    model.add(layers.Flatten())  # (B, 784)
    for width in units:
        model.add(layers.Dense(width, activation="relu"))  # (B, 512)
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(classes, activation="softmax"))  # (B, 10)
    return model


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        units: width of every hidden layer, 16 to 1024.
        layers: number of hidden layers, 1 to 5.
        dropout: 0 to 0.5.
        learning_rate: 1e-4 to 1e-2.
    """
    units = hp.Int("units", 16, 1024, step=16, default=512)
    model = mlp(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        units=(units,) * hp.Int("layers", 1, 5, default=1),
        dropout=hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.0),
    )
    return compile_classifier(model, hp)
