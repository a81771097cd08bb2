"""Inception: convolutions of several sizes side by side, so that the network need not choose one.

Convolutions of one pixel make the wide ones cheap, by first taking fewer maps.

Lesson: the functional API, Inception modules.
Paper: Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 4 and figure 2b.
A toy of such modules: the course gives no numbers; the proportions are those of the paper's module 3a. Departure from
the paper: one classifier, not three.

Input shape: (B, H, W, C), uint8, 0 to 255; scaled to 0..1 inside.
Output shape: (B, K), probabilities.
Score: accuracy 0.972 on 359 digits of 8x8 (recipe inception_digits, 44 s on 2 busy CPU cores).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.classifiers import compile_classifier

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def inception(
    *, input_shape: tuple[int, ...] = (8, 8, 1), classes: int = 10, width: int = 8, modules: int = 2
) -> keras.Model:
    """A convolution, `modules` Inception modules, and the mean of each map.

    Args:
        input_shape: `(H, W, C)`.
        classes: number of classes, K.
        width: maps of a module's narrowest branches; a module gives eight times as many.
        modules: how many modules.
    """
    inputs = layers.Input(input_shape, dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(2 * width, 3, padding="same", activation="relu")(x)  # (B, 8, 8, 16)
    for _ in range(modules):
        x = module(x, width)  # (B, 8, 8, 64)
    x = layers.GlobalAveragePooling2D()(x)  # (B, 64)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name="inception")


def module(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Four branches: 1x1, 3x3, 5x5, and pooling; in module 3a of the paper, `width` is 32."""
    one = convolution(x, 2 * width, 1)
    three = convolution(convolution(x, 3 * width, 1), 4 * width, 3)
    five = convolution(convolution(x, width // 2, 1), width, 5)
    pooled = convolution(layers.MaxPooling2D(3, strides=1, padding="same")(x), width, 1)
    return layers.Concatenate()([one, three, five, pooled])


def convolution(x: keras.KerasTensor, filters: int, size: int) -> keras.KerasTensor:
    return layers.Conv2D(filters, size, padding="same", activation="relu")(x)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        width: maps of a module's narrowest branches, 4 to 32.
        modules: 1 to 4.
        learning_rate: 1e-5 to 1e-2.
    """
    spec.check(inputs=("image",), classes=True)
    model = inception(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        width=hp.Int("width", 4, 32, step=4, default=8),
        modules=hp.Int("modules", 1, 4, default=2),
    )
    return compile_classifier(model, hp)
