"""Split samples into train, validation and test by what they show, never by where they stand."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import pandas as pd

from tasks.catalogue import Dataset

SPLITS = ("train", "validation", "test")


def contents(images: np.ndarray) -> np.ndarray:
    """sha256 of every image's bytes: text (N,)."""
    return np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in images])


def assign(
    content: np.ndarray, official: np.ndarray, *, validation: float, test: float | Literal["official"], seed: int
) -> np.ndarray:
    """The split of every sample: text (N,).

    Samples of equal content are never parted, except from an official exam, which stays as its owners made
    it; the step validate refuses a source whose exam is also among its training samples.

    Args:
        content: digest of each sample, text (N,).
        official: the source's own split of each sample, text (N,).
        validation: fraction, of the samples that are not in the exam, to choose by.
        test: fraction of all samples for the exam, or `official`.
    """
    exam = official == "test" if test == "official" else first(content, round(test * len(content)), seed)
    rest = np.flatnonzero(~exam)
    splits = np.where(exam, "test", "train").astype("<U10")
    splits[rest[first(content[rest], round(validation * len(rest)), seed)]] = "validation"
    return splits


def first(content: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Which samples are the first `count` in the order of sha256(seed, content): bool (N,).

    The last group is taken whole, so there can be more than `count` by what that group has too many.
    """
    groups, group_of, sizes = np.unique(content, return_inverse=True, return_counts=True)
    ranks = [hashlib.sha256(f"{seed} {text}".encode()).hexdigest() for text in groups]
    order = np.argsort(np.array(ranks, dtype="<U64"))
    before = np.cumsum(sizes[order]) - sizes[order]
    taken = np.zeros(len(groups), dtype=bool)
    taken[order] = before < count
    chosen: np.ndarray = taken[group_of]
    return chosen


def of_dataset(content: np.ndarray, samples: pd.DataFrame, dataset: Dataset) -> np.ndarray:
    """The split of every sample of `dataset`: text (N,)."""
    return assign(
        content,
        samples["split"].to_numpy(dtype=str),
        validation=dataset.validation,
        test=dataset.test,
        seed=dataset.seed,
    )
