"""Annotated photographs as samples: what their readers share.

Settings:
    size: height and width that every photograph is stretched to, one number for both or a text, `<height>x<width>`;
        relative boxes stay as they are.
    classes: labels that objects may have; left out, any.
    most_objects: of a photograph, 500 if left out.
    smallest_side: pixels that a box must be high and wide at least; left out, any that has some area.
    odd: what becomes of boxes that reach out by more than a pixel or are too small: `refuse` (if left out), or
        `repair`, which clips the first, leaves out the second, and prints how many.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from tasks.catalogue import Source
from tasks.errors import BadData, BadRequest, Refused
from tasks.sources import Raw, contents
from tasks.sources.annotations import BOX, Annotations, Rules

SIDE = 8192
"""Most pixels of a side that photographs are stretched to."""

ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)
"""The tag that tells how a camera was held, and its values that swap height and width."""


def rules(source: Source) -> Rules:
    """What the settings ask of annotations."""
    settings, usual = source.settings, Rules()
    odd, classes = settings.get("odd", "refuse"), settings.get("classes", [])
    if odd not in ("refuse", "repair"):
        raise BadRequest(f"`odd` must be refuse or repair. Received: {odd!r}")
    if not isinstance(classes, list):
        raise BadRequest(f"`classes` must be a list. Received: {classes!r}")
    most, least = (settings.get(name, getattr(usual, name)) for name in ("most_objects", "smallest_side"))
    if not isinstance(most, int) or most < 1:
        raise BadRequest(f"`most_objects` must be a whole number of 1 or more. Received: {most!r}")
    if not isinstance(least, int | float) or least < 0:
        raise BadRequest(f"`smallest_side` must be pixels, 0 or more. Received: {least!r}")
    return Rules(classes=tuple(classes), most_objects=most, smallest_side=float(least), repair=odd == "repair")


def form(source: Source) -> tuple[int, int]:
    """Height and width that photographs are stretched to."""
    size = str(source.settings["size"])
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", size, re.ASCII)
    sides = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(1 <= side <= SIDE for side in sides):
        raise BadRequest(f"`size` must be 1..{SIDE}, or <height>x<width> of these. Received: {size!r}")
    return sides


def decoded(
    names: Sequence[str], packed: Callable[[str], bytes], sides: tuple[int, int]
) -> tuple[np.ndarray, pd.DataFrame]:
    """Photographs stretched to `sides`, uint8 (N, H, W, 3), and a table of file, width and height as they were.

    Args:
        packed: gives the file of that name; it is asked for one at a time, and few are kept at once.
    """
    if not names:
        raise BadData("there must be photographs. Received: none")
    images, reading = np.empty((len(names), *sides, 3), np.uint8), threading.Lock()

    def fill(row: int) -> tuple[int, int]:
        with reading:
            content = packed(names[row])
        images[row], size = stretched(content, names[row], *sides)
        return size

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(fill, range(len(names))))
    sizes = pd.DataFrame.from_records(found, columns=["width", "height"])
    sizes.insert(0, "file", list(names))
    return images, sizes


def stretched(content: bytes, name: str, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """A photograph upright, whole, uint8 (height, width, 3); and the width and height that it had.

    Args:
        name: for errors.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as picture:
            if picture.width * picture.height > contents.PIXELS:
                raise Refused(f"`{name}` must have at most {contents.PIXELS} pixels. Received: {picture.size}")
            lies = picture.getexif().get(ORIENTATION) in LYING
            size = (picture.height, picture.width) if lies else (picture.width, picture.height)
            picture.draft("RGB", (2 * max(width, height),) * 2)  # decodes at a half, a quarter or an eighth at no cost
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            return np.asarray(upright.resize((width, height), Image.Resampling.LANCZOS)), size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadData(f"`{name}` must be a whole photograph. Received: {error}") from None


def check_sizes(annotated: pd.DataFrame, photographed: pd.DataFrame) -> None:
    """See that annotations are of photographs as large as those that are there, whose rows are in the same order."""
    columns = ["width", "height"]
    wrong = (annotated[columns].to_numpy() != photographed[columns].to_numpy()).any(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        (width, height), received = annotated[columns].iloc[row], photographed[columns].iloc[row].tolist()
        raise BadData(
            f"`{annotated['file'].iloc[row]}` must be of {width} x {height} pixels, as its annotations say. "
            f"Received: {received[0]} x {received[1]}"
        )


def raw(annotations: Annotations, images: np.ndarray, columns: Mapping[str, Sequence[str]]) -> Raw:
    """Samples in the order of the annotations' images, with further `columns`; their labels are those of the boxes."""
    samples = annotations.images.assign(label="", **columns)
    place = {file: row for row, file in enumerate(samples["file"])}
    rows = annotations.boxes["file"].map(place).astype(np.int64)
    boxes = annotations.boxes.drop(columns="file").astype(dict.fromkeys(BOX, np.float32))
    boxes.insert(0, "sample", rows)
    return Raw(samples, images, boxes)


def tell(file: str, lines: Iterable[str]) -> None:
    """Print what was repaired in an archive."""
    for line in lines:
        print(f"{file}: {line}", flush=True)
