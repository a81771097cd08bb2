"""Vectors of words in two dimensions."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from models.spec import Spec
from tasks import pictures
from tasks.problems.vectors import analogies, likeness

PANELS, AROUND = 6, 9
"""Words whose nearest are drawn, and how many of those."""


def flat(found: np.ndarray) -> np.ndarray:
    """Vectors of length 1 along the two directions in which they differ most: (N, 2)."""
    return np.asarray(PCA(2, random_state=0).fit_transform(likeness.unit(found)))


def named(axes: Axes, points: np.ndarray, names: np.ndarray, colour: str = pictures.INK) -> None:
    """Words at their points (N, 2)."""
    axes.plot(*points.T, ".", color=pictures.ACCENT, markersize=3)
    for (x, y), name in zip(points, names, strict=True):
        axes.annotate(name, (x, y), (2, 2), textcoords="offset points", fontsize=7, color=colour)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.1)


def words(found: np.ndarray, chosen: np.ndarray, spec: Spec) -> Figure:
    """The chosen words at their points."""
    figure = pictures.blank(9, 7)
    axes = figure.add_subplot()
    named(axes, flat(found[chosen]), np.array(spec.classes)[chosen])
    axes.set(title="The most frequent words of the exam that tell something, along their first two components")
    return figure


def neighbourhoods(found: np.ndarray, there: np.ndarray, asked: np.ndarray, spec: Spec) -> Figure:
    """Some words, each with those nearest to it, and how near these are.

    Args:
        there: places of the words that have a vector.
    """
    figure = pictures.blank(9, 5)
    figure.suptitle("Words, and those nearest to them by the cosine of their vectors")
    names, unit = np.array(spec.classes), likeness.unit(found[there])
    for panel, word in zip(figure.subplots(2, PANELS // 2, squeeze=False).ravel(), asked, strict=False):
        itself = np.flatnonzero(there == word)
        near = likeness.nearest(unit, unit[itself], AROUND, but=itself[np.newaxis])[0]
        panel.barh(names[there[near]][::-1], (unit[near] @ unit[itself[0]])[::-1], color=pictures.ACCENT)
        panel.set_title(names[word], fontsize=9)
        panel.tick_params(labelsize=7)
    return figure


def analogies_picture(found: np.ndarray, there: np.ndarray, spec: Spec) -> Figure:
    """An arrow from the first word of each analogy to the second, and from the third to the fourth."""
    figure = pictures.blank(9, 6)
    axes = figure.add_subplot()
    asked = analogies.questions(spec, there)
    axes.set(title="Analogies: where vectors tell them, the two arrows of a colour are alike", xticks=[], yticks=[])
    if not len(asked):
        axes.text(0.5, 0.5, "none whose words are all known", ha="center", transform=axes.transAxes)
        return figure
    chosen = np.unique(asked)
    points = flat(found[chosen])
    named(axes, points, np.array(spec.classes)[chosen])
    colours = [pictures.ACCENT, pictures.SECOND, *pictures.MORE]
    for number, row in enumerate(np.searchsorted(chosen, asked)):
        for start, end in (row[:2], row[2:]):
            arrow = {"arrowstyle": "->", "color": colours[number % len(colours)], "alpha": 0.7}
            axes.annotate("", points[end], points[start], arrowprops=arrow)
    return figure
