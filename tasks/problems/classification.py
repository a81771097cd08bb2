"""Classification: which one of K classes is it?

Answers are class numbers, int32 (N,); a network gives probabilities, float (N, K).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import sparse
from sklearn import metrics

from models.spec import Spec
from tasks import pictures, records
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import Exam

GATES = ("accuracy", "balanced_accuracy", "macro_f1")

WORST = 32
"""How many mistakes the sheet shows."""


def scores(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """Accuracy, balanced accuracy, macro F1 (all 0..1, more is better) and log loss (nats, less is better)."""
    check(answers, given, spec)
    best, numbers = given.argmax(axis=1), range(len(spec.classes))
    recall = metrics.recall_score(answers, best, labels=numbers, average=None, zero_division=0)
    present = np.isin(numbers, answers)
    return {
        "accuracy": float(metrics.accuracy_score(answers, best)),
        "balanced_accuracy": float(recall[present].mean()),
        "macro_f1": float(metrics.f1_score(answers, best, labels=numbers, average="macro", zero_division=0)),
        "log_loss": float(metrics.log_loss(answers, normalised(given), labels=numbers)),
    }


def check(answers: np.ndarray, given: np.ndarray, spec: Spec) -> None:
    """Raise BadData unless `given` are finite probabilities, one row for each answer."""
    wanted = (len(answers), len(spec.classes))
    if given.shape != wanted:
        raise BadData(f"predictions must have the shape (samples, classes) {wanted}. Received: {given.shape}")
    broken = ~np.isfinite(given).all(axis=1)
    if broken.any():
        raise BadData(
            f"predictions must be finite. Received: {broken.sum()} of {len(given)} with NaN or infinity, "
            f"the first for sample {int(np.argmax(broken))}"
        )


def normalised(given: np.ndarray) -> np.ndarray:
    """Rows that sum to 1 in float64, as scikit-learn asks; float32's rounding is not an error."""
    given = given.astype(np.float64)
    return np.asarray(given / given.sum(axis=1, keepdims=True))


def judge(split: Split, given: np.ndarray, spec: Spec) -> Exam:
    """Scores, a table of the classes, the confusion matrix and the worst mistakes."""
    answers = np.asarray(split.answers)
    overall = scores(answers, given, spec)
    best = given.argmax(axis=1)
    confusion = metrics.confusion_matrix(answers, best, labels=range(len(spec.classes)))
    return Exam(
        scores=overall,
        tables={"classes": per_class(answers, best, spec), "confusion": confusion_table(confusion, spec)},
        pictures={"confusion": confusion_picture(confusion, spec), **mistakes(split, given, spec)},
        predictions=predictions(split, given, spec),
    )


def per_class(answers: np.ndarray, best: np.ndarray, spec: Spec) -> pd.DataFrame:
    """Precision, recall, F1 and the number of samples of each class."""
    numbers = range(len(spec.classes))
    columns = metrics.precision_recall_fscore_support(answers, best, labels=numbers, zero_division=0)
    table = pd.DataFrame(dict(zip(["precision", "recall", "f1", "samples"], columns, strict=True)))
    table.insert(0, "class", list(spec.classes))
    return table


def predictions(split: Split, given: np.ndarray, spec: Spec) -> pd.DataFrame:
    """One row for each sample: id, actual and predicted class, and how sure the network was of both."""
    names, rows = np.array(spec.classes), np.arange(len(split))
    answers, best = np.asarray(split.answers), given.argmax(axis=1)
    return pd.DataFrame(
        {
            "id": np.asarray(split.ids),
            "actual": names[answers],
            "predicted": names[best],
            "confidence": given[rows, best].astype(np.float64),
            "actual_probability": given[rows, answers].astype(np.float64),
        }
    )


def confusion_table(confusion: np.ndarray, spec: Spec) -> pd.DataFrame:
    """Counts of each actual class (rows, named by the first column) taken for each class (the other columns)."""
    table = pd.DataFrame(confusion, columns=list(spec.classes))
    table.insert(0, "actual", list(spec.classes))
    return table


def confusion_picture(confusion: np.ndarray, spec: Spec) -> Figure:
    """Counts of each actual class (rows) taken for each class (columns), shaded by the row's share."""
    size = min(11, max(4.5, 0.55 * len(spec.classes)))
    figure = pictures.blank(size + 0.6, size)
    axes = figure.add_subplot()
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            ink = "white" if shares[row, column] > 0.5 else pictures.INK
            axes.text(column, row, str(count), ha="center", va="center", color=ink, fontsize=8)
    ticks = range(len(spec.classes))
    axes.set(title="Confusion matrix", xlabel="predicted", ylabel="actual", xticks=ticks, yticks=ticks)
    axes.set_xticklabels(spec.classes, rotation=90 if max(map(len, spec.classes)) > 3 else 0)
    axes.set_yticklabels(spec.classes)
    figure.colorbar(shown, ax=axes, label="share of the actual class", shrink=0.82)
    return figure


def mistakes(split: Split, given: np.ndarray, spec: Spec) -> dict[str, Figure]:
    """The wrong answers that the network was surest of, where a sample is an image."""
    if "image" not in spec.inputs:
        return {}
    answers, best = np.asarray(split.answers), given.argmax(axis=1)
    wrong = np.flatnonzero(best != answers)
    worst = wrong[np.argsort(-given[wrong, best[wrong]], kind="stable")][:WORST]
    names = spec.classes
    captions = [
        f"{names[answers[row]]} taken for {names[best[row]]}\n{given[row, best[row]]:.2f} sure" for row in worst
    ]
    title = f"{len(wrong)} mistakes in {len(split)} samples" + (f", the {WORST} surest" if len(wrong) > WORST else "")
    return {"mistakes": pictures.sheet(records.part(split.samples[worst], "image"), captions, title)}


def baselines(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The most frequent class, and the class whose mean sample is nearest: probabilities of 0 and 1, (N, K)."""
    answers, every = np.asarray(train.answers), np.eye(len(spec.classes))
    numbers, counts = np.unique(answers, return_counts=True)
    found = {"most frequent class": np.tile(every[numbers[counts.argmax()]], (len(samples), 1))}
    if len(spec.inputs) == 1:
        centres = np.stack([mean_sample(train.samples[answers == number], spec) for number in numbers])
        found["nearest mean sample"] = every[numbers[nearest(samples, centres, spec)]]
    return found


def mean_sample(samples: np.ndarray, spec: Spec) -> np.ndarray:
    """Mean of the pixels or numbers, or of how often each word occurs: float32 (D,)."""
    if not spec.input.sizes:
        return np.asarray(samples.mean(axis=0, dtype=np.float32).ravel())
    return np.asarray(counted(samples, spec).mean(axis=0), dtype=np.float32).ravel()


def nearest(samples: np.ndarray, centres: np.ndarray, spec: Spec) -> np.ndarray:
    """Which row of `centres` (classes seen, D) is nearest to each sample: int (N,)."""
    flat = counted(samples, spec) if spec.input.sizes else np.asarray(samples, np.float32).reshape(len(samples), -1)
    return np.asarray(((centres**2).sum(axis=1) - 2 * (flat @ centres.T)).argmin(axis=1))


def counted(samples: np.ndarray, spec: Spec) -> Any:
    """How often each number occurs in each row of categories or words, 0 left out: sparse (N, largest + 1)."""
    rows = np.repeat(np.arange(len(samples)), samples.shape[1])
    ones = (np.asarray(samples).ravel() > 0).astype(np.float32)
    shape = (len(samples), max(spec.input.sizes))
    return sparse.csr_matrix((ones, (rows, np.asarray(samples).ravel())), shape=shape)


def quality(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """1 where the most probable class is right, else 0: float (N,)."""
    check(answers, given, spec)
    return np.asarray(given.argmax(axis=1) == answers, dtype=np.float64)


def slices(answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """One part for each class."""
    return {f"class {name}": answers == number for number, name in enumerate(spec.classes)}


def differences(
    answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
) -> np.ndarray:
    """Resamples by what is the same for a sample of each kind: actual class, our answer, theirs.

    How often each kind is drawn is multinomial, so nothing of the size of the exam is drawn at all.
    """
    classes = len(spec.classes)
    best, other = ours.argmax(axis=1), theirs.argmax(axis=1)
    kinds, counts = np.unique(np.stack([answers, best, other]), axis=1, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(len(answers), counts / len(answers), size=times)
    first, second = (score_of(drawn, kinds[0], kinds[which], classes, metric) for which in (1, 2))
    return np.asarray(first - second)


def score_of(drawn: np.ndarray, actual: np.ndarray, best: np.ndarray, classes: int, metric: str) -> np.ndarray:
    """A score of each resample.

    Args:
        drawn: how often each kind of sample was drawn, int (times, kinds).
        actual, best: its actual class and the answer to it, int (kinds,).
    """
    numbers = np.arange(classes)
    is_actual, is_best = (actual[:, None] == numbers).astype(float), (best[:, None] == numbers).astype(float)
    right, samples, given = drawn @ (is_actual * is_best), drawn @ is_actual, drawn @ is_best
    if metric == "accuracy":
        return np.asarray(right.sum(axis=1) / samples.sum(axis=1))
    if metric == "balanced_accuracy":
        present = samples > 0
        return np.asarray((right / np.maximum(samples, 1)).sum(axis=1) / present.sum(axis=1))
    return np.asarray((2 * right / np.maximum(samples + given, 1)).mean(axis=1))
