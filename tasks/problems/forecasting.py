"""Forecasting: what are the next values of a series?

Answers are its next A values, float32 (N, A); a network gives as many in the same unit, float (N, A). An answer says
nothing of what came before it, so that the scores measure errors by those which the simplest forecasts, as `Naive` has
them, make on the training windows. How they do in the exam itself is told besides, and a gate's baselines are they.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.spec import Naive, Spec
from tasks import pictures, windows
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import Exam

GATES = ("skill", "r2")

QUARTERS = 4
"""In how many parts, from the earliest to the latest, an exam is looked at."""


def scores(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """Skill and R squared (1 is best, 0 no better than persistence and the mean), and errors of which less is better.

    Skill is 1 less the mean error as a share of persistence's on the training windows. `mase` is that error as a share
    of the seasonal forecast's there, or of persistence's where there is no season; `mae` and `rmse` are in the
    number's unit.
    """
    off, naive = errors(answers, given, spec), naive_of(spec)
    mae = float(np.abs(off).mean())
    spread = float(((answers - answers.mean(dtype=np.float64)) ** 2).sum()) or float("nan")
    return {
        "skill": float(quality(answers, given, spec).mean()),
        "r2": 1 - float((off**2).sum()) / spread,
        "mase": mae / float(np.mean(naive.seasonal or naive.last)),
        "mae": mae,
        "rmse": float(np.sqrt((off**2).mean())),
    }


def naive_of(spec: Spec) -> Naive:
    """What errors are measured by.

    Raises:
        BadData: if a dataset's spec does not tell, or its series never changes.
    """
    if spec.naive is None or not np.mean(spec.naive.last) > 0:
        raise BadData(f"a series must change, and its spec tell how much from step to step. Received: {spec.naive}")
    return spec.naive


def errors(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """What was given less the right answer: float64 (N, A).

    Raises:
        BadData: unless `given` are finite numbers, A for each answer.
    """
    wanted = (len(answers), spec.steps)
    if given.shape != wanted:
        raise BadData(f"predictions must have the shape (samples, steps) {wanted}. Received: {given.shape}")
    broken = ~np.isfinite(given).all(axis=1)
    if broken.any():
        raise BadData(
            f"predictions must be finite. Received: {broken.sum()} of {len(given)} with NaN or infinity, "
            f"the first for sample {int(np.argmax(broken))}"
        )
    return np.asarray(given, np.float64) - np.asarray(answers, np.float64)


def judge(split: Split, given: np.ndarray, spec: Spec) -> Exam:
    """Scores, with those of the simplest forecasts in the same exam; errors by step; and the series with forecasts."""
    answers = np.asarray(split.answers)
    simplest = naive_forecasts(split.samples, spec)
    maes = {f"mae_{name}": float(np.abs(errors(answers, one, spec)).mean()) for name, one in simplest.items()}
    table = by_step(answers, {"mae": given, **simplest}, spec)
    rows = {"id": np.asarray(split.ids), "error": np.abs(errors(answers, given, spec)).mean(axis=1)}
    told = {
        f"{kind}_{step + 1}": values[:, step] for kind, values in ways(answers, given) for step in range(spec.steps)
    }
    return Exam(
        scores={**scores(answers, given, spec), **maes},
        tables={"steps": table},
        pictures={"forecasts": series_picture(split, given, spec), "steps": steps_picture(table, spec)},
        predictions=pd.DataFrame({**rows, **told}),
    )


def ways(answers: np.ndarray, given: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [("actual", answers), ("predicted", given)]


def naive_forecasts(samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The last known value, and that of a season before where there is one: float (N, A)."""
    season = naive_of(spec).season
    found = {"persistence": windows.last(samples, spec.steps)}
    return found | ({"seasonal": windows.season_ago(samples, spec.steps, season)} if season else {})


def by_step(answers: np.ndarray, forecasts: dict[str, np.ndarray], spec: Spec) -> pd.DataFrame:
    """The mean absolute error of each forecast, by step ahead."""
    maes = {name: np.abs(errors(answers, one, spec)).mean(axis=0) for name, one in forecasts.items()}
    return pd.DataFrame({"step": np.arange(1, spec.steps + 1), **maes})


def steps_picture(table: pd.DataFrame, spec: Spec) -> Figure:
    """Error by step ahead."""
    figure = pictures.blank(7, 4)
    axes = figure.add_subplot()
    names = {"mae": "network"}
    for name, colour in zip(table.columns[1:], [pictures.ACCENT, pictures.SECOND, *pictures.MORE], strict=False):
        axes.plot(table["step"], table[name], "o-", color=colour, markersize=4, label=names.get(name, name))
    axes.set(title="Mean absolute error by step ahead", xlabel="step ahead", ylabel=spec.amount.name, ylim=(0, None))
    axes.legend()
    return figure


def series_picture(split: Split, given: np.ndarray, spec: Spec) -> Figure:
    """The series in the exam, and the forecasts that follow each other without overlap."""
    figure = pictures.blank(11, 4.2)
    axes = figure.add_subplot()
    ids, answers = np.asarray(split.ids), np.asarray(split.answers)
    known = np.asarray(split.samples)[0, :, 0]
    rows = np.concatenate([ids[0] - np.arange(len(known), 0, -1), ids, ids[-1] + np.arange(1, spec.steps)])
    axes.plot(rows, np.concatenate([known, answers[:, 0], answers[-1, 1:]]), color=pictures.INK, linewidth=1)
    for place in range(0, len(ids), spec.steps):
        label = "forecast" if place == 0 else None
        axes.plot(ids[place] + np.arange(spec.steps), given[place], color=pictures.SECOND, linewidth=1.8, label=label)
    axes.set(title="The series of the exam, and forecasts", xlabel="row of the source", ylabel=spec.amount.name)
    axes.legend()
    return figure


def baselines(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The last known value, that of a season before where there is one, and the mean of `train`."""
    mean = np.full((len(samples), spec.steps), np.asarray(train.answers, np.float64).mean())
    return {**naive_forecasts(np.asarray(samples), spec), "mean": mean}


def quality(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """1 less the error as a share of persistence's on the training windows: float (N,)."""
    off = np.abs(errors(answers, given, spec)).mean(axis=1)
    return np.asarray(1 - off / np.mean(naive_of(spec).last))


def slices(answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Four parts of equal size, from the earliest to the latest."""
    number = np.arange(len(answers)) * QUARTERS // max(1, len(answers))
    return {f"quarter {place + 1} of {QUARTERS} in time": number == place for place in range(QUARTERS)}


def differences(
    answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
) -> np.ndarray:
    """Resamples of the exam, of whole blocks of it, since forecasts from near moments are right and wrong together."""
    drawn = blocks(len(answers), spec.steps, times)
    if metric == "skill":
        better = quality(answers, ours, spec) - quality(answers, theirs, spec)
        return np.asarray(drawn @ better / len(answers))
    right = np.asarray(answers, np.float64)
    totals = drawn @ right.sum(axis=1)
    spread = drawn @ (right**2).sum(axis=1) - totals**2 / (len(answers) * spec.steps)
    first, second = ((errors(answers, one, spec) ** 2).sum(axis=1) for one in (ours, theirs))
    return np.asarray(drawn @ (second - first) / spread)


def blocks(samples: int, steps: int, times: int) -> np.ndarray:
    """How often each sample is drawn: int (times, N), N in all each time.

    Blocks are of twice as many samples as there are steps, begin anywhere and go on at the beginning behind the end.

    Source: Politis and Romano, "A circular block-resampling procedure for stationary data", 1992.
    """
    length = min(samples, 2 * steps)
    begins = np.random.default_rng(0).integers(0, samples, (times, -(-samples // length)))
    rows = (begins[..., np.newaxis] + np.arange(length)).reshape(times, -1)[:, :samples] % samples
    return np.stack([np.bincount(row, minlength=samples) for row in rows])
