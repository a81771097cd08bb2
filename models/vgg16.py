"""Sixteen layers of small convolutions, for transfer: the plainest of the deep networks, and the heaviest.

Two 3x3 convolutions see as far as one of 5x5, with fewer weights and one more non-linearity; nine in ten of the
network's weights are in its dense layers, which transfer leaves behind.

Lesson: VGG16 and its table; transfer learning; looking inside with it.
Paper: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
table 1, column D. The network is that of keras.applications. Departure: images come as they are stored, and what
ImageNet's weights expect of them is done inside.

Input shape: (B, H, W, C), uint8, 0 to 255, RGB or grey, H and W at least 32.
Output shape: (B, K), probabilities.
Score: none; its weights could not be had where this was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts import augmentation, pretrained
from models.parts.classifiers import compile_classifier

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec

BLOCKS = ("block1", "block2", "block3", "block4", "block5")


def vgg16(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 3,
    unfrozen: int = 0,
    dropout: float = 0.0,
    mirror: bool = False,
) -> keras.Model:
    """The trunk of 14,714,688 parameters with a new classifier.

    Args:
        input_shape: `(H, W, C)`, C 1 or 3, H and W at least 32.
        classes: number of classes, K.
        unfrozen: how many of the five blocks learn, counted from the last, 0 to 5.
        dropout: fraction of the features dropped in training.
        mirror: whether half of the images are mirrored in training.
    """
    if min(input_shape[:2]) < 32:
        raise ValueError(f"`input_shape` must be at least 32x32 for five poolings. Received: {input_shape}")
    inputs = layers.Input(input_shape, dtype="uint8")
    x = pretrained.door(augmentation.moved(inputs, mirror=mirror))
    trunk = keras.applications.VGG16(include_top=False, weights=None, input_tensor=x)
    outputs = pretrained.classifier(trunk.output, classes=classes, dropout=dropout)
    model = keras.Model(inputs, outputs, name="vgg16")
    pretrained.freeze(model, trained=BLOCKS[len(BLOCKS) - unfrozen :])
    return model


def imagenet() -> keras.Model:
    """The whole network for ImageNet's 1000 classes: exactly 138,357,544 parameters."""
    inputs = layers.Input((224, 224, 3), dtype="uint8")
    whole = keras.applications.VGG16(weights=None, input_tensor=pretrained.door(inputs))
    return keras.Model(inputs, whole.output, name="vgg16_imagenet")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        unfrozen: blocks that learn, counted from the last, 0 to 5.
        dropout: 0 to 0.7.
        mirror: true where a mirrored image has the same class.
        learning_rate: 1e-5 to 1e-2.
    """
    spec.check(inputs=("image",), classes=True)
    model = vgg16(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        unfrozen=hp.Int("unfrozen", 0, 5, default=0),
        dropout=hp.Float("dropout", 0.0, 0.7, step=0.1, default=0.2),
        mirror=hp.Boolean("mirror", default=False),
    )
    return compile_classifier(model, hp)
