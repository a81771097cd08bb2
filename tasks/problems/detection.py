"""Detection: which objects are in the image, and where?

Answers are records of `boxes` (N, M, 4) and `labels` (N, M), -1 where there is none; a network's have `scores` too, the
surest first. Boxes are (y1, x1, y2, x2), relative, 0 to 1.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.spec import Spec
from tasks import records
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import Exam
from tasks.problems.boxes import average_precision, drawn
from tasks.problems.boxes.average_precision import COCO

GATES = ("map_50", "map", "voc_2007", "voc_2010")

SURE = 0.5
"""Score from which on an answer counts where one must be meant or not."""

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}
"""Areas in pixels, as COCO calls them."""

AT_ONCE = 100
"""Resamples that are judged together."""

SHOWN = 24
"""Images on the sheet of an exam."""


def scores(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """All 0 to 1, more is better; means over the classes that have true boxes, 0 where none has.

    `map`, `map_50`, `map_75`: COCO's average precision, over overlaps from .50 to .95, at .50 and at .75; `recall_100`:
    true boxes that 100 answers an image find, over the same overlaps; `voc_2007`, `voc_2010`: VOC's average precision
    at .50, at eleven recalls and as an area.
    """
    check(answers, given, spec)
    each, once = ranked(answers, given, spec, "voc_2007"), np.ones((1, len(answers)))
    voc = {name: float(average_precision.mean(each, name, once)[0]) for name in ("voc_2007", "voc_2010")}
    return {**coco(answers, given, spec), **voc}


def check(answers: np.ndarray, given: np.ndarray, spec: Spec) -> None:
    """Raise BadData unless `given` are answers: of the right form, for each sample, and finite."""
    if set(given.dtype.names or ()) != {"boxes", "labels", "scores"} or len(given) != len(answers):
        raise BadData(
            f"predictions must be boxes, labels and scores of {len(answers)} samples. "
            f"Received: {given.dtype.names} of {len(given)}"
        )
    broken = ~(np.isfinite(given["boxes"]).all(axis=(1, 2)) & np.isfinite(given["scores"]).all(axis=1))
    if broken.any():
        raise BadData(
            f"predictions must be finite. Received: {broken.sum()} of {len(given)} with NaN or infinity, "
            f"the first for sample {int(np.argmax(broken))}"
        )
    if (given["labels"] >= len(spec.classes)).any():
        raise BadData(f"labels must be below {len(spec.classes)}. Received: {given['labels'].max()}")


def ranked(answers: np.ndarray, given: np.ndarray, spec: Spec, metric: str) -> list[average_precision.Ranked]:
    return average_precision.ranked(answers, given, len(spec.classes), average_precision.levels(metric))


def coco(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """What pycocotools says; -1, which stands for no true box at all, becomes 0."""
    from pycocotools import coco as known_objects
    from pycocotools.cocoeval import COCOeval

    known = known_objects.COCO()
    known.dataset = dataset(answers, spec)
    rows = told(given, spec)
    if not known.dataset["annotations"] or not len(rows):
        return dict.fromkeys(("map", "map_50", "map_75", "recall_100"), 0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        judge = COCOeval(known, known.loadRes(rows), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    places = {"map": 0, "map_50": 1, "map_75": 2, "recall_100": 8}
    return {name: max(0.0, float(judge.stats[place])) for name, place in places.items()}


def dataset(answers: np.ndarray, spec: Spec) -> dict[str, list[dict[str, object]]]:
    """The right answers in COCO's form, boxes in pixels."""
    samples, places = np.nonzero(answers["labels"] >= 0)
    corners = in_pixels(answers["boxes"][samples, places], spec)
    labels = answers["labels"][samples, places].tolist()
    objects = zip(samples.tolist(), corners.tolist(), labels, strict=True)
    return {
        "images": [{"id": number} for number in range(len(answers))],
        "categories": [{"id": number} for number in range(len(spec.classes))],
        "annotations": [
            {"id": number, "image_id": sample, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for number, (sample, box, label) in enumerate(objects, start=1)
        ],
    }


def in_pixels(boxes: np.ndarray, spec: Spec) -> np.ndarray:
    """Boxes (D, 4) as COCO has them: left, top, width, height, float64."""
    height, width = spec.inputs["image"].shape[:2]
    top, left, bottom, right = (boxes.astype(float) * [height, width, height, width]).T
    return np.stack([left, top, right - left, bottom - top], axis=1)


def told(given: np.ndarray, spec: Spec) -> np.ndarray:
    """Answers in COCO's form, float64 (D, 7): image, box, score, class."""
    samples, places = np.nonzero(given["labels"] >= 0)
    parts = (given[name][samples, places] for name in ("boxes", "scores", "labels"))
    boxes, scores_, labels = parts
    return np.column_stack([samples, in_pixels(boxes, spec), scores_, labels])


def judge(split: Split, given: np.ndarray, spec: Spec) -> Exam:
    """Scores, tables of the classes and the sizes, precision by recall, and images with boxes."""
    answers = np.asarray(split.answers)
    overall = scores(answers, given, spec)
    each = ranked(answers, given, spec, "map")
    counts = counted(answers, given)
    images = np.asarray(records.part(split.samples, "image"))
    return Exam(
        scores=overall,
        tables={"classes": per_class(answers, given, each, spec), "sizes": per_size(answers, given, spec)},
        pictures={
            "precision_by_recall": curves(each, spec),
            "detections": drawn.sheet(images, answers, given, chosen(counts), spec, sure=SURE),
        },
        predictions=pd.DataFrame({"id": np.asarray(split.ids), **counts}),
    )


def counted(answers: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
    """Of each sample: objects, how many of them sure answers found and missed, and how many of these were false."""
    sure = certain(given)
    objects = (answers["labels"] >= 0).sum(axis=1)
    found = (average_precision.found(answers, sure, COCO[:1])[0] >= 0).sum(axis=1)
    false = average_precision.real(sure).sum(axis=1) - found
    return {"objects": objects, "found": found, "missed": objects - found, "false": false}


def certain(given: np.ndarray) -> np.ndarray:
    """The answers that are sure; the others become none."""
    sure = given.copy()
    sure["labels"] = np.where(given["scores"] >= SURE, given["labels"], -1)
    return sure


def chosen(counts: dict[str, np.ndarray]) -> np.ndarray:
    """Rows of the samples with most errors, and some without any, a quarter of the sheet."""
    errors = counts["missed"] + counts["false"]
    order = np.argsort(-errors, kind="stable")
    wrong, right = order[errors[order] > 0], order[errors[order] == 0]
    good = right[: max(SHOWN // 4, SHOWN - len(wrong))]
    return np.concatenate([wrong[: SHOWN - len(good)], good])


def per_class(answers: np.ndarray, given: np.ndarray, each: list[average_precision.Ranked], spec: Spec) -> pd.DataFrame:
    """Average precision of each class, and how many of its objects sure answers found, missed and made up."""
    once, sure = np.ones((1, len(answers))), certain(given)
    right = average_precision.found(answers, sure, COCO[:1])[0] >= 0
    rows = []
    for number, (name, one) in enumerate(zip(spec.classes, each, strict=True)):
        asked = sure["labels"] == number
        objects, found = int(one.truths.sum()), int((right & asked).sum())
        values = [average_precision.precision(one, level, 101, once)[0] for level in range(len(COCO))]
        rows.append(
            {
                "class": name,
                "objects": objects,
                "ap_50": values[0],
                "ap": float(np.mean(values)),
                "found": found,
                "missed": objects - found,
                "false": int(asked.sum()) - found,
            }
        )
    return pd.DataFrame(rows)


def per_size(answers: np.ndarray, given: np.ndarray, spec: Spec) -> pd.DataFrame:
    """How many objects of each size there are, and how many of them sure answers found."""
    taken = average_precision.found(answers, certain(given), COCO[:1])[0]
    found = (taken[:, :, np.newaxis] == np.arange(answers["labels"].shape[1])).any(axis=1)
    areas, there = pixels(answers, spec), answers["labels"] >= 0
    rows = []
    for name, (least, most) in SIZES.items():
        of_size = there & (areas >= least) & (areas < most)
        objects = int(of_size.sum())
        rows.append({"size": name, "objects": objects, "found": int((of_size & found).sum())})
    return pd.DataFrame(rows).assign(recall=lambda table: table["found"] / table["objects"].clip(lower=1))


def pixels(answers: np.ndarray, spec: Spec) -> np.ndarray:
    """Area of each box, (N, M)."""
    height, width = spec.inputs["image"].shape[:2]
    sides = answers["boxes"][..., 2:] - answers["boxes"][..., :2]
    return np.asarray(sides.prod(axis=-1) * height * width)


def curves(each: list[average_precision.Ranked], spec: Spec) -> Figure:
    """Precision by recall of each class at an overlap of a half."""
    lines = {}
    for name, one in zip(spec.classes, each, strict=True):
        once = np.ones((1, len(one.truths)))
        if one.truths.sum():
            recall, best = average_precision.curve(one, 0, once)
            area = float(average_precision.precision(one, 0, 0, once)[0])
            lines[f"{name} {area:.2f}"] = (recall[0], best[0])
    return drawn.curves(lines)


def baselines(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The usual box of each class, whatever the image: the median of its boxes, as sure as it is frequent."""
    answers = np.asarray(train.answers)
    counts = np.array([(answers["labels"] == number).sum() for number in range(len(spec.classes))])
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    fields = [("boxes", "f4", (len(order), 4)), ("labels", "i4", (len(order),)), ("scores", "f4", (len(order),))]
    usual = np.zeros(1, dtype=fields)
    usual["labels"], usual["scores"] = order, counts[order] / max(counts.sum(), 1)
    usual["boxes"] = [np.median(answers["boxes"][answers["labels"] == number], axis=0) for number in order]
    return {"usual boxes": np.repeat(usual, len(samples))}


def quality(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """F1 of each sample's sure answers at an overlap of a half: float (N,); 1 where nothing is and nothing is said."""
    check(answers, given, spec)
    counts = counted(answers, given)
    sums = 2 * counts["found"] + counts["missed"] + counts["false"]
    return np.where(sums == 0, 1.0, 2 * counts["found"] / np.maximum(sums, 1))


def slices(answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Samples with each class, with objects of each size, and by how many objects they have."""
    labels, areas = answers["labels"], pixels(answers, spec)
    there = labels >= 0
    objects = there.sum(axis=1)
    found = {f"class {name}": (labels == number).any(axis=1) for number, name in enumerate(spec.classes)}
    found |= {
        f"size {name}": (there & (areas >= least) & (areas < most)).any(axis=1) for name, (least, most) in SIZES.items()
    }
    numbers = {"no object": objects == 0, "one object": objects == 1, "several objects": objects > 1}
    return {name: rows for name, rows in {**found, **numbers}.items() if rows.any()}


def differences(
    answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
) -> np.ndarray:
    """Resamples by how often each sample is drawn; nothing is matched twice."""
    weights = np.random.default_rng(0).multinomial(len(answers), np.full(len(answers), 1 / len(answers)), size=times)
    pair = [ranked(answers, given, spec, metric) for given in (ours, theirs)]
    parts = []
    for start in range(0, times, AT_ONCE):
        some = weights[start : start + AT_ONCE].astype(float)
        first, second = (average_precision.mean(each, metric, some) for each in pair)
        parts.append(first - second)
    return np.concatenate(parts)
