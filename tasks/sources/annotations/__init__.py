"""Annotations of objects in images: a parser for each format, and what every one must keep to.

A parser turns bytes into Annotations, whose corners are relative to the image, and ends in `settle`, which checks them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.errors import BadData

BOX = ["y1", "x1", "y2", "x2"]
"""The corners of a box, in their order."""

TOLERANCE = 1 + 1e-6
"""Pixels that a box may reach out of its image, and is clipped: formats disagree on where pixels begin."""

LARGEST_SIDE = 1_000_000
"""Most pixels of an image's height or width."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Rules:
    """What annotations must keep to, beyond what their format asks.

    Args:
        classes: labels that objects may have; none allows any.
        most_objects: of an image.
        smallest_side: pixels that a box must be high and wide at least; 0 asks for some area.
        repair: whether boxes that reach out of their image are clipped and those too small left out, and counted,
            rather than refused.
    """

    classes: tuple[str, ...] = ()
    most_objects: int = 500
    smallest_side: float = 0.0
    repair: bool = False


@dataclass(frozen=True)
class Annotations:
    """The objects of some images.

    Args:
        boxes: a row for each object, those of an image together and in its order: `file` (of the image), `label`,
            `y1`, `x1`, `y2`, `x2` (relative, 0..1, float64), and `difficult` or `crowd` where the format has it.
        images: a row for each image, those without objects too: `file`, `width` and `height` in pixels.
        repairs: what was repaired, a line for each kind.
    """

    boxes: pd.DataFrame
    images: pd.DataFrame
    repairs: tuple[str, ...] = ()


def settle(boxes: pd.DataFrame, images: pd.DataFrame, rules: Rules) -> Annotations:
    """Check every corner against `rules`, and clip what reaches out of its image by a pixel at most.

    Args:
        boxes, images: as in Annotations, and as `check_objects` has them; corners may reach out.

    Raises:
        BadData: names image and object (counted from 0 in each image), what must hold and what came.
    """
    boxes = boxes.astype(dict.fromkeys(BOX, np.float64)).reset_index(drop=True)
    refuse(boxes, ~np.all(np.isfinite(corners(boxes)), axis=1), "must have finite corners")
    repairs: tuple[str, ...] = ()
    if rules.repair:
        boxes, repairs = repaired(boxes, images, rules)
    return Annotations(clipped(boxes, images, rules), images.reset_index(drop=True), repairs)


def check_images(images: pd.DataFrame) -> None:
    """Every image has one row, a name that can be shown, and some pixels."""
    check_texts("the name of an image", images["file"])
    if (again := images["file"].duplicated()).any():
        raise BadData(f"`{images['file'][again].iloc[0]}` must be annotated once. Received: twice")
    for file, width, height in images[["file", "width", "height"]].itertuples(index=False):
        if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
            raise BadData(
                f"`{file}` must have 1..{LARGEST_SIDE} pixels a side. Received: {width!s:.20} x {height!s:.20}"
            )


def check_objects(boxes: pd.DataFrame, images: pd.DataFrame, rules: Rules) -> None:
    """Every object belongs to an image that is sound, has not too many beside it, and a label that may be."""
    check_images(images)
    pair("an image", images["file"], "objects of", boxes["file"].unique())
    counts = boxes["file"].value_counts()
    if len(counts) and counts.iloc[0] > rules.most_objects:
        raise BadData(f"`{counts.index[0]}` must have at most {rules.most_objects} objects. Received: {counts.iloc[0]}")
    shown = {label: is_shown(label) for label in boxes["label"].unique()}
    refuse(boxes, ~boxes["label"].map(shown).to_numpy(bool), "must have a label that can be shown")
    if rules.classes:
        known = ", ".join(rules.classes)
        refuse(boxes, ~boxes["label"].isin(rules.classes).to_numpy(), f"must have a label of {known}")


def check_texts(what: str, texts: Iterable[str]) -> None:
    for text in texts:
        if not is_shown(text):
            raise BadData(f"{what} must be a text that can be shown. Received: {text!a}")


def is_shown(text: str) -> bool:
    return bool(text.strip()) and text.isprintable()


def pair(what: str, there: Iterable[str], needs: str, named: Iterable[str]) -> None:
    """See that everything `named` is `there`; for errors, `what` it should be and what `needs` it."""
    if missing := sorted(set(named) - set(there)):
        more = f", and {len(missing) - 1} more" if missing[1:] else ""
        raise BadData(f"there must be {what} for {needs} `{missing[0]}`. Received: none{more}")


def repaired(boxes: pd.DataFrame, images: pd.DataFrame, rules: Rules) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Clip what reaches out of its image, leave out what is too small then; swapped corners are left as they are."""
    pixels, before = sides_of_images(boxes, images), corners(boxes)
    out = reaches_out(before, pixels)
    boxes = boxes.assign(**dict(zip(BOX, before.clip(0, 1).T, strict=True)))
    small = is_small(corners(boxes), pixels, rules) & np.all(before[:, :2] <= before[:, 2:], axis=1)
    told = {
        f"{out.sum()} boxes reached out of their images, and are clipped": out.any(),
        f"{small.sum()} boxes were too small, and are left out": small.any(),
    }
    return boxes[~small].reset_index(drop=True), tuple(line for line, true in told.items() if true)


def clipped(boxes: pd.DataFrame, images: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Boxes inside their images.

    Raises:
        BadData: if one reaches out by more than the tolerance, or is too small, or its corners are swapped.
    """
    pixels, values = sides_of_images(boxes, images), corners(boxes)
    refuse(boxes, np.any(values[:, :2] > values[:, 2:], axis=1), "must have y1 < y2 and x1 < x2, which are swapped")
    refuse(boxes, reaches_out(values, pixels), "must lie inside its image, but for a pixel")
    inside = values.clip(0, 1)
    least = f"at least {rules.smallest_side:g} pixels high and wide" if rules.smallest_side else "of some area"
    refuse(boxes, is_small(inside, pixels, rules), f"must be {least}")
    return boxes.assign(**dict(zip(BOX, inside.T, strict=True)))


def corners(boxes: pd.DataFrame) -> np.ndarray:
    """float64 (N, 4)."""
    return boxes[BOX].to_numpy(np.float64)


def sides_of_images(boxes: pd.DataFrame, images: pd.DataFrame) -> np.ndarray:
    """Height and width of the image of each box, pixels, float64 (N, 2)."""
    sides = images.set_index("file")[["height", "width"]]
    return sides.loc[boxes["file"]].to_numpy(np.float64)


def reaches_out(values: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    slack = TOLERANCE / pixels
    out: np.ndarray = np.any((values[:, :2] < -slack) | (values[:, 2:] > 1 + slack), axis=1)
    return out


def is_small(values: np.ndarray, pixels: np.ndarray, rules: Rules) -> np.ndarray:
    sides = values[:, 2:] - values[:, :2]
    thin = sides * pixels < rules.smallest_side - (TOLERANCE - 1)
    small: np.ndarray = np.any((sides <= 0) | thin, axis=1)
    return small


def refuse(boxes: pd.DataFrame, wrong: np.ndarray, rule: str) -> None:
    """Raise BadData for the first box that is wrong."""
    if not wrong.any():
        return
    row = int(wrong.argmax())
    box = boxes.iloc[row]
    number = int((boxes["file"].iloc[:row] == box["file"]).sum())
    received = ", ".join([f"label {box['label']!r}", *(f"{name}={box[name]:.6g}" for name in BOX)])
    more = f"; as wrong are {wrong.sum() - 1} more" if wrong.sum() > 1 else ""
    raise BadData(f"object {number} of `{box['file']}` {rule}. Received: {received}{more}")


def refuse_relative(boxes: pd.DataFrame, images: pd.DataFrame) -> None:
    """Refuse corners that lie within the first pixel, for formats that count pixels: they are relative already."""
    pixels = sides_of_images(boxes, images)
    lowest, highest = corners(boxes)[:, :2] * pixels, corners(boxes)[:, 2:] * pixels
    first = np.isclose(lowest, 0).all(axis=1) & np.isclose(highest, 1).all(axis=1)
    wrong = (highest < TOLERANCE).all(axis=1) & (highest >= lowest).all(axis=1) & ~first & (pixels > 1).any(axis=1)
    refuse(boxes, wrong, "must have corners in pixels, not relative ones")


def number(text: str, where: str) -> float:
    """The number that `text` is; `where` it stands is for errors."""
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise BadData(f"{where} must be a finite number. Received: {text[:40]!r}")
    return float(text)


def check_bytes(content: bytes, file: str, most: int) -> None:
    if len(content) > most:
        raise BadData(f"`{file}` must have at most {most} bytes. Received: {len(content)}")


def table(rows: Sequence[tuple[object, ...]], columns: Sequence[str]) -> pd.DataFrame:
    """A table that has its columns, corners as numbers, even without rows."""
    found = pd.DataFrame.from_records(list(rows), columns=list(columns))
    return found.astype({name: np.float64 for name in BOX if name in columns})
