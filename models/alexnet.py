"""AlexNet: five convolutions and three dense layers, with which deep learning won ImageNet in 2012.

ReLU learns several times faster than tanh, dropout keeps sixty million weights from learning by heart; two groups of
filters that meet only in the third convolution once let the network lie on two GPUs.

Lesson: region-based detection: R-CNN takes its features from here.
Paper: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012,
section 3.5 and figure 2; `alexnet_one_tower` is Krizhevsky, "One weird trick for parallelizing convolutional neural
networks", 2014, as torchvision has it. Departures: images of 227x227, which the paper's own sizes need where it says
224; 127.5 is taken from every value, where the paper takes the training set's mean; weights begin as Keras begins them.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W at least 25; centred inside, not divided.
Output shape: (B, K), probabilities.
Score: none; no recipe trains it yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.alexnet import KERNEL, LEAST, pooled, trunk
from models.parts.classifiers import compile_classifier

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def alexnet(
    *,
    input_shape: tuple[int, ...] = (227, 227, 3),
    classes: int = 1000,
    width: int = 32,
    stride: int = 4,
    dropout: float = 0.5,
) -> keras.Model:
    """The network of 2012: exactly 60,965,224 parameters at these defaults.

    Args:
        input_shape: `(H, W, C)`, H and W at least `11 + 14 * stride`.
        classes: number of classes, K.
        width: what all layers are multiples of, even; 3, 8, 12, 12 and 8 times as many filters, 128 times as many
            dense units.
        stride: of the first convolution, in pixels.
        dropout: fraction of the units of both dense layers dropped in training.

    Raises:
        ValueError: if the image is too small for that stride.
    """
    check(input_shape, stride)
    inputs = layers.Input(input_shape, dtype="uint8")
    x = layers.Rescaling(1.0, offset=-127.5)(inputs)
    x = trunk(x, width=width, stride=stride)[8 * stride]  # (B, 6, 6, 256)
    for units in (128 * width, 128 * width):
        x = layers.Dense(units, activation="relu")(layers.Flatten()(x))  # (B, 4096)
        x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name="alexnet")


def check(input_shape: tuple[int, ...], stride: int) -> None:
    """Say early that the poolings would leave nothing."""
    least = KERNEL + (LEAST - 1) * stride
    if stride < 1 or min(input_shape[:2]) < least:
        raise ValueError(
            f"`input_shape` must be at least {least}x{least} for a first convolution of 11x11 with stride {stride} and "
            f"three poolings. Received: {input_shape}"
        )


def alexnet_one_tower(
    *, input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000, width: int = 32, dropout: float = 0.5
) -> keras.Model:
    """The network of 2014, without groups and normalisation: exactly 61,100,840 parameters at these defaults.

    Args:
        input_shape: `(H, W, C)`, H and W at least 63.
        classes: number of classes, K.
        width: what all layers are multiples of; 2, 6, 12, 8 and 8 times as many filters, 128 times as many dense units.
        dropout: fraction of what both dense layers read dropped in training.

    Source: torchvision's `alexnet`, which has 256 filters in the fourth convolution where the network of 2012 has 384.
    Departure: torchvision takes images less ImageNet's mean and by its deviation, from 0..1; here they are -1 to 1.
    """
    check((input_shape[0] + 4, input_shape[1] + 4), 4)
    inputs = layers.Input(input_shape, dtype="uint8")
    x = layers.ZeroPadding2D(2)(layers.Rescaling(1 / 127.5, offset=-1)(inputs))
    x = layers.Conv2D(2 * width, KERNEL, strides=4, activation="relu")(x)  # (B, 55, 55, 64)
    x = layers.Conv2D(6 * width, 5, padding="same", activation="relu")(pooled(x))  # (B, 27, 27, 192)
    x = pooled(x)  # (B, 13, 13, 192)
    for times in (12, 8, 8):
        x = layers.Conv2D(times * width, 3, padding="same", activation="relu")(x)  # (B, 13, 13, 256) at last
    x = layers.Flatten()(pooled(x))  # (B, 9216)
    for units in (128 * width, 128 * width):
        x = layers.Dense(units, activation="relu")(layers.Dropout(dropout)(x))  # (B, 4096)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name="alexnet_one_tower")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network of 2012 for `spec`; the paper's stride of 4, or less where images are smaller than 67x67.

    Hyperparameters:
        width: what all layers are multiples of, 2 to 32; the paper has 32.
        dropout: 0 to 0.7.
        learning_rate: 1e-5 to 1e-2.
    """
    spec.check(inputs=("image",), classes=True)
    model = alexnet(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        width=hp.Int("width", 2, 32, step=2, default=4),
        stride=min(4, (min(spec.input_shape[:2]) - KERNEL) // (LEAST - 1)),
        dropout=hp.Float("dropout", 0.0, 0.7, step=0.1, default=0.5),
    )
    return compile_classifier(model, hp, rate=1e-4)
