"""The same work as the flow, as one would write it by hand: the same trials, epochs, network and exam.

`python -m bench.bare <checkout>` reads which hyperparameters and how many epochs a run in <checkout> had, so
that both train exactly as much. No validation, no tracking, no caching, one process; prints seconds as JSON.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

BEGAN = time.perf_counter()

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split


def main(checkout: Path) -> None:
    """Load, tune, train and evaluate, each timed."""
    seconds = {"imports": time.perf_counter() - BEGAN}
    began = time.perf_counter()
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[..., np.newaxis]
    rest, test, answers, exam = train_test_split(images, digits.target, test_size=0.2, random_state=42)
    train, validation, right, right_too = train_test_split(rest, answers, test_size=0.1, random_state=42)
    seconds["data"] = time.perf_counter() - began
    data, held = (train, right), (validation, right_too)

    began = time.perf_counter()
    with (checkout / "data/tuned/cnn_digits/trials.csv").open(encoding="utf-8", newline="") as file:
        for trial in csv.DictReader(file):
            network(trial).fit(*data, epochs=8, batch_size=32, validation_data=held, verbose=0)
    seconds["tune"] = time.perf_counter() - began

    began = time.perf_counter()
    chosen = json.loads((checkout / "data/tuned/cnn_digits/hyperparameters.json").read_text(encoding="utf-8"))
    epochs = json.loads((checkout / "data/trained/cnn_digits/receipt.json").read_text(encoding="utf-8"))["epochs"]
    best = network(chosen)
    best.fit(*data, epochs=epochs, batch_size=32, validation_data=held, verbose=0)
    seconds["train"] = time.perf_counter() - began

    began = time.perf_counter()
    given = best.predict(test, verbose=0).argmax(axis=1)
    classification_report(exam, given)
    seconds["evaluate"] = time.perf_counter() - began
    print(json.dumps({**seconds, "accuracy": float((given == exam).mean())}))


def network(values: dict[str, Any]) -> keras.Model:
    filters = int(values["filters"])
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(2 * filters, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(2 * filters, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(int(values["dense"]), activation="relu"),
            layers.Dropout(float(values["dropout"])),
            layers.Dense(10, activation="softmax"),
        ]
    )
    rate = keras.optimizers.Adam(float(values["learning_rate"]))
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1]))
