"""Series: rows that follow each other in time, cut into windows of the past and the values that came next."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.spec import Naive
from tasks import prepared, windows
from tasks.catalogue import Series
from tasks.errors import BadData

Cut = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Windows float32 (N, P, D), their next values float32 (N, A), and rows of the first of these, int64 (N,)."""


def cut(table: pd.DataFrame, splits: np.ndarray, wanted: Series) -> dict[str, Cut]:
    """The windows of each split, one for every moment; none reaches over the border to another split.

    Args:
        table: the columns of the windows, the one that is asked for first.

    Raises:
        BadData: if a split is too short for a single window.
    """
    values = table.to_numpy(dtype=np.float32)
    made: dict[str, Cut] = {}
    for part in prepared.SPLITS:
        rows = np.flatnonzero(splits == part)
        if len(rows) < wanted.past + wanted.ahead:
            raise BadData(
                f"each split must have at least `series.past` + `series.ahead` moments, {wanted.past + wanted.ahead}. "
                f"Received: split {part} with {len(rows)}"
            )
        made[part] = windowed(values[rows], int(rows[0]), wanted)
    return made


def windowed(values: np.ndarray, first: int, wanted: Series) -> Cut:
    """Windows of `values` (T, D), whose first row is the row `first` of the source."""
    starts = np.arange(len(values) - wanted.past - wanted.ahead + 1)
    past = values[starts[:, np.newaxis] + np.arange(wanted.past)]
    ahead = values[starts[:, np.newaxis] + wanted.past + np.arange(wanted.ahead), 0]
    return past, ahead, (first + starts + wanted.past).astype(np.int64)


def naive(samples: np.ndarray, answers: np.ndarray, wanted: Series) -> Naive:
    """How far off the simplest forecasts are from `answers`, on average."""
    last = apart(windows.last(samples, wanted.ahead), answers)
    if not wanted.season:
        return Naive(last)
    return Naive(last, apart(windows.season_ago(samples, wanted.ahead, wanted.season), answers), wanted.season)


def apart(given: np.ndarray, answers: np.ndarray) -> tuple[float, ...]:
    """How far off forecasts (N, A) are at each step, on average."""
    return tuple(np.abs(given.astype(np.float64) - answers).mean(axis=0).tolist())
