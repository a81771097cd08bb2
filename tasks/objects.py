"""Boxes of a sample as one text, for tables that people read and write: JSON, `[{"label", "box", "score"}, ...]`."""

from __future__ import annotations

import json
from typing import Any, TypeGuard

import numpy as np

from models.spec import Spec
from tasks import records
from tasks.errors import BadData

SURE = 0.05
"""Answers with a lower score are left out of a text, and are not compared: there are many, and none is meant."""

DIGITS = 5
"""Decimals of a coordinate: a hundredth of a pixel in a thousand."""


def texts(answers: np.ndarray, spec: Spec) -> list[str]:
    """Each sample's boxes: label, box (y1, x1, y2, x2), relative, and score where there are scores.

    Args:
        answers: records of `boxes` (N, M, 4), `labels` (N, M), and perhaps `scores` (N, M).
    """
    known = answers["scores"] >= SURE if "scores" in names(answers) else answers["labels"] >= 0
    return [
        json.dumps([told(one, int(place), spec) for place in np.flatnonzero(real)])
        for one, real in zip(answers, known, strict=True)
    ]


def names(answers: np.ndarray) -> tuple[str, ...]:
    return tuple(answers.dtype.names or ())


def told(one: Any, place: int, spec: Spec) -> dict[str, Any]:
    box = [round(float(edge), DIGITS) for edge in one["boxes"][place]]
    facts = {"label": spec.classes[one["labels"][place]], "box": box}
    return {**facts, "score": round(float(one["scores"][place]), DIGITS)} if "scores" in one.dtype.names else facts


def packed(said: list[str], spec: Spec) -> np.ndarray:
    """What `texts` told, as records of `boxes`, `labels` and `scores`, 1 where none is told; filled up with label -1.

    Raises:
        BadData: if a text is not such a list, a label is unknown, or a box is not in the image; says which row.
    """
    parsed = [[checked(one, spec, row) for one in listed(text, row)] for row, text in enumerate(said)]
    most = max([1, *map(len, parsed)])
    fields = [("boxes", "f4", (most, 4)), ("labels", "i4", (most,)), ("scores", "f4", (most,))]
    made = np.zeros(len(parsed), dtype=fields)
    made["labels"] = -1
    for row, objects in enumerate(parsed):
        for place, (label, box, score) in enumerate(objects):
            made["labels"][row, place], made["boxes"][row, place], made["scores"][row, place] = label, box, score
    return made


def listed(text: Any, row: int) -> list[Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        found = None
    if not isinstance(found, list):
        raise BadData(f"`objects` must be a JSON list of objects. Received: {str(text)[:80]!r} in row {row}")
    return found


def checked(one: Any, spec: Spec, row: int) -> tuple[int, list[float], float]:
    """Label's number, box and score of one object."""
    label, box, score = (one.get(key) for key in ("label", "box", "score")) if isinstance(one, dict) else (None,) * 3
    if label not in spec.classes:
        known = ", ".join(spec.classes[:12])
        raise BadData(f"`label` of an object must be one of {known}. Received: {str(label)[:80]!r} in row {row}")
    if not is_box(box):
        raise BadData(
            f"`box` of an object must be [y1, x1, y2, x2] from 0 to 1, y1 < y2 and x1 < x2. "
            f"Received: {str(box)[:80]} in row {row}"
        )
    sure = 1.0 if score is None else score
    if not (isinstance(sure, (int, float)) and 0 <= sure <= 1):
        raise BadData(f"`score` of an object must be from 0 to 1. Received: {str(sure)[:80]} in row {row}")
    return spec.classes.index(label), box, float(sure)


def is_box(box: Any) -> TypeGuard[list[float]]:
    numbers = isinstance(box, list) and len(box) == 4 and all(type(edge) in (int, float) for edge in box)
    return numbers and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1


def apart(given: np.ndarray, wanted: np.ndarray) -> float:
    """How far answers of any form are from others, at most: boxes as `far` tells it, all else as `records.apart`."""
    return far(given, wanted) if "scores" in names(wanted) else records.apart(given, wanted)


def far(given: np.ndarray, wanted: np.ndarray) -> float:
    """How far answers of boxes are from others, at most, in a coordinate or a score; their order is of no matter.

    Each answer of either side is compared with the nearest of its label on the other; 1 where there is none. Those less
    than `SURE` are not asked for, but may be what another is near to.
    """
    return max(one_way(given, wanted), one_way(wanted, given))


def one_way(given: np.ndarray, wanted: np.ndarray) -> float:
    edges = np.abs(given["boxes"][:, :, np.newaxis] - wanted["boxes"][:, np.newaxis]).max(axis=-1)
    differences = np.maximum(edges, np.abs(given["scores"][:, :, np.newaxis] - wanted["scores"][:, np.newaxis]))
    alike = given["labels"][:, :, np.newaxis] == wanted["labels"][:, np.newaxis]
    nearest = np.where(alike, differences, 1.0).min(axis=-1)
    broken = ~np.isfinite(given["scores"]) | ~np.isfinite(given["boxes"]).all(axis=-1)
    if broken.any():
        return float("nan")
    return float(np.max(np.where(given["scores"] >= SURE, nearest, 0.0), initial=0.0))
