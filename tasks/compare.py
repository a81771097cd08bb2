"""Two networks on the same samples: is one worse, and how sure can that be?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

RESAMPLES = 2000
LEVEL = 0.95
"""Of an interval; one minus it is how often Holm's procedure may call an equal slice worse."""


@dataclass(frozen=True)
class Interval:
    """A difference of scores, ours less theirs, and where it lies at LEVEL by the bootstrap's percentiles."""

    difference: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.difference:+.4f}, {LEVEL:.0%} interval {self.low:+.4f} to {self.high:+.4f}"


@dataclass(frozen=True)
class Slice:
    """How two networks did on a part of the exam.

    Args:
        ours: mean quality of the new network's answers, 0..1 for right or wrong.
        p: that equal networks differ so much or more in theirs' favour, corrected for all slices; NaN if not asked.
    """

    name: str
    samples: int
    ours: float
    theirs: float
    p: float

    @property
    def is_worse(self) -> bool:
        return self.p < 1 - LEVEL


def interval(difference: float, resampled: np.ndarray) -> Interval:
    """The percentile interval of a difference.

    Args:
        resampled: the same difference on resamples of the exam, (RESAMPLES,).

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
    """
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(difference, float(low), float(high))


def slices(ours: np.ndarray, theirs: np.ndarray, parts: dict[str, np.ndarray], *, smallest: int) -> list[Slice]:
    """How each part of the exam fares; those with fewer samples than `smallest` are counted and not tested.

    Args:
        ours, theirs: quality of each answer, more is better, (N,).
        parts: by name, which samples belong to it, bool (N,).
    """
    raw = [sign_test(ours[part], theirs[part]) if part.sum() >= smallest else np.nan for part in parts.values()]
    return [
        Slice(name, int(part.sum()), mean(ours[part]), mean(theirs[part]), float(p))
        for (name, part), p in zip(parts.items(), holm(np.array(raw, dtype=float)), strict=True)
    ]


def mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def sign_test(ours: np.ndarray, theirs: np.ndarray) -> float:
    """How likely equal networks would lose at least as many of the samples in which they differ.

    For right and wrong answers this is McNemar's exact test, one-sided.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions (1947).
    """
    lost, differ = int((ours < theirs).sum()), int((ours != theirs).sum())
    return float(stats.binomtest(lost, differ, alternative="greater").pvalue) if differ else 1.0


def holm(p: np.ndarray) -> np.ndarray:
    """`p` corrected for asking so many questions at once; NaN are no questions, and stay.

    Source: Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    asked = np.flatnonzero(~np.isnan(p))
    order = asked[np.argsort(p[asked], kind="stable")]
    corrected = p.copy()
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return corrected
