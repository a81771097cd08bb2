"""Joint: which one of K classes is it, and how much? Two questions about one sample, asked of one network.

Answers are records (N,) of `label`, int32, and a number, float32, by its name; a network gives records of the label's
probabilities, float (K,), and the number, float (1,). Each question is judged as its own problem judges it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.spec import Spec
from tasks.prepared import Split
from tasks.problems import Exam, classification, regression

GATES = ("both_right", "accuracy", "r2")

NEAR = 0.05
"""A number is right within this share of the training samples' range."""


def scores(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """Both right (0..1: the class, and the number within a twentieth of its range), and the scores of each question."""
    name = spec.amount.name
    return {
        "both_right": float(quality(answers, given, spec).mean()),
        **classification.scores(answers["label"], given["label"], spec),
        **regression.scores(answers[name], given[name], spec),
    }


def judge(split: Split, given: np.ndarray, spec: Spec) -> Exam:
    """What both problems say of their question."""
    name = spec.amount.name
    label, number = (Split(split.samples, split.answers[part], split.ids) for part in ("label", name))
    first, second = classification.judge(label, given["label"], spec), regression.judge(number, given[name], spec)
    return Exam(
        scores=scores(np.asarray(split.answers), given, spec),
        tables={**first.tables, **second.tables},
        pictures={**first.pictures, **second.pictures},
        predictions=pd.concat(
            [first.predictions, second.predictions.drop(columns="id").add_prefix(f"{name}_")], axis=1
        ),
    )


def baselines(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Each baseline of the classes, with the median of the numbers."""
    name = spec.amount.name
    label = Split(train.samples, train.answers["label"], train.ids)
    median = np.median(train.answers[name])
    return {title: both(given, median, name) for title, given in classification.baselines(label, samples, spec).items()}


def both(probabilities: np.ndarray, number: float, name: str) -> np.ndarray:
    """The same number with the probabilities of each sample, as records."""
    fields = [("label", np.float32, probabilities.shape[1:]), (name, np.float32, (1,))]
    found = np.empty(len(probabilities), dtype=fields)
    found["label"], found[name] = probabilities, number
    return found


def quality(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """1 where both answers are right, else 0: float (N,)."""
    number = spec.amount
    off = np.abs(regression.errors(answers[number.name], given[number.name]))
    near = off <= NEAR * (number.highest - number.lowest)
    return np.asarray(classification.quality(answers["label"], given["label"], spec) * near)


def slices(answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Each class, and each quarter of the numbers."""
    return {
        **classification.slices(answers["label"], spec),
        **regression.slices(answers[spec.amount.name], spec),
    }


def differences(
    answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
) -> np.ndarray:
    """As the problem that knows the metric has it; `both_right` is an accuracy of right and wrong."""
    name = spec.amount.name
    if metric == "r2":
        return regression.differences(answers[name], ours[name], theirs[name], spec, metric=metric, times=times)
    if metric == "accuracy":
        first, second = ours["label"], theirs["label"]
        return classification.differences(answers["label"], first, second, spec, metric=metric, times=times)
    difference = quality(answers, ours, spec) - quality(answers, theirs, spec)
    kinds, counts = np.unique(difference, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(len(answers), counts / len(answers), size=times)
    return np.asarray(drawn @ kinds / len(answers))
