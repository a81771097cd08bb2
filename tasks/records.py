"""Samples and answers of several parts, in one array: a NumPy record array, which has a field for each part.

So they lie in one file, are cut, copied and compared like any array, and take Keras's form only at its door.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

BATCH = 128

Fed = np.ndarray | dict[str, np.ndarray]
"""What Keras takes and gives: an array, or a dictionary of arrays by name."""


def packed(parts: Fed | Mapping[str, Any]) -> np.ndarray:
    """The arrays of a dictionary as the fields of one record array (N,); an array stays what it is."""
    if not isinstance(parts, Mapping):
        return np.asarray(parts)
    arrays = {name: np.asarray(part) for name, part in parts.items()}
    fields = [(name, part.dtype, part.shape[1:]) for name, part in arrays.items()]
    records = np.empty(len(next(iter(arrays.values()))), dtype=fields)
    for name, part in arrays.items():
        records[name] = part
    return records


def fed(records: np.ndarray) -> Fed:
    """The fields of a record array by name; an array without fields stays what it is."""
    if records.dtype.names is None:
        return np.asarray(records)
    return {name: np.ascontiguousarray(records[name]) for name in records.dtype.names}


def part(records: np.ndarray, name: str) -> np.ndarray:
    """The field called `name`; the array itself where it has no fields."""
    return np.asarray(records if records.dtype.names is None else records[name])


def ask(network: Any, samples: np.ndarray) -> np.ndarray:
    """What `network` gives to every sample, in order."""
    return packed(network.predict(fed(samples), batch_size=BATCH, verbose=0))


def apart(given: np.ndarray, wanted: np.ndarray) -> float:
    """How far answers are from others, at most; of numbers above 1, relative to them, as a float's precision is.

    NaN is as far from NaN as nothing, and from any number as NaN.
    """
    names = wanted.dtype.names or ("",)
    return max(float(np.max(distances(part(given, name), part(wanted, name)), initial=0)) for name in names)


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    far = np.abs(one - other) / np.maximum(1, np.abs(other))
    return np.where(np.isnan(one) & np.isnan(other), 0, far)
