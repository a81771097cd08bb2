"""Boxes drawn on images: what was found, what was missed, and what was never there."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from models.spec import Spec
from tasks import pictures
from tasks.problems.boxes import average_precision

TRUE, FOUND, MISSED, FALSE = "#ffffff", "#19a974", "#ffb700", "#e7040f"
MEANINGS = {"true": TRUE, "found": FOUND, "missed": MISSED, "false": FALSE}

COLUMNS = 6


def sheet(
    images: np.ndarray, answers: np.ndarray, given: np.ndarray, rows: np.ndarray, spec: Spec, *, sure: float
) -> Figure:
    """Images with their true boxes, thin, and answers, thick.

    Args:
        images: uint8 (N, H, W, C).
        rows: which are shown.
        sure: score from which on an answer is drawn.
    """
    lines = max(1, -(-len(rows) // COLUMNS))
    figure = pictures.blank(2.1 * COLUMNS, 2.25 * lines + 0.8)
    figure.suptitle(f"Answers with a score of {sure} or more")
    handles = [Line2D([], [], color=colour, lw=2, label=name) for name, colour in MEANINGS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), facecolor="#c8c8c8")
    for number, row in enumerate(rows, start=1):
        axes = figure.add_subplot(lines, COLUMNS, number)
        axes.imshow(images[row].squeeze(), cmap="gray", vmin=0, vmax=255)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"sample {row}", fontsize=7)
        draw(axes, answers[row : row + 1], given[row : row + 1], images.shape[1:3], spec, sure=sure)
    return figure


def draw(
    axes: Axes, answers: np.ndarray, given: np.ndarray, shape: tuple[int, ...], spec: Spec, *, sure: float
) -> None:
    """The boxes of one sample, each with its label, and an answer's with its score."""
    meant = given.copy()
    meant["labels"] = np.where(given["scores"] >= sure, given["labels"], -1)
    taken = average_precision.found(answers, meant, average_precision.COCO[:1])[0, 0]
    truth, answer = answers[0], meant[0]
    for place in np.flatnonzero(truth["labels"] >= 0):
        missed = place not in taken
        outline(axes, truth["boxes"][place], shape, MISSED if missed else TRUE, width=2.0 if missed else 0.8)
        if missed:
            name(axes, truth["boxes"][place], shape, spec.classes[truth["labels"][place]], MISSED)
    for place in np.flatnonzero(answer["labels"] >= 0):
        colour = FOUND if taken[place] >= 0 else FALSE
        outline(axes, answer["boxes"][place], shape, colour, width=1.6)
        text = f"{spec.classes[answer['labels'][place]]} {answer['scores'][place]:.2f}"
        name(axes, answer["boxes"][place], shape, text, colour)


def outline(axes: Axes, box: Any, shape: tuple[int, ...], colour: str, *, width: float) -> None:
    top, left, bottom, right = in_pixels(box, shape)
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=width))


def name(axes: Axes, box: Any, shape: tuple[int, ...], text: str, colour: str) -> None:
    top, left, _, _ = in_pixels(box, shape)
    axes.text(left, top - 1, text, color=colour, fontsize=6, va="bottom", weight="bold", clip_on=True)


def in_pixels(box: Any, shape: tuple[int, ...]) -> list[float]:
    """A relative box where imshow has its edges: pixel 0 reaches from -0.5 to 0.5."""
    return [float(edge) for edge in np.asarray(box) * np.array([*shape, *shape]) - 0.5]


def curves(lines: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Precision by recall, a line for each name."""
    figure = pictures.blank(6.4, 4.6)
    axes = figure.add_subplot()
    for label, (recall, precision) in lines.items():
        axes.plot(np.concatenate([[0], recall]), np.concatenate([precision[:1], precision]), label=label, lw=1.4)
    axes.set(title="Precision by recall at an overlap of a half", xlabel="recall", ylabel="precision")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    if len(lines) <= 24:
        axes.legend(fontsize=7, ncols=2, title="class, average precision", title_fontsize=7)
    return figure
