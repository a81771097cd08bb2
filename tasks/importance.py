"""How much each hyperparameter of a search had to do with the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

FACTS = ("trial", "status", "score", "defaults")
"""Columns of a table of trials that are no hyperparameters; `epochs` is one where a search varies it."""

ENOUGH = 8
"""How many trials a forest needs; with fewer, each hyperparameter is looked at by itself."""

TOO_FEW = 2
"""Any two trials differ in perfect accord with their scores."""

Measure = Callable[[pd.DataFrame, np.ndarray], dict[str, float]]


@dataclass(frozen=True)
class Importance:
    """Shares of 1 by name, the greatest first, from how many trials, and how they came about in a few words."""

    shares: dict[str, float]
    trials: int
    how: str


def of(table: pd.DataFrame) -> Importance:
    """Importance of each hyperparameter that `table` varies; all shares are 0 where nothing can be told.

    Scores count by their rank, so that one trial that went astray does not speak for all. A forest is asked how
    much worse it explains the trials when one hyperparameter is shuffled; a correlation sees no hyperparameters
    that matter only together, and of a text the value that matters most.

    Args:
        table: a row for each trial, a column for each hyperparameter; trials without a score do not count.

    Source: Breiman, "Random forests", Machine Learning 2001, section 10. Departure: the trials themselves are
    shuffled and not those left out of each tree, for there are few.
    """
    names = varied(table)
    scored = table[table["score"].notna()]
    ranks = scored["score"].rank().to_numpy(dtype=float)
    how, measure = chosen(ranks)
    raw = measure(scored[names], ranks)
    total = sum(raw.values()) or 1.0
    ordered = sorted(raw, key=lambda name: -raw[name])
    return Importance({name: raw[name] / total for name in ordered}, len(scored), how)


def chosen(ranks: np.ndarray) -> tuple[str, Measure]:
    """The measure for so many scores, after its name."""
    if len(ranks) <= TOO_FEW or np.ptp(ranks) == 0:
        return "it cannot be told", lambda values, _: dict.fromkeys(values.columns, 0.0)
    if len(ranks) < ENOUGH:
        return "by rank correlation", correlated
    return "by permutation, random forest", permuted


def varied(table: pd.DataFrame) -> list[str]:
    """Names of the hyperparameters that differ between two trials."""
    return [name for name in table.columns if name not in FACTS and table[name].nunique(dropna=False) > 1]


def is_number(values: pd.Series) -> bool:
    """Whether all are numbers, and truth values are none."""
    return all(isinstance(one, (int, float, np.number)) and not isinstance(one, bool) for one in values.dropna())


def permuted(values: pd.DataFrame, ranks: np.ndarray) -> dict[str, float]:
    """How much less of the ranks a forest explains once the column is shuffled."""
    if values.empty:
        return {}
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    columns = np.stack([codes(values[name]) for name in values], axis=1)
    forest = RandomForestRegressor(100, random_state=0).fit(columns, ranks)
    found = permutation_importance(forest, columns, ranks, n_repeats=10, random_state=0).importances_mean
    return {name: max(0.0, float(one)) for name, one in zip(map(str, values.columns), found, strict=True)}


def codes(values: pd.Series) -> np.ndarray:
    """Numbers as they are, other things numbered, none below all."""
    if is_number(values):
        numbers = values.astype(float)
        return numbers.fillna(numbers.min() - 1).to_numpy()
    return values.astype("string").astype("category").cat.codes.to_numpy(dtype=float)


def correlated(values: pd.DataFrame, ranks: np.ndarray) -> dict[str, float]:
    return {str(name): max(spearman(one, ranks) for one in views(values[name])) for name in values}


def views(values: pd.Series) -> list[np.ndarray]:
    """Numbers as they are; of anything else, for each value whether it is that one."""
    if is_number(values):
        return [codes(values)]
    kinds = codes(values)
    return [(kinds == kind).astype(float) for kind in np.unique(kinds)]


def spearman(values: np.ndarray, ranks: np.ndarray) -> float:
    """Size of the rank correlation; 0 where one of them does not vary."""
    places = pd.Series(values).rank().to_numpy()
    if np.ptp(places) == 0 or np.ptp(ranks) == 0:
        return 0.0
    return abs(float(np.corrcoef(places, ranks)[0, 1]))
