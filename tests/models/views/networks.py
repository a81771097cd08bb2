"""Small networks that the tests of the views look into, and images with a planted object; generated."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

SIDE, PATCH = 24, 8


def plain(*, side: int = 12, channels: int = 3, classes: int = 4) -> keras.Model:
    """Convolutions, pooling and dense layers, all with their activation as an argument."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            layers.Input((side, side, channels), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, activation="relu", name="first"),
            layers.MaxPooling2D(2),
            layers.Conv2D(8, 3, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def pooled(*, classes: int = 4) -> keras.Model:
    """A network that ends in global average pooling and one dense layer, with a branch and ReLUs as layers."""
    keras.utils.set_random_seed(2)
    inputs = layers.Input((12, 12, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255, name="rescaling")(inputs)
    x = layers.Conv2D(8, 3, padding="same", name="first")(x)
    x = branch = layers.Activation("relu", name="first_relu")(x)
    x = layers.Conv2D(8, 3, padding="same", name="inner")(x)
    x = layers.ReLU(name="inner_relu")(x)
    x = layers.Conv2D(8, 3, padding="same", name="last")(x)
    x = layers.ReLU(name="last_relu")(layers.Add()([branch, x]))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="answer")(x))


def nested(whole: keras.Model) -> keras.Model:
    """The same function as `pooled`, with its convolutions in a network inside, and that in another one."""
    inputs = layers.Input((12, 12, 3), dtype="uint8")
    trunk = keras.Model(whole.get_layer("rescaling").output, whole.get_layer("last_relu").output, name="trunk")
    trunk = keras.models.clone_model(trunk)
    body = keras.Sequential([layers.Input((12, 12, 3), dtype="uint8"), layers.Rescaling(1 / 255), trunk], name="body")
    x = layers.GlobalAveragePooling2D()(body(inputs, training=False))
    head = keras.Sequential([layers.Dropout(0.5), layers.Dense(4, activation="softmax", name="answer")], name="head")
    model = keras.Model(inputs, head(x))
    model.set_weights(whole.get_weights())
    return model


def images(count: int = 3, *, side: int = 12, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def planted(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise with one patch: stripes across, stripes down, or a plain one. Images, classes 0 to 2, and where it is."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(90, 166, (count, SIDE, SIDE, 1), dtype=np.uint8)
    classes = np.arange(count) % 3
    objects = np.zeros((count, SIDE, SIDE), dtype=bool)
    stripes = np.where(np.arange(PATCH) // 2 % 2, 255, 0).astype(np.uint8)
    patches = [np.tile(stripes[:, None], PATCH), np.tile(stripes, (PATCH, 1)), np.full((PATCH, PATCH), 255, np.uint8)]
    for sample, number, there in zip(samples, classes, objects, strict=True):
        top, left = rng.integers(0, SIDE - PATCH + 1, 2)
        area = np.s_[top : top + PATCH, left : left + PATCH]
        sample[area], there[area] = patches[number][..., None], True
    return samples, classes, objects


def finder(pooling: layers.Layer | None = None) -> keras.Model:
    """Learns in seconds which patch is in an image of `planted`."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((SIDE, SIDE, 1), dtype="uint8"),
            layers.Rescaling(1 / 64, offset=-2),
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            pooling or layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    samples, classes, _ = planted(600, seed=1)
    model.fit(samples, classes, epochs=12, batch_size=32, verbose=0)
    return model
