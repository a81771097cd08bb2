"""Windows that overlap.

Those of characters are held as the text that they are cut from: a byte for a character, however many. Of those of a
series this file knows what can be foretold from one without learning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tasks.catalogue import Characters
from tasks.errors import BadData


@dataclass(frozen=True)
class Windows:
    """Windows of a text, which behave as the array (N, T) of them, and take the place of their beginnings alone.

    Args:
        text: codes of the characters, uint8 (L,).
        starts: where each window begins, int64 (N,).
        length: of a window, T.
    """

    text: np.ndarray
    starts: np.ndarray
    length: int

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Any) -> np.ndarray:
        starts = np.asarray(self.starts[rows])
        return np.asarray(self.text)[starts[..., np.newaxis] + np.arange(self.length)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy  # whole windows are always new
        return np.asarray(self[:], dtype=dtype)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.starts), self.length

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.text.dtype


def last(samples: np.ndarray, steps: int) -> np.ndarray:
    """The last value of the first column of windows (N, P, D), again and again: (N, steps)."""
    return np.repeat(samples[:, -1, :1], steps, axis=1)


def season_ago(samples: np.ndarray, steps: int, season: int) -> np.ndarray:
    """The values of the first column of windows (N, P, D) in their last `season` rows, again and again: (N, steps)."""
    return np.asarray(samples[:, samples.shape[1] - season + np.arange(steps) % season, 0])


def texts_of(table: pd.DataFrame, wanted: Characters) -> list[str]:
    """The texts, in small letters where the dataset says so."""
    texts = table["text"].fillna("").astype(str)
    return list(texts.str.lower() if wanted.lower else texts)


def alphabet(texts: list[str], wanted: Characters) -> list[str]:
    """The different characters of `texts`, sorted.

    Raises:
        BadData: if they are not as many as `wanted` says.
    """
    found = sorted(set().union(*texts))
    if len(found) != wanted.vocabulary:
        raise BadData(
            f"`characters.vocabulary` must be the number of different characters that the texts have, {len(found)}. "
            f"Received: {wanted.vocabulary}. They are: {''.join(found)[:200]!r}"
        )
    return found


def cut(texts: list[str], known: list[str], wanted: Characters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The texts in one row of codes, what follows each window, and where it begins; no window spans two texts.

    Returns:
        Codes uint8 (L,), those that follow int32 (N,), and beginnings int64 (N,).
    """
    codes = coded("".join(texts), known)
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    begins = ends - [len(text) for text in texts]
    pieces = [np.arange(begin, end - wanted.length, wanted.step) for begin, end in zip(begins, ends, strict=True)]
    starts = np.concatenate([np.empty(0, np.int64), *pieces])
    return codes, codes[starts + wanted.length].astype(np.int32), starts


def coded(text: str, known: list[str]) -> np.ndarray:
    """The place of every character in `known`, uint8 (L,)."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    order = np.array([ord(character) for character in known], dtype=np.uint32)
    return np.searchsorted(order, points).astype(np.uint8)
