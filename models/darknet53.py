"""Darknet-53: fifty-three convolutions in residual blocks, with which YOLOv3 sees at three sizes.

A block adds what it has learnt to what it was given, so that many of them learn as easily as few; convolutions of
stride 2 halve the maps, and nothing is pooled before the end.

Lesson: YOLOv3 and the table of its backbone; the comparison of backbones.
Paper: Redmon and Farhadi, "YOLOv3: An incremental improvement", 2018, section 2.4 and table 1.
Departure: 1e-5 is added to the variance of a batch, where Darknet adds 1e-6 to the deviation.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W at least 32; scaled to 0..1 inside.
Output shape: (B, K), probabilities.
Score: none; no recipe trains it yet. The paper and the course report 0.772 on ImageNet.
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


def darknet53(
    *,
    input_shape: tuple[int, ...] = (256, 256, 3),
    classes: int = 1000,
    width: int = 32,
    blocks: tuple[int, ...] = darknet.BLOCKS,
    momentum: float = 0.99,
) -> keras.Model:
    """The paper's network: exactly 41,645,640 parameters at these defaults, 41,609,928 of them trainable.

    Args:
        input_shape: `(H, W, C)`, H and W at least 32.
        classes: number of classes, K.
        width: maps of the first convolution; the last of the trunk has 32 times as many.
        blocks: residual blocks of each of the five stages.
        momentum: of the mean and variance that inference uses; less where training has few steps.

    Raises:
        ValueError: if the image is too small to be halved five times.
    """
    if min(input_shape[:2]) < 32:
        raise ValueError(f"`input_shape` must be at least 32x32 to be halved five times. Received: {input_shape}")
    inputs = layers.Input(input_shape, dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    x = darknet.darknet53(x, width=width, blocks=blocks, momentum=momentum)[32]  # (B, 8, 8, 1024)
    x = layers.GlobalAveragePooling2D()(x)  # (B, 1024)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name="darknet53")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        width: maps of the first convolution, 4 to 32; the paper has 32.
        blocks: residual blocks of a stage at most, 1 to 8; the paper has 1, 2, 8, 8 and 4, which 8 leaves as they are.
        momentum: of batch normalisation's mean and variance, 0.8 to 0.99; Darknet has 0.99, here 0.9, for fewer steps.
        learning_rate: 1e-5 to 1e-2.
    """
    spec.check(inputs=("image",), classes=True)
    most = hp.Int("blocks", 1, 8, default=1)
    model = darknet53(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        width=hp.Int("width", 4, 32, step=4, default=4),
        blocks=tuple(min(count, most) for count in darknet.BLOCKS),
        momentum=hp.Float("momentum", 0.8, 0.99, default=0.9),
    )
    return compile_classifier(model, hp)
