"""Regression: how much is it?

Answers are numbers, float32 (N,); a network gives numbers in the same unit, float (N, 1).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.spec import Spec
from tasks import pictures, records
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import Exam

GATES = ("closeness", "r2")

WORST = 16
"""How many of the answers that are farthest off the sheet shows."""

QUARTERS = 4
"""In how many equal parts, from small to large answers, an exam is looked at."""


def scores(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """Closeness, R squared (1 is best, NaN where all answers are one), and errors of which less is better.

    Closeness is 1 less the mean error as a share of the right answer, so 1 - MAPE / 100; `mape` is in percent, `mae`
    and `rmse` are in the number's unit.
    """
    off = errors(answers, given)
    share = np.abs(off) / np.abs(answers)
    spread = float(((answers - answers.mean()) ** 2).sum()) or float("nan")
    return {
        "closeness": 1 - float(share.mean()),
        "r2": 1 - float((off**2).sum()) / spread,
        "mape": 100 * float(share.mean()),
        "median_ape": 100 * float(np.median(share)),
        "mae": float(np.abs(off).mean()),
        "rmse": float(np.sqrt((off**2).mean())),
    }


def errors(answers: np.ndarray, given: np.ndarray) -> np.ndarray:
    """What was given less the right answer: float64 (N,).

    Raises:
        BadData: unless `given` are finite numbers, one for each answer.
    """
    if given.shape != (len(answers), 1):
        raise BadData(f"predictions must have the shape (samples, 1) {(len(answers), 1)}. Received: {given.shape}")
    broken = ~np.isfinite(given).all(axis=1)
    if broken.any():
        raise BadData(
            f"predictions must be finite. Received: {broken.sum()} of {len(given)} with NaN or infinity, "
            f"the first for sample {int(np.argmax(broken))}"
        )
    return np.asarray(given[:, 0], np.float64) - np.asarray(answers, np.float64)


def judge(split: Split, given: np.ndarray, spec: Spec) -> Exam:
    """Scores, a table of the quarters, predicted against actual answers, and what was farthest off."""
    answers = np.asarray(split.answers)
    return Exam(
        scores=scores(answers, given, spec),
        tables={"quarters": quarters(answers, given, spec)},
        pictures={"predicted": predicted(answers, given, spec), **farthest(split, given, spec)},
        predictions=pd.DataFrame(
            {"id": np.asarray(split.ids), "actual": answers, "predicted": given[:, 0], "error": errors(answers, given)}
        ),
    )


def quarters(answers: np.ndarray, given: np.ndarray, spec: Spec) -> pd.DataFrame:
    """The scores of each quarter of the exam."""
    parts = slices(answers, spec)
    rows = [{**scores(answers[part], given[part], spec), "samples": int(part.sum())} for part in parts.values()]
    return pd.DataFrame(rows, index=pd.Index(parts, name="part")).reset_index()


def predicted(answers: np.ndarray, given: np.ndarray, spec: Spec) -> Figure:
    """Predicted against actual answers, and how the error spreads."""
    figure = pictures.blank(10, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
    draw_predicted(left, answers, given[:, 0], spec)
    share = 100 * errors(answers, given) / np.abs(answers)
    right.hist(np.clip(share, -100, 200), bins=30, color=pictures.ACCENT)
    right.axvline(0, color=pictures.INK, linewidth=1)
    right.set(title="Error", xlabel="percent of the actual answer", ylabel="samples")
    return figure


def draw_predicted(axes: Axes, answers: np.ndarray, given: np.ndarray, spec: Spec) -> None:
    """A point for each sample; on the diagonal the answer is right, in the band at most a fifth off."""
    low, high = min(answers.min(), given.min()), max(answers.max(), given.max())
    wide = low > 0 and high / low > 20
    line = np.geomspace(low, high, 50) if wide else np.linspace(low, high, 50)
    axes.fill_between(line, 0.8 * line, 1.2 * line, color=pictures.ACCENT, alpha=0.12, label="a fifth off")
    axes.plot(line, line, color=pictures.INK, linewidth=1)
    axes.plot(answers, given, "o", color=pictures.SECOND, alpha=0.7, markersize=4)
    scale = "log" if wide else "linear"
    axes.set(title=spec.amount.name, xlabel="actual", ylabel="predicted", xscale=scale, yscale=scale)
    axes.legend()


def farthest(split: Split, given: np.ndarray, spec: Spec) -> dict[str, Figure]:
    """The samples whose answers are farthest off, as a share, where they have an image; half of them the nearest."""
    if "image" not in spec.inputs:
        return {}
    answers = np.asarray(split.answers)
    order = np.argsort(-np.abs(errors(answers, given)) / np.abs(answers), kind="stable")
    half = min(WORST, len(order) // 2)
    images = records.part(split.samples, "image")
    found = {"farthest_off": order[:half], "nearest": order[::-1][:half]}
    return {
        name: pictures.sheet(
            images[rows], [f"{given[row, 0]:,.0f}\nfor {answers[row]:,.0f}" for row in rows], name.replace("_", " ")
        )
        for name, rows in found.items()
    }


def baselines(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The same number for all: the mean, the median, and the one that is closest as a share, of `train`."""
    answers = np.sort(np.asarray(train.answers, np.float64))
    weights = np.cumsum(1 / np.abs(answers))
    closest = answers[np.searchsorted(weights, weights[-1] / 2)]
    constants = {"mean": answers.mean(), "median": np.median(answers), "closest constant": closest}
    return {name: np.full((len(samples), 1), value) for name, value in constants.items()}


def quality(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """Less the error as a share of the right answer: float (N,)."""
    return np.asarray(-np.abs(errors(answers, given)) / np.abs(answers))


def slices(answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Four parts of equal size, from the smallest answers to the largest."""
    ranks = np.argsort(np.argsort(answers, kind="stable"), kind="stable")
    number = ranks * QUARTERS // max(1, len(answers))
    return {f"quarter {place + 1} of {QUARTERS}": number == place for place in range(QUARTERS)}


def differences(
    answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
) -> np.ndarray:
    """Resamples of the exam: how often each sample is drawn is multinomial, the same for both."""
    chance = np.full(len(answers), 1 / len(answers))
    drawn = np.random.default_rng(0).multinomial(len(answers), chance, size=times)
    return np.asarray(score_of(drawn, answers, ours, metric) - score_of(drawn, answers, theirs, metric))


def score_of(drawn: np.ndarray, answers: np.ndarray, given: np.ndarray, metric: str) -> np.ndarray:
    """A score of each resample: float (times,).

    Args:
        drawn: how often each sample was drawn, int (times, N).
    """
    off, samples = errors(answers, given), drawn.sum(axis=1)
    if metric == "closeness":
        return np.asarray(1 - drawn @ (np.abs(off) / np.abs(answers)) / samples)
    right = np.asarray(answers, np.float64)
    spread = drawn @ right**2 - (drawn @ right) ** 2 / samples
    return np.asarray(1 - drawn @ off**2 / spread)
