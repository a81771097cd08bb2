"""The questions asked of data, one file each: their scores, tables and pictures.

A file here offers `GATES`, the scores of which more is better and a gate may ask for, and the functions of
`Problem`. Samples and answers are in the form that the problem's splits store and its models take and give. It may
offer `further(ask, split, spec)` besides: by name, tables that need more questions than the exam's, such as texts
that a network writes; `ask` gives the network's answers to samples. And `beside(train, split, given, spec, epochs)`:
by name, tables of what others make of the training samples, in as many epochs where they have any.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from models.spec import Spec
    from tasks.prepared import Split


@dataclass(frozen=True)
class Exam:
    """How a network's answers to a split were judged.

    Args:
        scores: the problem's scores over the whole split.
        tables: by name, what a person would look up, such as the scores of each class.
        pictures: by name, what a person would look at.
        predictions: one row for each sample, with its id.
    """

    scores: dict[str, float]
    tables: dict[str, pd.DataFrame]
    pictures: dict[str, Figure]
    predictions: pd.DataFrame


class Problem(Protocol):
    """What a file of this folder offers."""

    GATES: tuple[str, ...]

    def scores(self, answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
        """Judge what a network has `given` against the right `answers`.

        Raises:
            BadData: if what was given is not an answer at all.
        """

    def judge(self, split: Split, given: np.ndarray, spec: Spec) -> Exam:
        """Scores, tables and pictures of what a network has `given` to the samples of `split`."""

    def baselines(self, train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
        """By name, what the most trivial things that learn from `train` would answer to `samples`."""

    def quality(self, answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
        """How good each answer is by itself, more is better: float (N,)."""

    def slices(self, answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
        """Parts of an exam that are looked at by themselves: by name, which samples, bool (N,)."""

    def differences(
        self, answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
    ) -> np.ndarray:
        """`metric` of `ours` less that of `theirs` on resamples of the exam, the same for both: float (times,)."""


def load(name: str) -> Problem:
    return cast(Problem, importlib.import_module(f"tasks.problems.{name}"))
