"""GloVe's vectors of 400,000 words, as a wheel keeps them: a NumPy array, and the words of its rows in Parquet.

Source: Pennington, Socher, Manning, "GloVe: Global vectors for word representation", EMNLP 2014; learnt of 6 billion
words of Wikipedia and Gigaword 5.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pyarrow
from pyarrow import parquet

from models import averaging
from tasks.errors import BadData

VECTORS, WORDS = "glove_6B_50d_emb.npy", "glove_6B_index.parquet"
SIZE = 50


def network(folder: Path) -> keras.Model:
    """A layer of all vectors, which knows their words.

    Raises:
        BadData: if vectors and words are not such, or not as many.
    """
    words, vectors = read_words(folder / WORDS), read_vectors(folder / VECTORS)
    if len(words) != len(vectors):
        raise BadData(f"`{VECTORS}` must have a vector for each of {len(words)} words. Received: {len(vectors)}")
    model = averaging.vectors(words, size=SIZE)
    model.set_weights([vectors])
    return model


def read_words(path: Path) -> list[str]:
    try:
        words: list[str] = parquet.read_table(path, columns=["index"])["index"].to_pylist()
    except (pyarrow.ArrowException, OSError, KeyError) as error:
        raise BadData(
            f"`{path.name}` must be Parquet with a column `index`. Received: {type(error).__name__}"
        ) from None
    if len(set(words)) != len(words) or not all(isinstance(word, str) for word in words):
        raise BadData(f"`{path.name}` must have words, each once. Received: others")
    return words


def read_vectors(path: Path) -> np.ndarray:
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadData(f"`{path.name}` must be a NumPy array. Received: {type(error).__name__}") from None
    if vectors.dtype != np.float32 or vectors.shape[1:] != (SIZE,) or not np.isfinite(vectors).all():
        received = f"{vectors.dtype} {vectors.shape}, perhaps infinite"
        raise BadData(f"`{path.name}` must have rows of {SIZE} finite float32 numbers. Received: {received}")
    return np.asarray(vectors)
