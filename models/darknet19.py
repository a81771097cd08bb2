"""Darknet-19: nineteen convolutions, 3x3 to see and 1x1 to keep the maps few, with which YOLOv2 sees.

Maps double in number whenever pooling halves them; no dense layer: the last convolution has one map for each class,
and its mean is the class's score, so that images of any size will do.

Lesson: YOLOv2 and the table of its backbone; the comparison of backbones.
Paper: Redmon and Farhadi, "YOLO9000: Better, faster, stronger", CVPR 2017, section 3 and table 6.
Departure: 1e-5 is added to the variance of a batch, where Darknet adds 1e-6 to the deviation.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W at least 32; scaled to 0..1 inside.
Output shape: (B, K), probabilities.
Score: none; no recipe trains it yet. The paper reports 0.729 on ImageNet, the course 0.741.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts import darknet
from models.parts.classifiers import compile_classifier

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def darknet19(
    *, input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1000, width: int = 32, momentum: float = 0.99
) -> keras.Model:
    """The paper's network: exactly 20,856,776 parameters at these defaults, 20,842,376 of them trainable.

    Args:
        input_shape: `(H, W, C)`, H and W at least 32.
        classes: number of classes, K.
        width: maps of the first convolution; the last of the trunk has 32 times as many.
        momentum: of the mean and variance that inference uses; less where training has few steps.

    Raises:
        ValueError: if the image is too small for five poolings.
    """
    if min(input_shape[:2]) < 32:
        raise ValueError(f"`input_shape` must be at least 32x32 for five poolings. Received: {input_shape}")
    inputs = layers.Input(input_shape, dtype="uint8")
    x = darknet.darknet19(layers.Rescaling(1 / 255)(inputs), width=width, momentum=momentum)[32]  # (B, 7, 7, 1024)
    x = layers.Conv2D(classes, 1)(x)  # (B, 7, 7, 1000)
    x = layers.GlobalAveragePooling2D()(x)  # (B, 1000)
    return keras.Model(inputs, layers.Softmax()(x), name="darknet19")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        width: maps of the first convolution, 4 to 32; the paper has 32.
        momentum: of batch normalisation's mean and variance, 0.8 to 0.99; Darknet has 0.99, here 0.9, for fewer steps.
        learning_rate: 1e-5 to 1e-2.
    """
    spec.check(inputs=("image",), classes=True)
    model = darknet19(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        width=hp.Int("width", 4, 32, step=4, default=4),
        momentum=hp.Float("momentum", 0.8, 0.99, default=0.9),
    )
    return compile_classifier(model, hp)
