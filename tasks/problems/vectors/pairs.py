"""Words and those that stand near them.

A sample is a run of T words, and its right answer the same run with c words more on each side, so that it holds every
pair of a word of the run and one of its neighbours, each once: with T = 1 it is a window around one word. Pairs are
listed by `listed`; a network sees them as a band of the table of all words of a run against all words around them.
"""

from __future__ import annotations

import numpy as np

NONE = -1
"""Stands for a word where there is none."""

LEAKED = 0.5
"""Share of a text's runs of five words that another split has, above which the text is taken for a copy."""

NOTHING, KNOWN = 0, 2
"""Number of what is behind a text's end, and of the first known word; 1 is an unknown one."""


def cut(texts: list[np.ndarray], length: int, neighbours: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of `length` words of each text, one behind another; none spans two texts, nor do neighbours.

    Args:
        texts: the known words of each, by their place in the vocabulary, int32.

    Returns:
        Samples int32 (N, T), numbers of words, 0 behind the end; answers int32 (N, T + 2c), places of words in the
        vocabulary, -1 where there is none; and where each run begins in the words of all texts, int64 (N,).
    """
    parts = [runs(text, length, neighbours) for text in texts]
    answers = np.concatenate([np.empty((0, length + 2 * neighbours), np.int32), *parts])
    begins = np.cumsum([0, *map(len, texts)])
    starts = [begin + length * np.arange(len(part)) for begin, part in zip(begins, parts, strict=False)]
    places = inside(answers, neighbours)
    samples = np.where(places == NONE, NOTHING, places + KNOWN).astype(np.int32)
    return samples, answers, np.concatenate([np.empty(0, np.int64), *starts])


def runs(words: np.ndarray, length: int, neighbours: int) -> np.ndarray:
    """One text's runs with their neighbours: int32 (N, length + 2 neighbours)."""
    count = -(-len(words) // length)
    filled = np.full(count * length + 2 * neighbours, NONE, np.int32)
    filled[neighbours : neighbours + len(words)] = words
    begins = length * np.arange(count)[:, np.newaxis]
    return np.asarray(filled[begins + np.arange(length + 2 * neighbours)])


def inside(answers: np.ndarray, neighbours: int) -> np.ndarray:
    """The words of each run without those around it: int32 (N, T)."""
    return np.array(answers[:, neighbours : answers.shape[1] - neighbours])


def counted(answers: np.ndarray, neighbours: int, known: int) -> tuple[int, ...]:
    """How often each of `known` words is in the runs."""
    found = inside(answers, neighbours)
    return tuple(np.bincount(found[found != NONE], minlength=known).tolist())


def listed(answers: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair, run by run and word by word: the run, the word, and its neighbour, int64, int32, int32 (P,)."""
    length = answers.shape[1] - 2 * neighbours
    offsets = np.delete(np.arange(2 * neighbours + 1), neighbours)
    near = answers[:, np.arange(length)[:, np.newaxis] + offsets]  # (N, T, 2c)
    words = np.broadcast_to(inside(answers, neighbours)[:, :, np.newaxis], near.shape)
    there = (words != NONE) & (near != NONE)
    return np.nonzero(there)[0], words[there], near[there]


def documents(answers: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """The words of each text again: all of them int64 (W,), and where each text begins, and the last ends, (D + 1,)."""
    words = inside(answers, neighbours)
    there = words != NONE
    first = answers[:, neighbours - 1] == NONE
    before = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    return words[there].astype(np.int64), np.append(before[:-1][first], before[-1])
