"""Multilayer perceptron: dense layers alone, blind to where a pixel or a word lies.

The baseline that a convolutional network has to beat: every pixel is a feature of its own, so what is
learned in one place says nothing about another.

Lesson: from the perceptron to the multilayer perceptron; the first network on MNIST; Reuters topics, with the
exercise of fewer hidden units, tanh for ReLU and most samples for validation.
Paper: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", Nature 1986.
Departures, all of them the course's: ReLU for the sigmoid, softmax with cross-entropy for squared error,
Adam for plain gradient descent.

Input shape: (B, ...): an image, uint8, flattened; (B, D): numbers, float32; (B, T): words, int32, of which only counts
which ones occur. All scaling is inside.
Output shape: (B, K), probabilities.
Score: accuracy 0.978 on MNIST's 10,000 (recipe mlp_mnist, 11 epochs, 21 s), 0.950 on 359 digits of 8x8 (mlp_digits, 5
s), 0.926 on 1,684 Reuters newswires of 31 topics (mlp_reuters, 20 epochs, 12 s), 0.752 there with a last layer of 4
units, all on 2 CPU cores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts import fronts
from models.parts.classifiers import compile_classifier
from models.spec import Input, Spec

if TYPE_CHECKING:
    import keras_tuner

IMAGE = Spec({"image": Input((28, 28, 1), "uint8")}, classes=tuple("0123456789"))


def mlp(
    *,
    spec: Spec = IMAGE,
    units: tuple[int, ...] = (512,),
    activation: str = "relu",
    dropout: float = 0.0,
) -> keras.Model:
    """Dense layers of `units`, then softmax: 407,050 parameters at these defaults.

    Args:
        spec: one input of any kind, and classes.
        units: width of each hidden layer.
        activation: of the hidden layers.
        dropout: fraction dropped after each hidden layer in training, 0 to 0.9.
    """
    spec.check(inputs=tuple(spec.inputs)[:1], classes=True)
    ((name, tensor),) = fronts.inputs(spec).items()
    x = fronts.features(name, spec.input, tensor)  # (B, 784)
    for width in units:
        x = layers.Dense(width, activation=activation)(x)  # (B, 512)
        x = layers.Dropout(dropout)(x)
    return keras.Model(tensor, layers.Dense(len(spec.classes), activation="softmax")(x), name="mlp")  # (B, 10)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        units: width of every hidden layer but perhaps the last, 1 to 1024.
        layers: number of hidden layers, 0 to 5; without one it is a linear classifier.
        bottleneck: width of the last hidden layer, 1 to 1024; 0 as the others.
        activation: relu, tanh or sigmoid.
        dropout: 0 to 0.5.
        learning_rate: 1e-5 to 1e-2.
    """
    units = hp.Int("units", 1, 1024, sampling="log", default=512)
    last = hp.Int("bottleneck", 0, 1024, default=0) or units
    hidden = hp.Int("layers", 0, 5, default=1)
    model = mlp(
        spec=spec,
        units=((units,) * (hidden - 1) + (last,)) if hidden else (),
        activation=hp.Choice("activation", ["relu", "tanh", "sigmoid"], default="relu"),
        dropout=hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.0),
    )
    return compile_classifier(model, hp)
