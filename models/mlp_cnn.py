"""Two branches for two kinds of input: dense layers for attributes, convolutions for photographs, one price.

Each branch ends in four features, so that neither outweighs the other; what they say together is learnt behind the
place where they meet.

Lesson: networks of several inputs, the price of a house from its attributes and a mosaic of four photographs.
Paper: Ahmed and Moustafa, "House price estimation from visual and textual features", 2016, for the data. The network
is the course's: dense 8 and 4; convolutions of 16, 32 and 64 maps, dense 16 and 4; together 4, then 1. The course's
text has a longer head for the photographs (16, 8, 4); both are here. Departures: scaling is inside the network, and
the answer is in the price's own unit.

Input shape: `numbers` (B, D), float32; `categories` (B, M), int32; `image` (B, H, W, C), uint8, H and W at least 8.
Output shape: (B, 1), the number in its own unit.
Score: mean absolute percentage error 23.1 on the course's 96 houses (recipe mlp_cnn_houses, 50 epochs of 259 houses,
the last epoch's weights, 35 s on 2 CPU cores); the course's best epoch on the same 96 had 26.8. The photographs carry
nothing of that: with another house's photographs the error is 22.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts import fronts
from models.parts.regressors import amount, compile_regressor
from models.spec import Input, Number, Spec

if TYPE_CHECKING:
    import keras_tuner

HOUSES = Spec(
    {
        "image": Input((64, 64, 3), "uint8"),
        "numbers": Input((3,), "float32", lowest=(1, 1, 700), highest=(10, 7, 9583)),
        "categories": Input((1,), "int32", sizes=(8,)),
    },
    number=Number("price", 36_000, 527_956, 5_858_000),
)


def mlp_cnn(
    *,
    spec: Spec = HOUSES,
    filters: tuple[int, ...] = (16, 32, 64),
    head: tuple[int, ...] = (16,),
    dropout: float = 0.5,
) -> keras.Model:
    """The course's network for houses.

    Args:
        spec: an image, numbers and categories, and a number that is asked for.
        filters: maps of each convolution of the image's branch.
        head: dense layers between its convolutions and its four features; `(16, 8)` as the course's text has it.
        dropout: fraction dropped in that head.
    """
    spec.check(inputs=("image", "numbers", "categories"), number=True)
    inputs = fronts.inputs(spec)
    known = [fronts.features(name, spec.inputs[name], inputs[name]) for name in ("numbers", "categories")]
    seen = photograph(inputs["image"], filters=filters, head=head, dropout=dropout)  # (B, 4)
    both = layers.Concatenate()([attributes(layers.Concatenate()(known)), seen])  # (B, 8)
    x = layers.Dense(4, activation="relu")(both)
    return keras.Model(inputs, amount(x, spec.amount), name="mlp_cnn")


def attributes(x: keras.KerasTensor) -> keras.KerasTensor:
    """Features (B, D) as four."""
    return layers.Dense(4, activation="relu")(layers.Dense(8, activation="relu")(x))


def photograph(
    x: keras.KerasTensor, *, filters: tuple[int, ...], head: tuple[int, ...], dropout: float
) -> keras.KerasTensor:
    """Images (B, H, W, C) as four features."""
    x = layers.Rescaling(1 / 255)(x)
    for maps in filters:
        x = layers.Conv2D(maps, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(2)(x)  # (B, 32, 32, 16), (B, 16, 16, 32), (B, 8, 8, 64)
    x = layers.Flatten()(x)
    for width in head:
        x = layers.Dense(width, activation="relu")(x)
    x = layers.Dropout(dropout)(layers.BatchNormalization()(x))
    return layers.Dense(4, activation="relu")(x)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`; the defaults are the course's settings.

    Hyperparameters:
        filters: maps of the first convolution, 4 to 32; the others have twice and four times as many.
        long_head: whether the photographs' head has the layer of 8 that the course's text tells of.
        dropout: 0 to 0.7.
        learning_rate: 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero; 0 for none.
    """
    filters = hp.Int("filters", 4, 32, step=4, default=16)
    model = mlp_cnn(
        spec=spec,
        filters=(filters, 2 * filters, 4 * filters),
        head=(16, 8) if hp.Boolean("long_head", default=False) else (16,),
        dropout=hp.Float("dropout", 0.0, 0.7, step=0.1, default=0.5),
    )
    return compile_regressor(model, hp)
