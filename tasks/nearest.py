"""Which texts a network takes for alike: documents compared by the features that it names their classes from."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from matplotlib.figure import Figure

from models.spec import Spec
from tasks import pictures, records
from tasks.prepared import Split
from tasks.problems.vectors import likeness

COMPARED = 2000
"""Texts of the exam that are held against each other, at most."""

COLOURED = 5
"""Classes that have a colour of their own, the most frequent."""


def look(network: keras.Model, exam: Split, spec: Spec) -> tuple[dict[str, Figure], dict[str, float]]:
    """The texts' features on a plane, and how often the text nearest to one has the same class, beside chance.

    Nothing of a network without dense layers, nor where all texts are one to it.
    """
    dense = [layer for layer in network.layers if isinstance(layer, layers.Dense)]
    if not dense or len(exam) < 2:
        return {}, {}
    rows = np.unique(np.linspace(0, len(exam) - 1, COMPARED).round().astype(int))
    found = records.ask(keras.Model(network.inputs, dense[-1].input), np.asarray(exam.samples[rows]))  # (N, D)
    classes = np.asarray(exam.answers)[rows]
    if not np.ptp(found, axis=0).any():
        return {}, {}
    shares = np.bincount(classes) / len(classes)
    near = likeness.nearest(found, found, 1, but=np.arange(len(found))[:, np.newaxis])[:, 0]
    alike = float((classes[near] == classes).mean())
    facts = {"texts whose nearest has their class": alike, "of any two texts": float((shares**2).sum())}
    return {"texts_by_likeness": draw(plane(found), classes, spec, alike)}, facts


def plane(found: np.ndarray) -> np.ndarray:
    """The two directions in which features (N, D) vary most: (N, 2)."""
    centred = found - found.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    both = np.zeros((len(found), 2))
    both[:, : len(values[:2])] = left[:, :2] * values[:2]
    return both


def draw(points: np.ndarray, classes: np.ndarray, spec: Spec, alike: float) -> Figure:
    """A point for each text, in the colour of its class."""
    figure = pictures.blank(6.4, 5)
    axes = figure.add_subplot()
    counts = np.bincount(classes, minlength=len(spec.classes))
    coloured = np.argsort(-counts, kind="stable")[:COLOURED]
    rest = ~np.isin(classes, coloured)
    if rest.any():
        axes.plot(*points[rest].T, ".", markersize=3, color=pictures.FAILED, label="others")
    colours = [pictures.ACCENT, pictures.SECOND, *pictures.MORE]
    for number, colour in zip(coloured[counts[coloured] > 0], colours, strict=False):
        axes.plot(*points[classes == number].T, ".", markersize=4, color=colour, label=spec.classes[number])
    axes.set(title=f"Texts by likeness: of {alike:.0%} the nearest has the same class", xticks=[], yticks=[])
    axes.legend(markerscale=3)
    return figure
