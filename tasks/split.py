"""Split samples into train, validation and test by what they show, never by where they stand, but for series."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import pandas as pd

from tasks import encoding
from tasks.catalogue import Dataset

SPLITS = ("train", "validation", "test")
SEPARATOR = "\x1f"


def contents(samples: np.ndarray) -> np.ndarray:
    """sha256 of every sample's bytes: text (N,)."""
    return np.array([hashlib.sha256(sample.tobytes()).hexdigest() for sample in samples])


def inputs(images: np.ndarray | None, table: pd.DataFrame, dataset: Dataset) -> np.ndarray:
    """sha256 of what every sample of a source shows, before it is encoded, of a series' its moment: text (N,).

    Texts of the same words are one, whatever stands between them: a network of words sees no more.
    """
    columns = [*dataset.numbers, *dataset.categories, *(["text"] if dataset.has_text else [])]
    columns = ["moment"] if dataset.series else columns
    if not columns and images is not None:
        return contents(images)
    told = table[columns].astype(str)
    rows = told.agg(SEPARATOR.join, axis=1)
    if dataset.words:
        seen = told.assign(text=[" ".join(encoding.words(text)) for text in told["text"]])
        rows = rows.groupby(seen.agg(SEPARATOR.join, axis=1)).transform("min")
    shown = images if dataset.image and images is not None else np.empty((len(table), 0), dtype=np.uint8)
    digests = [hashlib.sha256(row.encode() + image.tobytes()) for row, image in zip(rows, shown, strict=True)]
    return np.array([digest.hexdigest() for digest in digests])


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


def units(content: np.ndarray, samples: pd.DataFrame, dataset: Dataset) -> np.ndarray:
    """What is never parted: samples of one group, or of equal content; text (N,)."""
    return samples[dataset.group].to_numpy(dtype=str) if dataset.group else content


def of_dataset(content: np.ndarray, samples: pd.DataFrame, dataset: Dataset) -> np.ndarray:
    """The split of every sample of `dataset`: text (N,); of a series, its rows in the order of time."""
    if dataset.series and dataset.test != "official":
        return by_time(len(samples), validation=dataset.validation, test=dataset.test)
    return assign(
        units(content, samples, dataset),
        samples["split"].to_numpy(dtype=str),
        validation=dataset.validation,
        test=dataset.test,
        seed=dataset.seed,
    )


def by_time(count: int, *, validation: float, test: float) -> np.ndarray:
    """The split of `count` rows in the order of time: the last are the exam, those before it the validation.

    Args:
        validation: fraction of the rows that are not in the exam.
        test: fraction of all rows.
    """
    exam = round(test * count)
    chosen = round(validation * (count - exam))
    return np.repeat(SPLITS, [count - exam - chosen, chosen, exam])
