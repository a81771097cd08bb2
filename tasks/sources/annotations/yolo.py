"""YOLO: a text file for each image, a row for each object."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tasks.errors import BadData
from tasks.sources.annotations import (
    BOX,
    TOLERANCE,
    Annotations,
    Rules,
    check_bytes,
    check_images,
    check_objects,
    number,
    pair,
    refuse,
    settle,
    table,
)

BYTES = 1024**2
"""Most bytes of a file: 500 objects need a twentieth of them."""

COLUMNS = ["x", "y", "width", "height"]
CLASS = re.compile(r"\d{1,9}", re.ASCII)

Row = tuple[object, ...]


def parse(files: Mapping[str, bytes], images: pd.DataFrame, classes: Mapping[int, str], rules: Rules) -> Annotations:
    """Parse rows of `class x y width height`: the number of a class, then the box's middle and sides, relative.

    Args:
        files: by the name of the image that each is about; an empty one says that there are no objects.
        images: as in Annotations; the format does not tell their sides.
        classes: names of the classes by number.

    Raises:
        BadData: if a file is not of this format, is missing or has no image, or a rule is broken.

    Source: J. Redmon, A. Farhadi, YOLOv3 (2018), the form that its program darknet is trained with.
    """
    check_images(images)
    pair("an image", images["file"], "annotations of", files)
    pair("annotations", files, "the image", images["file"])
    rows = [row for file in images["file"] for row in parse_file(files[file], file, classes)]
    read = table(rows, ["file", "label", *COLUMNS])
    values = read[COLUMNS].to_numpy(np.float64)
    x, y, width, height = values.T
    boxes = read[["file", "label"]].assign(y1=y - height / 2, x1=x - width / 2, y2=y + height / 2, x2=x + width / 2)
    check_objects(boxes, images, rules)
    refuse(boxes, np.any(values > TOLERANCE, axis=1), "must be relative, 0..1, not in pixels")
    return settle(boxes[["file", "label", *BOX]], images, rules)


def parse_file(content: bytes, file: str, classes: Mapping[int, str]) -> list[Row]:
    """The rows of one file, each with the image's name and its class's."""
    check_bytes(content, f"annotations of {file}", BYTES)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadData(f"the annotations of `{file}` must be UTF-8. Received: {error.reason} at {error.start}") from None
    rows = [[field.decode() for field in line.split()] for line in content.splitlines() if line.strip()]
    return [parse_row(fields, f"object {index} of `{file}`", file, classes) for index, fields in enumerate(rows)]


def parse_row(fields: list[str], where: str, file: str, classes: Mapping[int, str]) -> Row:
    if len(fields) != 5:
        raise BadData(f"{where} must have five columns, class x y width height. Received: {len(fields)}")
    if not CLASS.fullmatch(fields[0]) or int(fields[0]) not in classes:
        raise BadData(f"{where} must have the number of one of {len(classes)} classes. Received: {fields[0][:40]!r}")
    return (file, classes[int(fields[0])], *(number(field, f"a column of {where}") for field in fields[1:]))
