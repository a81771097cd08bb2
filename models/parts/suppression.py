"""Non-maximum suppression: of answers of one class that overlap, the surest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from models.parts.boxes import gathered, overlaps


class Detections(NamedTuple):
    """What a detector answers, for each image the surest first.

    Args:
        boxes: float32 (B, M, 4), zeros where there is none.
        labels: int32 (B, M), 0 to K - 1; -1 where there is none.
        scores: float32 (B, M), 0 where there is none.
    """

    boxes: Any
    labels: Any
    scores: Any


def suppress(boxes: Any, scores: Any, *, overlap: float, score: float, most: int, candidates: int = 400) -> Detections:
    """Take the surest answer, drop those of its class that overlap it more than `overlap`, and go on with the rest.

    Args:
        boxes: (B, A, 4), or (B, A, K, 4) where each class has its own.
        scores: (B, A, K), of the classes alone, without the background.
        overlap: IoU above which the less sure of two answers goes, 0 to 1.
        score: an answer has at least this.
        most: how many answers an image may have, M; it is fewer where there are fewer candidates.
        candidates: how many of an image's surest answers, over all classes, are looked at.

    Source: Girshick et al., "Rich feature hierarchies", CVPR 2014, section 2.2; Liu et al., "SSD", ECCV 2016, section
    3.1, leaves 200. Departure from both: the candidates are the surest of all classes together, not of each.
    """
    found = surest(boxes, scores, count=candidates)
    kept = survivors(found, real=found.scores >= score, overlap=overlap)
    order = ops.top_k(ops.where(kept, found.scores, -np.inf), min(most, kept.shape[1]))[1]
    kept, *parts = (gathered(part, order) for part in (kept, *found))
    boxes, labels, scores = parts
    return Detections(
        boxes=ops.where(ops.expand_dims(kept, -1), boxes, 0.0),
        labels=ops.where(kept, labels, -1),
        scores=ops.where(kept, scores, 0.0),
    )


def surest(boxes: Any, scores: Any, *, count: int) -> Detections:
    """The `count` answers of each image with the greatest scores, sorted by them."""
    anchors, classes = scores.shape[1:]
    own = boxes.shape[2] if len(boxes.shape) == 4 else 1  # how many boxes an anchor has
    best, place = ops.top_k(ops.reshape(scores, (-1, anchors * classes)), min(count, anchors * classes))
    anchor, label = place // classes, place % classes
    flat = ops.reshape(boxes, (-1, anchors * own, 4))
    return Detections(boxes=gathered(flat, anchor * own + label % own), labels=ops.cast(label, "int32"), scores=best)


def survivors(found: Detections, *, real: Any, overlap: float) -> Any:
    """Which of the answers, sorted by score, no surer survivor of their class overlaps: bool (B, C).

    Each round asks it of all at once, by the survivors of the round before. The first answer is right from the start,
    and after each round at least one more; so it ends where nothing changes, with what a greedy search finds, after as
    many rounds as there are answers in the longest chain of which each drops the next: a few.
    """
    alike = ops.expand_dims(found.labels, 2) == ops.expand_dims(found.labels, 1)
    close = overlaps(found.boxes, found.boxes) > overlap
    surer = np.triu(np.ones((real.shape[1], real.shape[1]), dtype=bool), k=1)
    drops = ops.logical_and(ops.logical_and(alike, close), surer)  # (B, C, C): whether one drops the other

    def again(kept: Any) -> Any:
        dropped = ops.any(ops.logical_and(ops.expand_dims(kept, 2), drops), axis=1)
        return ops.logical_and(real, ops.logical_not(dropped))

    def changes(before: Any, kept: Any) -> Any:
        return ops.any(before != kept)

    return ops.while_loop(changes, lambda _, kept: (kept, again(kept)), (real, again(real)))[1]
