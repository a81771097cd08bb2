"""What is watched of samples and answers: a few numbers of each, which change when the samples do.

A version keeps its reference: how these numbers were distributed among the samples that it learnt from, and among its
answers to the exam. Drift is how far they are from that later (tasks/drift.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.spec import Spec
from tasks import records

BINS = 10
COMPONENTS = 8
"""Principal components of images that are watched."""

SIDE = 16
"""Images are shrunk to so many pixels a side, at most, before their components are taken."""

MOST = 20_000
"""Samples that a reference is made of, at most, evenly taken."""

LIKELY = 0.5
"""Score from which on an answer of a box counts."""

MANY = 20
"""Classes whose boxes are counted by themselves, at most."""

CHUNK = 4096
"""Images that are measured at once."""

Measured = dict[str, np.ndarray]
"""By name, a number of each sample: float64 (N,)."""


@dataclass(frozen=True)
class Projection:
    """Principal components of the training images: `mean` (D,), and `axes` (D, COMPONENTS)."""

    mean: np.ndarray
    axes: np.ndarray


@dataclass(frozen=True)
class Reference:
    """How each measure was distributed.

    Args:
        edges: by measure, the inner edges of its bins, rising; the outer ones are open.
        counts: by measure, how many samples were in each bin.
        projection: of images; None where there are none.
        quality: mean quality of the answers to the exam, as the problem judges each by itself.
        exam: samples of that exam.
    """

    edges: Mapping[str, np.ndarray]
    counts: Mapping[str, np.ndarray]
    projection: Projection | None
    quality: float
    exam: int

    def write(self, path: Path) -> None:
        arrays = {f"edges/{name}": edges for name, edges in self.edges.items()}
        arrays |= {f"counts/{name}": counts for name, counts in self.counts.items()}
        if self.projection:
            arrays |= {"mean": self.projection.mean, "axes": self.projection.axes}
        np.savez_compressed(path, quality=self.quality, exam=self.exam, **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> Reference:
        """Read a reference.

        Raises:
            OSError, ValueError, KeyError: if the file is not one.
        """
        with np.load(path, allow_pickle=False) as file:
            parts = {kind: dict(named(file, kind)) for kind in ("edges", "counts")}
            projection = Projection(file["mean"], file["axes"]) if "mean" in file else None
            return cls(**parts, projection=projection, quality=float(file["quality"]), exam=int(file["exam"]))


def named(file: Any, kind: str) -> Iterator[tuple[str, np.ndarray]]:
    for name in file.files:
        if name.startswith(f"{kind}/"):
            yield name.removeprefix(f"{kind}/"), file[name]


def refer(train: np.ndarray, given: np.ndarray, spec: Spec, quality: np.ndarray) -> Reference:
    """The reference of a version.

    Args:
        train: samples that it learnt from.
        given: its answers to the exam, with their quality, float (N,).
    """
    some = np.asarray(train[:: max(1, len(train) // MOST)])
    projection = components(some)
    learnt = of_samples(some, projection)
    answered = of_answers(given, spec)
    edges = {name: quantiles(values) for name, values in {**learnt, **answered}.items()}
    if spec.label:
        edges["answer.class"] = np.arange(len(spec.classes) - 1) + 0.5
    counts = {name: binned(values, edges[name]) for name, values in {**learnt, **answered}.items()}
    return Reference(edges, counts, projection, float(quality.mean()), len(quality))


def quantiles(values: np.ndarray) -> np.ndarray:
    """Edges between bins of about equally many values; fewer bins where there are few different values."""
    different = np.unique(values)
    if len(different) <= BINS:
        return np.asarray((different[1:] + different[:-1]) / 2)
    return np.unique(np.quantile(values, np.arange(1, BINS) / BINS))


def binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many values are in each bin."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def of_samples(samples: np.ndarray, projection: Projection | None) -> Measured:
    """The watched numbers of samples, as a dataset's splits store them."""
    measured: Measured = {}
    for name in samples.dtype.names or (kind_of(samples),):
        values = records.part(samples, name)
        known: dict[str, Callable[[np.ndarray], Measured]] = {
            "image": partial(of_images, projection=projection),
            "words": of_words,
            "characters": of_characters,
            "series": of_series,
            "proposals": of_proposals,
        }
        found = known.get(name, of_columns)(values)
        measured |= {f"{name}.{key}": value for key, value in found.items()}
    return measured


def kind_of(samples: np.ndarray) -> str:
    """What the samples of a single input are."""
    if samples.ndim == 4:
        return "image"
    if samples.dtype == np.uint8:
        return "characters"
    if samples.ndim == 3:
        return "series"
    return "numbers" if samples.dtype.kind == "f" else "words"


def of_images(images: np.ndarray, projection: Projection | None) -> Measured:
    """Of images uint8 (N, H, W, C): light, contrast, edges, where the light is, and components."""
    parts = [of_some_images(images[start : start + CHUNK], projection) for start in range(0, len(images), CHUNK)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def of_some_images(images: np.ndarray, projection: Projection | None) -> Measured:
    grey = np.asarray(images, np.float32).mean(axis=3) / 255  # (N, H, W)
    rows, columns = (np.linspace(0, 1, size, dtype=np.float32) for size in grey.shape[1:])
    light = grey.mean(axis=(1, 2))
    weight = np.maximum(light, 1e-6)
    measured = {
        "brightness": light,
        "contrast": grey.std(axis=(1, 2)),
        "edges_across": np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2)),
        "edges_down": np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)),
        "centre_y": (grey.mean(axis=2) * rows).mean(axis=1) / weight,
        "centre_x": (grey.mean(axis=1) * columns).mean(axis=1) / weight,
    }
    if projection:
        along = (small(images) - projection.mean) @ projection.axes
        measured |= {f"component_{number}": along[:, number] for number in range(along.shape[1])}
    return {name: np.asarray(value, np.float64) for name, value in measured.items()}


def small(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C) as rows of few pixels, 0..1: every n-th row and column, the same n for all."""
    step = [max(1, -(-size // SIDE)) for size in images.shape[1:3]]
    return np.asarray(images[:, :: step[0], :: step[1]], np.float32).reshape(len(images), -1) / 255


def components(samples: np.ndarray) -> Projection | None:
    """The directions in which the images of `samples` differ most; None where they have none."""
    names = samples.dtype.names or (kind_of(samples),)
    if "image" not in names:
        return None
    rows = small(records.part(samples, "image"))
    mean = rows.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(rows - mean, rowvar=False).reshape(rows.shape[1], rows.shape[1]))
    return Projection(mean, axes[:, ::-1][:, :COMPONENTS].astype(np.float32))


def of_words(words: np.ndarray) -> Measured:
    """Of words int (N, T), 0 for nothing and 1 for unknown: how many there are, how many unknown, how rare."""
    there = np.maximum((words > 0).sum(axis=1), 1)
    return {
        "length": (words > 0).sum(axis=1).astype(np.float64),
        "unknown": (words == 1).sum(axis=1) / there,
        "rarity": words.sum(axis=1) / there,
    }


def of_characters(windows: np.ndarray) -> Measured:
    """Of windows of characters uint8 (N, T): how many different ones each has, and their mean number."""
    different = 1 + (np.diff(np.sort(windows, axis=1), axis=1) > 0).sum(axis=1)
    return {"different": different.astype(np.float64), "mean": windows.mean(axis=1)}


def of_series(windows: np.ndarray) -> Measured:
    """Of windows of a series (N, P, D), for each column: its last value, its mean, and how it has spread and risen."""
    measured: Measured = {}
    for column in range(windows.shape[2]):
        values = np.asarray(windows[..., column], np.float64)
        measured |= {
            f"{column}.last": values[:, -1],
            f"{column}.mean": values.mean(axis=1),
            f"{column}.spread": values.std(axis=1),
            f"{column}.rise": values[:, -1] - values[:, 0],
        }
    return measured


def of_proposals(proposals: np.ndarray) -> Measured:
    """Of boxes (N, P, 4) that are proposed, rows of zeros where there are fewer: how many, and their mean area."""
    sizes = areas(proposals)
    count = (sizes > 0).sum(axis=1)
    return {"count": count.astype(np.float64), "area": sizes.sum(axis=1) / np.maximum(count, 1)}


def areas(boxes: np.ndarray) -> np.ndarray:
    """The part of the image that each box (..., 4), relative (y1, x1, y2, x2), takes: float64 (...)."""
    sides = np.asarray(boxes[..., 2:], np.float64) - boxes[..., :2]
    return np.asarray(sides.prod(axis=-1))


def of_columns(values: np.ndarray) -> Measured:
    """Of numbers or categories (N, D): each column as it is."""
    return {str(column): np.asarray(values[:, column], np.float64) for column in range(values.shape[1])}


def of_answers(given: np.ndarray, spec: Spec) -> Measured:
    """The watched numbers of answers: the class and how sure it is, the number; how many symbols, and the first; the
    first and the last value of a forecast; what `of_boxes` and `of_vectors` tell."""
    if spec.boxes:
        return of_boxes(given, spec)
    if spec.vectors:
        return of_vectors(given)
    measured: Measured = {}
    if spec.forecast:
        measured |= {"answer.first": given[:, 0], "answer.last": given[:, -1]}
    if spec.translation:
        measured |= {"answer.length": (given >= 0).sum(axis=1), "answer.first": given[:, 0]}
    if spec.label:
        label = records.part(given, "label")
        measured |= {"answer.class": label.argmax(axis=1).astype(np.float64), "answer.confidence": label.max(axis=1)}
    if spec.number and not spec.steps:
        measured["answer.number"] = records.part(given, spec.number.name)[:, 0]
    return {name: np.asarray(value, np.float64) for name, value in measured.items()}


def of_vectors(given: np.ndarray) -> Measured:
    """Of vectors (N, T, D), zeros where no word is known: how long they are, and how alike those of a run."""
    lengths = np.linalg.norm(np.asarray(given, np.float64), axis=2)
    there = np.maximum((lengths > 0).sum(axis=1), 1)
    unit = given / np.maximum(lengths, 1e-12)[..., np.newaxis]
    return {
        "answer.length": lengths.sum(axis=1) / there,
        "answer.alike": np.linalg.norm(unit.sum(axis=1), axis=1) / there,
    }


def of_boxes(given: np.ndarray, spec: Spec) -> Measured:
    """Of answers of boxes: how many are sure, how sure the first is, how large they are, and how many of each class."""
    sure = given["scores"] >= LIKELY
    each = {
        f"answer.of_{name}": (sure & (given["labels"] == number)).sum(axis=1)
        for number, name in enumerate(spec.classes[:MANY])
    }
    measured = {
        "answer.objects": sure.sum(axis=1),
        "answer.confidence": given["scores"].max(axis=1, initial=0.0),
        "answer.area": (areas(given["boxes"]) * sure).sum(axis=1) / np.maximum(sure.sum(axis=1), 1),
        **each,
    }
    return {name: np.asarray(value, np.float64) for name, value in measured.items()}
