"""Translation: which symbols answer a text, one after another?

Answers are class numbers int32 (N, T), -1 from the end on; a network gives the same.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.spec import Spec
from tasks import pictures
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import Exam

GATES = ("exact", "symbols")

SHOWN = 20
"""Answers that a table shows."""

LENGTHS = 4
"""Ranges of lengths that an exam is looked at in."""


def scores(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """Both 0 to 1, more is better; `exact`: answers that are right as a whole; `symbols`: the mean share of an answer's
    places that have the right symbol, as `shares` counts them.
    """
    check(answers, given, spec)
    return {name: float(values.mean()) for name, values in each(answers, given).items()}


def check(answers: np.ndarray, given: np.ndarray, spec: Spec) -> None:
    """Raise BadData unless `given` are class numbers for each answer, and -1 from an end on."""
    if given.shape != answers.shape or given.dtype.kind != "i":
        raise BadData(
            f"predictions must be whole numbers of the shape {answers.shape}. Received: {given.dtype} {given.shape}"
        )
    broken = (given < -1) | (given >= len(spec.classes))
    broken[:, 1:] |= (given[:, 1:] >= 0) & (given[:, :-1] < 0)
    if broken.any():
        row = int(broken.any(axis=1).argmax())
        raise BadData(
            f"predictions must be classes 0 to {len(spec.classes) - 1}, and -1 from the end on. "
            f"Received: sample {row}: {given[row].tolist()}"
        )


def each(answers: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
    """By score, its value for each sample: float (N,)."""
    return {"exact": (answers == given).all(axis=1).astype(float), "symbols": shares(answers, given)}


def shares(answers: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The share of places with the right symbol, of those up to the longer one's end; 1 where both are empty."""
    asked = ((answers >= 0) | (given >= 0)).sum(axis=1)
    right = ((answers == given) & (answers >= 0)).sum(axis=1)
    return np.where(asked > 0, right / np.maximum(asked, 1), 1.0)


def judge(split: Split, given: np.ndarray, spec: Spec) -> Exam:
    """Scores, tables of the lengths, of examples and of wrong answers, and what is right by length."""
    answers = np.asarray(split.answers)
    overall = scores(answers, given, spec)
    told = written(split, given, spec)
    wrong = told[told["actual"] != told["predicted"]]
    return Exam(
        scores=overall,
        tables={
            "lengths": lengths(answers, given, spec),
            "examples": told.head(SHOWN),
            "wrong": wrong.sort_values("share", kind="stable").head(SHOWN),
        },
        pictures={"exact_by_length": by_length(answers, given)},
        predictions=told,
    )


def written(split: Split, given: np.ndarray, spec: Spec) -> pd.DataFrame:
    """One row for each sample: id, its right answer and the network's as texts, and the share of it that is right."""
    answers = np.asarray(split.answers)
    told = {"actual": texts(answers, spec), "predicted": texts(given, spec)}
    return pd.DataFrame({"id": np.asarray(split.ids), **told, "share": shares(answers, given)})


def texts(given: np.ndarray, spec: Spec) -> list[str]:
    """The symbols of each answer, int (N, T), -1 from the end on; spaces part them unless each is a character."""
    names = np.array([*spec.classes, ""], dtype=object)
    between = "" if all(len(name) == 1 for name in spec.classes) else " "
    return [between.join(row[: len(row) - (row == "").sum()]) for row in names[np.where(given < 0, -1, given)]]


def lengths(answers: np.ndarray, given: np.ndarray, spec: Spec) -> pd.DataFrame:
    """The scores of each range of lengths."""
    parts = {name: part for name, part in slices(answers, spec).items() if part.any()}
    rows = [{**scores(answers[part], given[part], spec), "samples": int(part.sum())} for part in parts.values()]
    return pd.DataFrame(rows, index=pd.Index(parts, name="part")).reset_index()


def by_length(answers: np.ndarray, given: np.ndarray) -> Figure:
    """A point for each length that occurs: the share of its answers that are right as a whole, and of their symbols."""
    table = pd.DataFrame({"length": (answers >= 0).sum(axis=1), **each(answers, given)})
    means = table.groupby("length").mean()
    figure = pictures.blank()
    axes = figure.add_subplot()
    axes.plot(means.index, means["exact"], "o-", color=pictures.ACCENT, label="exact")
    axes.plot(means.index, means["symbols"], "o-", color=pictures.SECOND, label="symbols")
    axes.set(title="Right by length", xlabel="symbols of the right answer", ylabel="share", ylim=(-0.03, 1.03))
    axes.legend()
    return figure


def baselines(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The answer that is most frequent in `train`, and the source itself where both have as many symbols."""
    kinds, counts = np.unique(np.asarray(train.answers), axis=0, return_counts=True)
    found = {"most frequent": np.tile(kinds[counts.argmax()], (len(samples), 1))}
    if spec.input.sizes == (len(spec.classes) + 2,):
        found["copy"] = copied(np.asarray(samples), spec.steps)
    return found


def copied(samples: np.ndarray, steps: int) -> np.ndarray:
    """The classes of the source's own symbols, up to the first that is nothing or unknown: int32 (N, steps)."""
    classes = np.where(np.logical_and.accumulate(samples >= 2, axis=1), samples - 2, -1)[:, :steps]
    room = [(0, 0), (0, steps - classes.shape[1])]
    return np.pad(classes, room, constant_values=-1).astype(np.int32)


def quality(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """The share of its places that are right: float (N,)."""
    return shares(answers, given)


def slices(answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Up to four ranges of lengths, as wide as each other but for the first."""
    found = (answers >= 0).sum(axis=1)
    edges = np.unique(np.linspace(0, spec.steps, LENGTHS + 1).round().astype(int)).tolist()
    ranges = list(zip([-1, *edges[1:-1]], edges[1:], strict=True))
    return {f"length {low + 1} to {high}": (found > low) & (found <= high) for low, high in ranges}


def differences(
    answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
) -> np.ndarray:
    """Resamples of the exam: how often each sample is drawn is multinomial, the same for both."""
    apart = each(answers, ours)[metric] - each(answers, theirs)[metric]
    drawn = np.random.default_rng(0).multinomial(len(answers), np.full(len(answers), 1 / len(answers)), size=times)
    return np.asarray(drawn @ apart / len(answers))
