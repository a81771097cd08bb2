"""Two branches over one image: convolutions for what is local, dense layers for the whole, read together.

The least network that no list of layers can describe: its graph parts and meets again.

Lesson: the functional API, two branches that are concatenated.
Paper: Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 4, for branches that are concatenated.
A toy: the course gives no numbers, the widths are ours.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W at least 4; scaled to 0..1 inside.
Output shape: (B, K), probabilities.
Score: accuracy 0.981 on 359 digits of 8x8 (recipe two_branches_digits, 9 s on 2 CPU cores).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.classifiers import compile_classifier

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def two_branches(
    *, input_shape: tuple[int, ...] = (8, 8, 1), classes: int = 10, filters: int = 32, dense: int = 64
) -> keras.Model:
    """Convolution and pooling beside a dense layer, concatenated.

    Args:
        input_shape: `(H, W, C)`.
        classes: number of classes, K.
        filters: maps of the local branch.
        dense: units of the global branch.
    """
    inputs = layers.Input(input_shape, dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    local = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)  # (B, 8, 8, 32)
    local = layers.Flatten()(layers.MaxPooling2D(2)(local))  # (B, 512)
    whole = layers.Dense(dense, activation="relu")(layers.Flatten()(x))  # (B, 64)
    both = layers.Concatenate()([local, whole])  # (B, 576)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(both), name="two_branches")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        filters: maps of the local branch, 4 to 64.
        dense: units of the global branch, 8 to 256.
        learning_rate: 1e-5 to 1e-2.
    """
    spec.check(inputs=("image",), classes=True)
    model = two_branches(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        filters=hp.Int("filters", 4, 64, step=4, default=32),
        dense=hp.Int("dense", 8, 256, step=8, default=64),
    )
    return compile_classifier(model, hp)
