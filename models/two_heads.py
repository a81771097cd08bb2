"""One trunk, two heads: the same features answer which style a book is of and in which year it came out.

Both questions teach the trunk, which costs half of two networks; what it is biased to, both answers share.

Lesson: networks of several outputs, the year of publication and the style of a book.
Paper: Caruana, "Multitask learning", Machine Learning 1997. The course draws this network and gives no numbers; the
widths are ours.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W at least 8; scaled to 0..1 inside.
Output shape: a dictionary: `label` (B, K), probabilities; by the number's name (B, 1), in its own unit.
Score: on 600 generated covers every style is right, and the year is 4.6 years off (recipe two_heads_books, 60 s on 2
CPU cores).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts.classifiers import learning_rate
from models.parts.regressors import place
from models.spec import Input, Number, Spec

if TYPE_CHECKING:
    import keras_tuner

BOOKS = Spec(
    {"image": Input((48, 48, 3), "uint8")},
    classes=("gothic", "baroque", "modern", "minimal"),
    number=Number("year", 1800, 1910, 2020),
)


def two_heads(
    *, spec: Spec = BOOKS, filters: tuple[int, ...] = (16, 32, 64), dense: int = 64, heads: tuple[str, ...] = ()
) -> keras.Model:
    """Convolutions and a dense layer that both heads share.

    Args:
        spec: an image; classes and a number that are asked for.
        filters: maps of each convolution.
        dense: units of the shared dense layer.
        heads: of `label` and the number's name, those to build; both if empty. One alone is what it costs to ask each
            question with a network of its own.
    """
    spec.check(inputs=("image",), classes=True, number=True)
    inputs = layers.Input(spec.input_shape, dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    for maps in filters:
        x = layers.Conv2D(maps, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)  # (B, 24, 24, 16), (B, 12, 12, 32), (B, 6, 6, 64)
    x = layers.Dense(dense, activation="relu")(layers.Flatten()(x))
    number = spec.amount
    answers = {
        "label": layers.Dense(len(spec.classes), activation="softmax", name="label")(x),
        number.name: place(x, number),
    }
    return keras.Model(inputs, {name: answers[name] for name in heads or answers}, name="two_heads")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`: cross-entropy, and the mean absolute error as a share of the number's range.

    Hyperparameters:
        filters: maps of the first convolution, 4 to 32; the others have twice and four times as many.
        dense: units of the shared dense layer, 16 to 256.
        weight: of the number's loss beside the classes', 0.1 to 100.
        learning_rate: 1e-5 to 1e-2.
    """
    filters = hp.Int("filters", 4, 32, step=4, default=16)
    model = two_heads(
        spec=spec, filters=(filters, 2 * filters, 4 * filters), dense=hp.Int("dense", 16, 256, step=16, default=64)
    )
    number = spec.amount
    span = (number.highest - number.lowest) or 1.0
    weight = hp.Float("weight", 0.1, 100.0, sampling="log", default=10.0)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate(hp)),
        loss={"label": "sparse_categorical_crossentropy", number.name: "mean_absolute_error"},
        loss_weights={"label": 1.0, number.name: weight / span},
        metrics={"label": ["accuracy"], number.name: []},
    )
    return model
