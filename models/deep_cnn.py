"""Deep convolutional network: three blocks of two convolutions, each block half as wide and with more maps.

Batch normalisation lets it learn fast, dropout and shifted or mirrored images keep it from learning by heart: the
same photographs that defeat dense layers, with a third of their weights.

Lesson: convolutional networks on CIFAR-10 (32-32, 64-64, 256-256, dense 512; Adam 0.001, batches of 128, 50 epochs),
and data augmentation.
Papers: Simonyan and Zisserman, "Very deep convolutional networks", ICLR 2015, for the blocks; Ioffe and Szegedy,
"Batch normalization", ICML 2015. Departures from the course: images can be mirrored and shifted in training, and the
learning rate can fall along half a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017); neither by default.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W at least 8; scaled to 0..1 inside.
Output shape: (B, K), probabilities.
Score: accuracy 0.816 on CIFAR-10's 10,000 (recipe deep_cnn_cifar10: 8 epochs, 2,188 s on 2 busy CPU cores). The
course's 50 epochs, deep_cnn_cifar10_course, are for a GPU and not measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts import augmentation
from models.parts.classifiers import compile_classifier

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def deep_cnn(
    *,
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    filters: tuple[int, ...] = (32, 64, 256),
    dense: int = 512,
    shift: float = 0.0,
    mirror: bool = False,
) -> keras.Model:
    """The course's CIFAR-10 network: exactly 2,911,018 parameters at these defaults, 2,908,586 of them trainable.

    Args:
        input_shape: `(H, W, C)`, H and W at least 8.
        classes: number of classes, K.
        filters: maps of both convolutions of each block.
        dense: units of the hidden dense layer.
        shift: in training, images are moved by up to this fraction of their size, 0 to 0.5.
        mirror: whether half of the images are mirrored in training.
    """
    if min(input_shape[:2]) < 8:
        raise ValueError(f"`input_shape` must be at least 8x8 for three poolings. Received: {input_shape}")
    inputs = layers.Input(input_shape, dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)  # (B, 32, 32, 3), 0..1
    x = augmentation.moved(x, shift=shift, mirror=mirror)
    for maps in filters:
        x = block(x, maps)  # (B, 16, 16, 32), (B, 8, 8, 64), (B, 4, 4, 256)
    x = layers.Flatten()(x)  # (B, 4096)
    x = layers.Dense(dense, activation="relu")(x)  # (B, 512)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name="deep_cnn")  # (B, 10)


def block(x: keras.KerasTensor, maps: int) -> keras.KerasTensor:
    """Twice convolution, ReLU and batch normalisation, then pooling and dropout: half as high and wide."""
    for _ in range(2):
        x = layers.Conv2D(maps, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
    return layers.Dropout(0.25)(layers.MaxPooling2D(2)(x))


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`; the defaults are the course's settings.

    Hyperparameters:
        filters: maps of the first block, 8 to 64; the others have twice and eight times as many.
        dense: hidden units, 64 to 1024.
        shift: 0 to 0.2.
        mirror: true where a mirrored image has the same class.
        learning_rate: 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero; 0 for none.
    """
    spec.check(inputs=("image",), classes=True)
    filters = hp.Int("filters", 8, 64, step=8, default=32)
    model = deep_cnn(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        filters=(filters, 2 * filters, 8 * filters),
        dense=hp.Int("dense", 64, 1024, step=64, default=512),
        shift=hp.Float("shift", 0.0, 0.2, step=0.05, default=0.0),
        mirror=hp.Boolean("mirror", default=False),
    )
    return compile_classifier(model, hp, decays=True)
