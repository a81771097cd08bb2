"""What a detector's answers need of their images, drawn from models/views/occlusion.py."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
from matplotlib.figure import Figure

from models.spec import Spec
from models.views import occlusion
from tasks import pictures, records
from tasks.prepared import Split
from tasks.problems.boxes import drawn

SHOWN = 6
"""Images whose surest answer is looked at."""

BATCH = 32
"""Covered images that are asked about at once."""


def look(
    network: keras.Model, exam: Split, given: np.ndarray, spec: Spec
) -> tuple[dict[str, Figure], dict[str, float]]:
    """A picture of the surest answers' needs, and in how many of them the greatest lies within the box."""
    rows = np.argsort(-given["scores"][:, 0], kind="stable")[:SHOWN]
    rows = rows[given["labels"][rows, 0] >= 0]
    if not len(rows):
        return {}, {}
    samples, answers = np.asarray(exam.samples[rows]), given[rows]
    images = records.part(samples, "image")
    found = [
        occlusion.of_box(partial(covered, network, samples[row]), images[row], one["boxes"][0], int(one["labels"][0]))
        for row, one in enumerate(answers)
    ]
    heats = np.stack(found)
    share = float(np.mean([is_within(heat, one["boxes"][0]) for heat, one in zip(heats, answers, strict=True)]))
    return {"what_answers_need": picture(images, heats, answers, spec)}, {"needs within the box": share}


def covered(network: keras.Model, sample: np.ndarray, images: np.ndarray) -> dict[str, np.ndarray]:
    """Answers to `images` in place of a sample's own; whatever else it has stays."""
    if sample.dtype.names is None:
        return dict(network.predict(images, batch_size=BATCH, verbose=0))
    mixed = np.repeat(sample[np.newaxis], len(images))
    mixed["image"] = images
    return dict(network.predict(records.fed(mixed), batch_size=BATCH, verbose=0))


def is_within(heat: np.ndarray, box: np.ndarray) -> bool:
    """Whether the warmest pixel of (H, W) lies in the box."""
    place = (np.array(np.unravel_index(heat.argmax(), heat.shape)) + 0.5) / heat.shape
    return bool((box[:2] <= place).all() and (place <= box[2:]).all())


def picture(images: np.ndarray, heats: np.ndarray, answers: np.ndarray, spec: Spec) -> Figure:
    """Each image with its surest answer, and under it what that needs."""
    figure = pictures.blank(1.9 * max(2, len(images)), 4.2)
    figure.suptitle("What the surest answers need (D-RISE)")
    grid = figure.subplots(2, len(images), squeeze=False)
    for column, image, heat, one in zip(grid.T, images, heats, answers, strict=True):
        column[0].imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        column[0].set_title(f"{spec.classes[one['labels'][0]]} {one['scores'][0]:.2f}", fontsize=8)
        column[1].imshow(heat, cmap="jet", vmin=0, vmax=1)
        for axes in column:
            drawn.outline(axes, one["boxes"][0], heat.shape, pictures.ACCENT, width=1.5)
            axes.set(xticks=[], yticks=[])
    return figure
