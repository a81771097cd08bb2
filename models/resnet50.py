"""Residual network of 50 layers, for transfer: features learnt on a million photographs, a classifier learnt on few.

First the classifier alone learns, on features that stay as they are; then the last stages may learn too, slowly, so
that they are changed and not forgotten. Each phase is a recipe; the second starts from the first.

Lesson: transfer learning and fine-tuning.
Paper: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, table 1. The network is that of
keras.applications. Departures: images come as they are stored, and what ImageNet's weights expect of them is done
inside; batch normalisation keeps ImageNet's statistics, also where layers are unfrozen.

Input shape: (B, H, W, C), uint8, 0 to 255, RGB or grey, H and W at least 32 for good features.
Output shape: (B, K), probabilities.
Score: accuracy 0.958, then 0.967, on 120 photographs of three breeds (recipe resnet50_pets, 6 epochs of the
classifier alone, 422 s, then resnet50_pets_tuned, 3 epochs of the last stage, 140 s, on 2 busy CPU cores).
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

STAGES = ("conv1", "conv2", "conv3", "conv4", "conv5")


def resnet50(
    *,
    input_shape: tuple[int, ...] = (224, 224, 3),
    classes: int = 3,
    unfrozen: int = 0,
    dropout: float = 0.0,
    mirror: bool = False,
) -> keras.Model:
    """The trunk of 23,587,712 parameters with a new classifier.

    Args:
        input_shape: `(H, W, C)`, C 1 or 3.
        classes: number of classes, K.
        unfrozen: how many of the five stages learn, counted from the last, 0 to 5.
        dropout: fraction of the features dropped in training.
        mirror: whether half of the images are mirrored in training.
    """
    inputs = layers.Input(input_shape, dtype="uint8")
    x = pretrained.door(augmentation.moved(inputs, mirror=mirror))
    trunk = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
    outputs = pretrained.classifier(trunk.output, classes=classes, dropout=dropout)
    model = keras.Model(inputs, outputs, name="resnet50")
    pretrained.freeze(model, trained=STAGES[len(STAGES) - unfrozen :])
    return model


def imagenet() -> keras.Model:
    """The whole network for ImageNet's 1000 classes: exactly 25,636,712 parameters."""
    inputs = layers.Input((224, 224, 3), dtype="uint8")
    whole = keras.applications.ResNet50(weights=None, input_tensor=pretrained.door(inputs))
    return keras.Model(inputs, whole.output, name="resnet50_imagenet")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        unfrozen: stages that learn, counted from the last, 0 to 5.
        dropout: 0 to 0.7.
        mirror: true where a mirrored image has the same class.
        learning_rate: 1e-5 to 1e-2.
    """
    spec.check(inputs=("image",), classes=True)
    model = resnet50(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        unfrozen=hp.Int("unfrozen", 0, 5, default=0),
        dropout=hp.Float("dropout", 0.0, 0.7, step=0.1, default=0.2),
        mirror=hp.Boolean("mirror", default=False),
    )
    return compile_classifier(model, hp)
