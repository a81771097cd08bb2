"""Symbols one after another as people write them: from the translation of a sample as one text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.spec import Spec
from tasks import encoding


def packed(written: pd.Series, spec: Spec) -> np.ndarray:
    """The reverse of the problem translation's `texts`: class numbers int32 (N, T), -1 from the end on.

    Raises:
        BadData: if a symbol is not a class, or there are too many.
    """
    return encoding.translations(written.fillna("").astype(str).rename("translation"), list(spec.classes), spec.steps)
