"""Losses of detectors that Keras has no name for.

Cross-entropies for each anchor are `keras.ops.sparse_categorical_crossentropy` and `keras.ops.binary_crossentropy`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def smooth_l1(wanted: Any, given: Any, *, beta: float = 1.0) -> Any:
    """Square of small errors, absolute value of large ones, summed over the last axis: (..., D) as (...).

    Args:
        beta: error where the one passes into the other, positive; 1 / sigma squared, where a paper has sigma (Faster
            R-CNN's RPN: 3). Where errors are larger the slope is 1.

    Source: Girshick, "Fast R-CNN", ICCV 2015, equation 3.
    """
    return keras.losses.huber(wanted, given, delta=beta) * (given.shape[-1] / beta)


def masked_mean(values: Any, mask: Any) -> Any:
    """Mean of the values whose mask is true, a scalar; 0 if there are none, and no gradient of any other value."""
    return masked_sum(values, mask) / at_least_one(mask)


def multibox(class_losses: Any, offset_losses: Any, *, positive: Any, negative: Any) -> Any:
    """Class losses of positive and chosen negative anchors and offset losses of positive ones, by the number of these.

    Args:
        class_losses: (B, A).
        offset_losses: (B, A).
        positive: bool (B, A).
        negative: the negative ones that count, bool (B, A).

    Returns:
        A scalar; 0 for a batch without boxes, where no negatives are chosen either.

    Source: Liu et al., "SSD", ECCV 2016, equation 1, with alpha 1; the number is that of the batch.
    """
    total = masked_sum(class_losses, ops.logical_or(positive, negative)) + masked_sum(offset_losses, positive)
    return total / at_least_one(positive)


def masked_sum(values: Any, mask: Any) -> Any:
    return ops.sum(ops.where(mask, ops.cast(values, "float32"), 0.0))


def at_least_one(mask: Any) -> Any:
    return ops.maximum(ops.sum(ops.cast(mask, "float32")), 1.0)
