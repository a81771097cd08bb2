"""Deep multilayer perceptron: five dense layers on colour images, which learn the training samples by heart.

What dense layers make of photographs: more layers and weights fit the training samples ever better, while the
validation loss turns up early. The gap between the two is the lesson's point.

Lesson: fully connected networks on CIFAR-10 (2048-1024-512-128-32, SGD 0.01, batches of 32, 50 epochs), with the
variant that drops half of the units.
Paper: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014, for the
variant. Departures: none from the course's network.

Input shape: (B, H, W, C), uint8, 0 to 255; scaled to 0..1 inside.
Output shape: (B, K), probabilities.
Score: accuracy 0.518 on CIFAR-10's 10,000 (recipe deep_mlp_cifar10: momentum 0.9, 30 epochs, 877 s on 2 busy CPU
cores); the training samples have 0.777 then, the validation samples 0.519 and 0.543 at best. The course's own
settings, deep_mlp_cifar10_course, took no part in this; the course prints 0.934 and 0.523 after 50 epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.classifiers import learning_rate

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec

UNITS = (2048, 1024, 512, 128, 32)


def deep_mlp(
    *,
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    units: tuple[int, ...] = UNITS,
    dropout: float = 0.0,
) -> keras.Model:
    """Dense layers of `units`, then softmax: 8,986,602 parameters at these defaults.

    Args:
        input_shape: `(H, W, C)`.
        classes: number of classes, K.
        units: width of each hidden layer.
        dropout: fraction dropped after each hidden layer in training; the course's variant has 0.5.
    """
    model = keras.Sequential([layers.Input(input_shape, dtype="uint8"), layers.Rescaling(1 / 255)], name="deep_mlp")
    model.add(layers.Flatten())  # (B, 3072)
    for width in units:
        model.add(layers.Dense(width, activation="relu"))  # (B, 2048) ... (B, 32)
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(classes, activation="softmax"))  # (B, 10)
    return model


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network with stochastic gradient descent, as the course does; Adam would hide the lesson.

    Hyperparameters:
        shrink: all layers are narrower by this factor, 1 to 32.
        dropout: 0 to 0.5.
        learning_rate: 1e-5 to 1e-1.
        momentum: 0 to 0.95.
    """
    spec.check(inputs=("image",), classes=True)
    shrink = hp.Choice("shrink", [1, 2, 4, 8, 16, 32], default=1)
    model = deep_mlp(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        units=tuple(max(1, width // shrink) for width in UNITS),
        dropout=hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.0),
    )
    rate = learning_rate(hp, rate=1e-2, highest=1e-1)
    model.compile(
        optimizer=keras.optimizers.SGD(rate, momentum=hp.Float("momentum", 0.0, 0.95, default=0.0)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
