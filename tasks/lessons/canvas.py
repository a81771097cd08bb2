"""What the lessons' pictures have in common: colours, panels, and a plane of two inputs or two weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tasks import pictures
from tasks.pictures import ACCENT, INK, SECOND

THIRD, FOURTH, FAINT, PALE = "#2f855a", "#97266d", "#a0aec0", "#edf2f7"
LINES = (ACCENT, SECOND, THIRD, FOURTH)

ANSWERS = LinearSegmentedColormap.from_list("answers", ["#bcd3ee", "#ffffff", "#f9d2b0"])
"""From the colour of 0 (blue) to that of 1 (orange), light enough to draw on."""

SIGNED = LinearSegmentedColormap.from_list("signed", [ACCENT, "#ffffff", SECOND])
"""Negative blue, zero white, positive orange."""


def panels(rows: int, columns: int, *, width: float, height: float, title: str = "") -> tuple[Figure, list[Axes]]:
    """A figure of `rows` by `columns` equal panels, each of `width` by `height` inches, read like a text."""
    figure = pictures.blank(width * columns, height * rows + (0.4 if title else 0))
    if title:
        figure.suptitle(title, color=INK)
    return figure, list(np.atleast_1d(figure.subplots(rows, columns)).flat)


def lattice(across: tuple[float, float], up: tuple[float, float], points: int = 301) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of a fine grid over a plane, each (points, points)."""
    x, y = np.meshgrid(np.linspace(*across, points), np.linspace(*up, points))
    return x, y


def over_plane(answer: Callable[[np.ndarray], np.ndarray], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What `answer` gives to each point (N, 2) of a grid, in the grid's shape."""
    return np.asarray(answer(np.column_stack([x.ravel(), y.ravel()]))).reshape(x.shape)


def answers(axes: Axes, answer: Callable[[np.ndarray], np.ndarray], *, labels: tuple[str, str] = ("x1", "x2")) -> None:
    """Colour the plane around the unit square by what is answered there, 0 blue to 1 orange; a line where it is 1/2."""
    x, y = lattice((-0.5, 1.5), (-0.5, 1.5))
    values = over_plane(answer, x, y)
    axes.imshow(values, cmap=ANSWERS, vmin=0, vmax=1, extent=(-0.5, 1.5, -0.5, 1.5), origin="lower")
    if values.min() < 0.5 < values.max():
        axes.contour(x, y, values, levels=[0.5], colors=INK, linewidths=1.2)
    axes.set(xlabel=labels[0], ylabel=labels[1], xticks=[0, 1], yticks=[0, 1], aspect="equal")


def points(axes: Axes, x: np.ndarray, right: np.ndarray) -> None:
    """Samples (N, 2), blue rings where the right answer is 0 and orange discs where it is 1."""
    zeros, ones = x[right == 0], x[right == 1]
    axes.scatter(zeros[:, 0], zeros[:, 1], s=90, facecolor="white", edgecolor=ACCENT, linewidth=2.2, zorder=3)
    axes.scatter(ones[:, 0], ones[:, 1], s=90, color=SECOND, edgecolor="white", zorder=3)


def cells(axes: Axes, values: np.ndarray, fill: np.ndarray) -> None:
    """A small matrix as a grid of squares with its numbers in them, the first row on top.

    Args:
        fill: colour of each square, in the shape of `values`.
    """
    for row, column in np.ndindex(*values.shape):
        square(axes, row, column, str(fill[row, column]))
        axes.text(column + 0.5, row + 0.5, f"{values[row, column]:g}", ha="center", va="center", color=INK, fontsize=9)
    frame(axes, (0, values.shape[1]), (0, values.shape[0]))


def square(axes: Axes, row: float, column: float, colour: str, *, size: float = 1, **edge: Any) -> None:
    """A square whose upper left corner is at `row` and `column`."""
    corners = [(column, row), (column + size, row), (column + size, row + size), (column, row + size)]
    style = {"edgecolor": FAINT, "linewidth": 0.8, **edge}
    axes.fill(*zip(*corners, strict=True), facecolor=colour, **style)


def frame(axes: Axes, across: tuple[float, float], down: tuple[float, float]) -> None:
    """Limits for a drawing without axes, rows counted from the top."""
    axes.set(xlim=(across[0] - 0.08, across[1] + 0.08), ylim=(down[1] + 0.08, down[0] - 0.08), aspect="equal")
    axes.axis("off")
