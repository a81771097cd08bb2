"""Average precision: how well a detector's answers, from the surest on, cover the true boxes and nothing else.

All of it is vectorised over samples; resamples are weights on the answers, so that nothing is matched twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 100
"""Answers of a sample that count, the surest of each class, as COCO has it."""

COCO = np.linspace(0.5, 0.95, 10)
"""Overlaps from which on an answer is right, of COCO's mean."""

POINTS = {"map": 101, "map_50": 101, "voc_2007": 11, "voc_2010": 0}
"""Recalls at which precision is looked at, evenly from 0 to 1; 0 stands for the whole area."""


@dataclass(frozen=True)
class Ranked:
    """The answers of one class to all samples, the surest first.

    Args:
        samples: whose answer it is, int (D,).
        scores: float (D,).
        right: whether it found a true box, at each overlap, bool (T, D).
        truths: true boxes of the class in each sample, int (N,).
    """

    samples: np.ndarray
    scores: np.ndarray
    right: np.ndarray
    truths: np.ndarray


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of boxes (..., R, 4) and (..., M, 4), in any unit: float64 (..., R, M); 0 where neither has an area."""
    both = shared(first, second, 0) * shared(first, second, 1)
    union = areas(first)[..., :, np.newaxis] + areas(second)[..., np.newaxis, :] - both
    return np.asarray(np.divide(both, union, out=np.zeros_like(both), where=union > 0))


def shared(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
    """How much of their height (axis 0) or width (axis 1) boxes have in common: float64 (..., R, M)."""
    low = np.maximum(first[..., :, np.newaxis, axis], second[..., np.newaxis, :, axis], dtype=float)
    high = np.minimum(first[..., :, np.newaxis, axis + 2], second[..., np.newaxis, :, axis + 2], dtype=float)
    return np.asarray(np.maximum(high - low, 0))


def areas(boxes: np.ndarray) -> np.ndarray:
    """Of boxes (..., 4), float64."""
    return np.asarray((boxes[..., 2:].astype(float) - boxes[..., :2]).prod(axis=-1))


def found(answers: np.ndarray, given: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Which true box each answer found at each overlap: int (T, N, R), -1 for none.

    The answers of a sample are asked in their order. Each takes, of the boxes of its label that none before it has
    found, the one that it overlaps most, if that is enough.

    Args:
        answers: records of `boxes` (N, M, 4) and `labels` (N, M).
        given: records of `boxes` (N, R, 4), `labels` and `scores` (N, R), the surest first.
        levels: overlaps that are enough, (T,).

    Source: pycocotools' rule. VOC's own counts an answer as wrong whose best box is found already, whatever other box
    it overlaps; the two differ where boxes of one class overlap each other.
    """
    alike = (given["labels"][:, :, np.newaxis] == answers["labels"][:, np.newaxis]) & real(given)[..., np.newaxis]
    close = np.where(alike, overlaps(given["boxes"], answers["boxes"]), -1.0)  # (N, R, M)
    free = np.broadcast_to(answers["labels"] >= 0, (len(levels), *answers["labels"].shape)).copy()  # (T, N, M)
    taken = np.full((len(levels), *given["labels"].shape), -1)
    for place in range(given["labels"].shape[1]):
        left = np.where(free, close[:, place], -1.0)
        best = left.argmax(axis=-1)
        enough = np.take_along_axis(left, best[..., np.newaxis], axis=-1)[..., 0] >= levels[:, np.newaxis]
        taken[:, :, place] = np.where(enough, best, -1)
        free &= ~(enough[..., np.newaxis] & (np.arange(free.shape[-1]) == best[..., np.newaxis]))
    return taken


def real(given: np.ndarray) -> np.ndarray:
    """Which rows are answers: bool (N, R)."""
    return np.asarray(given["labels"] >= 0)


def ranked(answers: np.ndarray, given: np.ndarray, classes: int, levels: np.ndarray) -> list[Ranked]:
    """The answers of each class, in the order of their scores; of equal ones, in that of the samples."""
    right = found(answers, given, levels) >= 0
    each = []
    for number in range(classes):
        of_class = given["labels"] == number
        samples, places = np.nonzero(of_class & (np.cumsum(of_class, axis=1) <= MOST))
        order = np.argsort(-given["scores"][samples, places], kind="stable")
        samples, places = samples[order], places[order]
        truths = (answers["labels"] == number).sum(axis=1)
        each.append(Ranked(samples, given["scores"][samples, places], right[:, samples, places], truths))
    return each


def curve(one: Ranked, level: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision after each answer, precision as the best from there on: float (S, D) each.

    Args:
        level: which of the overlaps.
        weights: how often each sample counts, (S, N).
    """
    drawn = weights[:, one.samples]
    hits, asked = np.cumsum(drawn * one.right[level], axis=1), np.cumsum(drawn, axis=1)
    recall = hits / np.maximum(weights @ one.truths, 1e-12)[:, np.newaxis]
    precision = hits / np.maximum(asked, 1e-12)
    return recall, np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]


def precision(one: Ranked, level: int, points: int, weights: np.ndarray) -> np.ndarray:
    """Average precision on each resample: (S,); NaN where it has no true box.

    Args:
        level: which of the overlaps.
        points: as `POINTS` has it.
        weights: how often each sample counts, (S, N).
    """
    recall, best = curve(one, level, weights)
    none = weights @ one.truths == 0
    if not points:
        area = (np.diff(recall, axis=1, prepend=0.0) * best).sum(axis=1)
        return np.where(none, np.nan, area)
    padded = np.pad(best, ((0, 0), (0, 1)))
    asked = np.linspace(0, 1, points)
    places = [np.searchsorted(line, asked, side="left") for line in recall]
    looked = np.take_along_axis(padded, np.reshape(places, (len(recall), points)), axis=1)
    return np.where(none, np.nan, looked.mean(axis=1))


def mean(each: list[Ranked], metric: str, weights: np.ndarray) -> np.ndarray:
    """A metric of `POINTS` on each resample: the mean over classes that have true boxes, and overlaps; 0 without any.

    Args:
        each: of every class, at the overlaps of `levels(metric)`.
        weights: how often each sample counts, (S, N).
    """
    values = np.stack(
        [precision(one, level, POINTS[metric], weights) for one in each for level in range(len(levels(metric)))]
    )
    there = np.isfinite(values)
    return np.asarray(np.where(there, values, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1))


def levels(metric: str) -> np.ndarray:
    """Overlaps that a metric asks for."""
    return COCO if metric == "map" else COCO[:1]
