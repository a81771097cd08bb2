"""Symbols one after another as people write them: the translation of a sample as one text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.spec import Spec
from tasks import encoding


def texts(given: np.ndarray, spec: Spec) -> list[str]:
    """The symbols of each answer, int (N, T), -1 from the end on; spaces part them unless each is a character."""
    names = np.array([*spec.classes, ""], dtype=object)
    between = "" if all(len(name) == 1 for name in spec.classes) else " "
    return [between.join(row[: len(row) - (row == "").sum()]) for row in names[np.where(given < 0, -1, given)]]


def packed(written: pd.Series, spec: Spec) -> np.ndarray:
    """The reverse of `texts`: class numbers int32 (N, T), -1 from the end on.

    Raises:
        BadData: if a symbol is not a class, or there are too many.
    """
    return encoding.translations(written.fillna("").astype(str).rename("translation"), list(spec.classes), spec.steps)
