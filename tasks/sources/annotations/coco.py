"""COCO: one JSON file for all images, `instances_*.json` (T.-Y. Lin et al., 2014)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from tasks.errors import BadData
from tasks.sources.annotations import (
    BOX,
    Annotations,
    Rules,
    check_bytes,
    check_objects,
    check_texts,
    refuse_relative,
    settle,
    sides_of_images,
)

BYTES = 512 * 1024**2
"""Most bytes of a file; that of the 118,287 images of train2017 has 449 million."""

KINDS: dict[type, str] = {int: "a whole number", str: "a text", list: "a list"}


def parse(content: bytes, file: str, rules: Rules) -> Annotations:
    """Parse what `images`, `annotations` and `categories` of a file say; boxes have `crowd`.

    A `bbox` is x, y, width and height in pixels, which are counted from 0 and may have fractions. An image without
    annotations is one without objects.

    Args:
        file: its name, for errors.

    Raises:
        BadData: if the file is not JSON or not of this format, ids are not unique or lead nowhere, or a rule is broken.

    Source: T.-Y. Lin et al., Microsoft COCO, ECCV (2014); https://cocodataset.org/#format-data.
    """
    document = read_json(content, file)
    images = records(document, file, "images", {"id": int, "file_name": str, "width": int, "height": int})
    categories = records(document, file, "categories", {"id": int, "name": str})
    objects = records(document, file, "annotations", {"id": int, "image_id": int, "category_id": int, "bbox": list})
    if (again := categories["name"].duplicated()).any():
        raise BadData(f"the categories of `{file}` must have names of their own. Received: {first(categories, again)}")
    images = images.rename(columns={"file_name": "file"})
    boxes = pd.DataFrame(
        {
            "file": followed(objects, "image_id", names(images, "file"), file),
            "label": followed(objects, "category_id", names(categories, "name"), file),
            "crowd": flags(document["annotations"], file),
        }
    )
    return converted(boxes, pixels(document["annotations"], file), images[["file", "width", "height"]], rules)


def converted(boxes: pd.DataFrame, values: np.ndarray, images: pd.DataFrame, rules: Rules) -> Annotations:
    """Boxes with relative corners, from x, y, width and height in pixels, those of an image together."""
    check_objects(boxes.assign(**dict.fromkeys(BOX, np.nan)), images, rules)
    images = images.astype({"width": np.int64, "height": np.int64})
    height, width = sides_of_images(boxes, images).T
    x, y, wide, high = values.T
    with np.errstate(over="ignore"):
        boxes = boxes.assign(y1=y / height, x1=x / width, y2=(y + high) / height, x2=(x + wide) / width)
    place = {name: row for row, name in enumerate(images["file"])}
    boxes = boxes.iloc[np.argsort(boxes["file"].map(place).to_numpy(), kind="stable")]
    refuse_relative(boxes, images)
    return settle(boxes[["file", "label", *BOX, "crowd"]], images, rules)


def read_json(content: bytes, file: str) -> Mapping[str, Any]:
    check_bytes(content, file, BYTES)
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=no_number)
    except RecursionError:
        raise BadData(f"`{file}` must be JSON of a few levels. Received: too many") from None
    except ValueError as error:
        raise BadData(f"`{file}` must be JSON. Received: {error}") from None
    if not isinstance(document, dict):
        raise BadData(f"`{file}` must be an object of JSON. Received: {type(document).__name__}")
    return document


def no_number(text: str) -> NoReturn:
    raise ValueError(f"{text}, which is no number")


def records(document: Mapping[str, Any], file: str, part: str, fields: Mapping[str, type]) -> pd.DataFrame:
    """The fields that are asked for, of each record in a part of the file, with ids of their own."""
    rows = document.get(part)
    if not isinstance(rows, list):
        raise BadData(f"`{part}` of `{file}` must be a list. Received: {type(rows).__name__}")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise BadData(f"`{part}[{index}]` of `{file}` must be an object. Received: {type(row).__name__}")
        for name, kind in fields.items():
            if type(row.get(name)) is not kind:
                where = f"`{part}[{index}].{name}` of `{file}`"
                raise BadData(f"{where} must be {KINDS[kind]}. Received: {str(row.get(name))[:40]!a}")
    found = pd.DataFrame({name: [row[name] for row in rows] for name in fields}, dtype=object)
    for name in fields:
        if fields[name] is str:
            check_texts(f"every `{name}` in `{part}` of `{file}`", found[name])
    if (again := found["id"].duplicated()).any():
        raise BadData(f"`{part}` of `{file}` must have ids of their own. Received: {first(found, again)}")
    return found


def first(found: pd.DataFrame, again: pd.Series) -> str:
    return f"{', '.join(f'{name} {value!a}' for name, value in found[again].iloc[0].items())} twice"


def names(found: pd.DataFrame, column: str) -> dict[int, str]:
    return dict(zip(found["id"], found[column], strict=True))


def followed(objects: pd.DataFrame, column: str, known: Mapping[int, str], file: str) -> list[str]:
    """What the ids of a column stand for."""
    for index, key in enumerate(objects[column]):
        if key not in known:
            raise BadData(f"`annotations[{index}].{column}` of `{file}` must be an id that is there. Received: {key}")
    return [known[key] for key in objects[column]]


def flags(rows: list[Mapping[str, Any]], file: str) -> list[bool]:
    """Which annotations are of a crowd."""
    found = [row.get("iscrowd", 0) for row in rows]
    for index, flag in enumerate(found):
        if type(flag) is not int or flag not in (0, 1):
            raise BadData(f"`annotations[{index}].iscrowd` of `{file}` must be 0 or 1. Received: {str(flag)[:40]!a}")
    return [flag == 1 for flag in found]


def pixels(rows: list[Mapping[str, Any]], file: str) -> np.ndarray:
    """x, y, width and height of every annotation, float64 (N, 4)."""
    for index, row in enumerate(rows):
        if len(row["bbox"]) != 4 or not all(is_real(value) for value in row["bbox"]):
            where = f"`annotations[{index}].bbox` of `{file}`"
            raise BadData(f"{where} must be four finite numbers. Received: {str(row['bbox'])[:80]}")
    return np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4)


def is_real(value: object) -> bool:
    """Whether that is a number which float64 can tell."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]
