"""Vectors of words: those of all that a network knows, and which words have vectors alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.spec import Spec
from tasks.problems.vectors.pairs import KNOWN, NOTHING


def of_all(ask: Callable[[np.ndarray], np.ndarray], spec: Spec) -> np.ndarray:
    """The vector of each known word: float32 (K, D).

    Args:
        ask: what the network gives to runs (N, T).
    """
    asked = in_runs(KNOWN + np.arange(len(spec.classes), dtype=np.int32), spec)
    given = ask(asked)
    return np.asarray(given.reshape(-1, given.shape[-1])[: len(spec.classes)])


def in_runs(words: np.ndarray, spec: Spec) -> np.ndarray:
    """Numbers of words (W,) as runs one behind another: (N, T)."""
    (length,) = spec.input_shape
    filled = np.full(-(-len(words) // length) * length, NOTHING, words.dtype)
    filled[: len(words)] = words
    return filled.reshape(-1, length)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12))


def nearest(vectors: np.ndarray, asked: np.ndarray, most: int, but: np.ndarray | None = None) -> np.ndarray:
    """The places of the `most` vectors whose angle to each of those asked (N, D) is the smallest: (N, most).

    Args:
        but: places that are no answer to each, (N, any); left out, all are.
    """
    likeness = unit(asked) @ unit(vectors).T
    if but is not None:
        np.put_along_axis(likeness, but, -np.inf, axis=1)
    return np.argsort(-likeness, axis=1, kind="stable")[:, :most]


def nearest_texts(samples: np.ndarray, vectors: np.ndarray, spec: Spec) -> list[str]:
    """For each run, the word nearest to each of its known words, one after another between blanks.

    Args:
        vectors: of all known words (K, D).
    """
    places = np.arange(len(vectors))[:, np.newaxis]
    found = np.array(spec.classes)[nearest(vectors, vectors, 1, but=places)[:, 0]]
    return [" ".join(found[row[row >= KNOWN] - KNOWN]) for row in samples]
