"""Texts as numbers: their words in an order, one-hot rows, n-grams, and bags of them.

Lesson: deep learning for texts and sequences; one-hot encoding, bag of words, n-grams, the tokenizer. Departures: the
course's printed index of words is garbled, and here is what its tokenizer gives; its table of trigrams has letters
twice, and `dogs` has the two that it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

MARKS = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))
"""What parts words for the course's tokenizer, as a blank does."""


def words(text: str) -> list[str]:
    """The words of `text`, lower case, as the course's tokenizer cuts them."""
    return text.lower().translate(MARKS).split()


def index(texts: Iterable[str]) -> dict[str, int]:
    """A number from 1 for each word, the most frequent first; of equals, the one that came first. 0 stands for none."""
    counts = Counter(word for text in texts for word in words(text))
    return {word: number for number, (word, _) in enumerate(counts.most_common(), start=1)}


def sequences(texts: Iterable[str], numbers: dict[str, int], *, vocabulary: int | None = None) -> list[list[int]]:
    """Each text as the numbers of its words; words without one are left out.

    Args:
        vocabulary: only numbers below it are given; None for all.
    """
    kept = {word: number for word, number in numbers.items() if vocabulary is None or number < vocabulary}
    return [[kept[word] for word in words(text) if word in kept] for text in texts]


def one_hot(numbers: np.ndarray, size: int) -> np.ndarray:
    """Whole numbers (...) from 0 to `size` - 1 as rows that are 1 at their number and 0 elsewhere, int (..., size)."""
    return np.asarray(np.eye(size, dtype=int)[numbers])


def distances(rows: np.ndarray) -> np.ndarray:
    """Euclidean distance of every row (N, D) from every other, (N, N)."""
    return np.asarray(np.linalg.norm(rows[:, None] - rows[None], axis=-1))


def looked_up(rows: np.ndarray, table: np.ndarray) -> np.ndarray:
    """One-hot rows (T, V) times a table (V, D): the table's rows of those numbers, (T, D). So works an embedding."""
    return np.asarray(rows @ table)


def ngrams(parts: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Every `size` neighbours among `parts`, characters or words, in their order; none where there are fewer."""
    return [tuple(parts[start : start + size]) for start in range(len(parts) - size + 1)]


def bags(texts: Sequence[Sequence[str]], *, sizes: Iterable[int] = (1,)) -> tuple[list[str], np.ndarray]:
    """How often each n-gram occurs in each of the texts, which are given as their words.

    Args:
        sizes: of the n-grams that count.

    Returns:
        The n-grams, words parted by a blank, in the order of the alphabet; and int (N, their number).
    """
    counts = [Counter(" ".join(one) for size in sizes for one in ngrams(text, size)) for text in texts]
    known = sorted(set().union(*counts))
    return known, np.array([[count[one] for one in known] for count in counts], dtype=int).reshape(len(texts), -1)
