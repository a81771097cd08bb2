"""Which anchor answers for which box, and which of the answers a detector learns from."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from models.parts.boxes import gathered, overlaps

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1


class Match(NamedTuple):
    """What `match` found.

    Args:
        index: for each anchor the place of its box among the N, int32 (B, A); of no meaning where there is no box.
        state: `POSITIVE`, `NEGATIVE` or `IGNORED`, int32 (B, A).
    """

    index: Any
    state: Any


def match(anchors: Any, boxes: Any, labels: Any, *, positive: float, negative: float) -> Match:
    """Give each anchor the box that it overlaps most, and a state by how much that is.

    Args:
        anchors: (A, 4), or (B, A, 4) where each image has its own.
        boxes: (B, N, 4).
        labels: (B, N), -1 where there is no box.
        positive: an overlap from here on makes an anchor positive, 0 to 1.
        negative: one below makes it negative, at most `positive`; between the two it is ignored.

    Source: Girshick, "Fast R-CNN", ICCV 2015, section 2.3.
    """
    return judged(real_overlaps(anchors, boxes, labels), positive=positive, negative=negative)


def match_every(anchors: Any, boxes: Any, labels: Any, *, positive: float, negative: float) -> Match:
    """As `match`, but each box has an anchor, however little they overlap: positive, and its own.

    That is the anchor that overlaps it most. Where several boxes want one, it goes to the one that it overlaps most
    (the first of equals), and the others go on to their next best. Only a box that overlaps none that is left has none.

    Source: Liu et al., "SSD", ECCV 2016, section 2.2, "Matching strategy"; Ren et al., "Faster R-CNN", NeurIPS 2015,
    section 3.1.2. Departure from the latter: where a box overlaps several anchors as much, it has the first.
    """
    found = real_overlaps(anchors, boxes, labels)
    by_overlap = judged(found, positive=positive, negative=negative)
    owned = owners(found)
    index = ops.cast(ops.argmax(owned, axis=-1), "int32")
    has_owner = ops.any(owned, axis=-1)
    return Match(
        index=ops.where(has_owner, index, by_overlap.index), state=ops.where(has_owner, POSITIVE, by_overlap.state)
    )


def real_overlaps(anchors: Any, boxes: Any, labels: Any) -> Any:
    """IoU of anchors and boxes, (B, A, N); -1 where there is no box."""
    found = overlaps(ops.stop_gradient(anchors), boxes)
    return ops.where(ops.expand_dims(labels, 1) >= 0, found, -1.0)


def judged(found: Any, *, positive: float, negative: float) -> Match:
    """Each anchor's best box, and the state that its overlap (B, A, N) makes of it."""
    best = ops.max(found, axis=-1)
    state = ops.where(best < negative, NEGATIVE, ops.where(best >= positive, POSITIVE, IGNORED))
    return Match(index=ops.cast(ops.argmax(found, axis=-1), "int32"), state=ops.cast(state, "int32"))


def owners(found: Any) -> Any:
    """One anchor for each box that overlaps any, by their overlaps (B, A, N): bool (B, A, N).

    Every box asks for the best anchor that has not refused it; an anchor that several ask for refuses all but one;
    until none is refused. As both sides go by the same overlap, this is what taking the greatest overlap of all, again
    and again, would give, but in as many rounds as boxes are refused one after the other: mostly one or two.
    """

    def asked(refused: Any) -> Any:
        left = ops.where(refused, 0.0, found)
        best = ops.one_hot(ops.argmax(left, axis=1), found.shape[1], axis=1, dtype="float32")  # (B, A, N)
        return ops.maximum(best * left, 0.0)  # the overlap where a box asks, else 0

    def refuse(refused: Any, asking: Any) -> tuple[Any, Any]:
        kept = ops.one_hot(ops.argmax(asking, axis=-1), found.shape[2], dtype="bool")
        refused = ops.logical_or(refused, ops.logical_and(asking > 0, ops.logical_not(kept)))
        return refused, asked(refused)

    def contested(_: Any, asking: Any) -> Any:
        return ops.any(ops.sum(ops.cast(asking > 0, "int32"), axis=-1) > 1)

    nobody = ops.zeros_like(found, dtype="bool")
    return ops.while_loop(contested, refuse, (nobody, asked(nobody)))[1] > 0


def assigned(values: Any, match: Match) -> Any:
    """What each anchor's box has: values (B, N, ...) as (B, A, ...)."""
    return gathered(values, match.index)


def assigned_labels(labels: Any, match: Match) -> Any:
    """The label of each positive anchor's box, -1 for the other anchors: int32 (B, A)."""
    return ops.where(match.state == POSITIVE, ops.cast(gathered(labels, match.index), "int32"), -1)


def sample(state: Any, *, count: int, fraction: float, seed: keras.random.SeedGenerator) -> Any:
    """Draw anchors to learn from, at random, afresh at each step.

    Args:
        state: of each anchor, (B, A).
        count: how many anchors of each image are drawn; fewer if it has fewer that are not ignored.
        fraction: at most this part of `count` is positive, 0 to 1; negative ones fill the rest.
        seed: what is drawn from.

    Returns:
        Which are drawn, bool (B, A).

    Source: Girshick, "Fast R-CNN", ICCV 2015, section 2.3 (64 and 0.25); Ren et al., "Faster R-CNN", NeurIPS 2015,
    section 3.1.3 (256 and 0.5).
    """
    lot = keras.random.uniform(ops.shape(state), seed=seed)
    positive, negative = state == POSITIVE, state == NEGATIVE
    place = ranks(ops.where(positive, 1 + lot, ops.where(negative, lot, -1.0)))
    positives = ops.sum(ops.cast(positive, "int32"), axis=1, keepdims=True)
    drawn = ops.minimum(positives, int(count * fraction))
    filling = ops.logical_and(negative, place - positives < count - drawn)
    return ops.logical_or(ops.logical_and(positive, place < drawn), filling)


def hard_negatives(losses: Any, state: Any, *, ratio: float) -> Any:
    """The negative anchors with the greatest losses, `ratio` for each positive one of the same image.

    Args:
        losses: of each anchor, (B, A).
        state: of each anchor, (B, A).
        ratio: SSD has 3.

    Returns:
        Which they are, bool (B, A); none in an image without a positive anchor.

    Source: Liu et al., "SSD", ECCV 2016, section 2.2, "Hard negative mining".
    """
    negative = state == NEGATIVE
    place = ranks(ops.where(negative, ops.stop_gradient(losses), -float("inf")))
    positives = ops.sum(ops.cast(state == POSITIVE, "float32"), axis=1, keepdims=True)
    return ops.logical_and(negative, ops.cast(place, "float32") < ratio * positives)


def ranks(values: Any) -> Any:
    """The place of each value of a row (B, A), the greatest having 0: int32."""
    return ops.cast(ops.argsort(ops.argsort(-values, axis=-1), axis=-1), "int32")
