"""Convolutional network: learned local patterns, pooled twice, read by a small dense classifier.

Local features are found wherever they lie in the image, with few weights; pooling widens what the
next convolution sees.

Lesson: convolutional networks, the MNIST classifier (Conv 32, pool, Conv 64, pool, Conv 64, dense 64).
Paper: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition",
Proc. IEEE 1998, section II. Departures from LeNet-5, all of them the course's: ReLU for tanh, max
pooling for trainable subsampling, 3x3 kernels for 5x5, softmax for radial basis functions.

Input shape: (B, H, W, C), uint8, 0 to 255; scaled to 0..1 inside. The course scales outside the network.
Output shape: (B, K), probabilities.
Score: accuracy 0.991 on MNIST's 10,000 (recipe cnn_mnist, 10 epochs, 84 s), 0.992 on 359 digits of 8x8 (cnn_digits,
23 s), both on 2 CPU cores. The course reports 0.99 on MNIST after 5 epochs, to two digits; after as many this network
has 0.9886 to 0.9900 (six seeds), so the recipe lets the validation samples say when to stop: 0.9893 to 0.9920.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.classifiers import compile_classifier

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def cnn(
    *,
    input_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    filters: tuple[int, int, int] = (32, 64, 64),
    dense: int = 64,
    padding: str = "valid",
    dropout: float = 0.0,
) -> keras.Model:
    """The course's MNIST network: exactly 93,322 parameters at these defaults.

    Args:
        input_shape: `(H, W, C)`. With `padding="valid"` H and W must be at least 18.
        classes: number of classes, K.
        filters: maps of the three convolutions.
        dense: units of the hidden dense layer.
        padding: `"valid"` as in the course, or `"same"` for images too small for it.
        dropout: fraction of the hidden units dropped in training, 0 to 0.9; the course has none.
    """
    if padding == "valid" and min(input_shape[:2]) < 18:
        raise ValueError(
            "`input_shape` must be at least 18x18 for three unpadded 3x3 convolutions and two poolings; "
            f"smaller images need padding='same'. Received: input_shape={input_shape}, padding='valid'"
        )
    first, second, third = filters
    return keras.Sequential(
        [
            layers.Input(input_shape, dtype="uint8"),
            layers.Rescaling(1 / 255),  # (B, 28, 28, 1), 0..1
            layers.Conv2D(first, 3, padding=padding, activation="relu"),  # (B, 26, 26, 32)
            layers.MaxPooling2D(2),  # (B, 13, 13, 32)
            layers.Conv2D(second, 3, padding=padding, activation="relu"),  # (B, 11, 11, 64)
            layers.MaxPooling2D(2),  # (B, 5, 5, 64)
            layers.Conv2D(third, 3, padding=padding, activation="relu"),  # (B, 3, 3, 64)
            layers.Flatten(),  # (B, 576)
            layers.Dense(dense, activation="relu"),  # (B, 64)
            layers.Dropout(dropout),
            layers.Dense(classes, activation="softmax"),  # (B, 10)
        ],
        name="cnn",
    )


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`; the defaults are the course's settings.

    Hyperparameters:
        filters: maps of the first convolution, 8 to 64; the others have twice as many.
        dense: hidden units, 16 to 256.
        padding: valid or same.
        dropout: 0 to 0.5.
        learning_rate: 1e-5 to 1e-2.
    """
    spec.check(inputs=("image",), classes=True)
    filters = hp.Int("filters", 8, 64, step=8, default=32)
    model = cnn(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        filters=(filters, 2 * filters, 2 * filters),
        dense=hp.Int("dense", 16, 256, step=16, default=64),
        padding=hp.Choice("padding", ["valid", "same"], default="valid"),
        dropout=hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.0),
    )
    return compile_classifier(model, hp)
