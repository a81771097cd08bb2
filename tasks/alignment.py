"""Where a translating network looks in the text, symbol by symbol of its answer."""

from __future__ import annotations

import keras
import numpy as np
from matplotlib.figure import Figure

from models.spec import Spec
from models.views import attention
from tasks import pictures
from tasks.prepared import Split

LAYERS = 2
"""The last layers of the decoder that are drawn."""


def look(
    network: keras.Model, exam: Split, given: np.ndarray, spec: Spec, known: list[str]
) -> tuple[dict[str, Figure], dict[str, float]]:
    """A picture of the longest answer that is wholly right, or of the longest; nothing of a network without attention.

    Args:
        given: its answers int32 (N, T), -1 from the end on.
        known: the symbols of the texts, numbered from 2.
    """
    if not attention.has(network) or not (given >= 0).any():
        return {}, {}
    length, is_right = (given >= 0).sum(axis=1), (given == np.asarray(exam.answers)).all(axis=1)
    row = int(np.lexsort((length, is_right))[-1]) if is_right.any() else int(length.argmax())
    text, answer = np.array(exam.samples[row]), given[row]
    found = attention.looks(network, text[np.newaxis], answer[np.newaxis])[0]
    read = [known[number - 2] if number >= 2 else "?" for number in text[text > 0]]
    written = [*(spec.classes[number] for number in answer[answer >= 0]), "end"][: len(answer)]
    return {"where_it_looks": draw(found[:, :, : len(written), : len(read)], read, written)}, {}


def draw(found: np.ndarray, read: list[str], written: list[str]) -> Figure:
    """A sheet of weights (L, h, T, S): a row for each of the last layers, a column for each head."""
    first, found = max(0, len(found) - LAYERS), found[-LAYERS:]
    layers, heads = found.shape[:2]
    side = 0.22 * max(len(read), len(written), 8) + 0.5
    figure = pictures.blank(side * heads + 0.8, side * layers + 0.7)
    figure.suptitle("Where each symbol of the answer looks in the text")
    for axes, weights, place in zip(
        figure.subplots(layers, heads, squeeze=False).flat,
        found.reshape(layers * heads, *found.shape[2:]),
        np.ndindex(layers, heads),
        strict=True,
    ):
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(read)), read, fontsize=6)
        axes.set_yticks(range(len(written)), written, fontsize=6)
        axes.grid(visible=False)
        axes.set_title(f"layer {first + place[0] + 1}, head {place[1] + 1}", fontsize=7)
    return figure
