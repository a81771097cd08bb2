"""Words and those that stand near them.

A sample is a run of T words, and its right answer the same run with c words more on each side, so that it holds every
pair of a word of the run and one of its neighbours, each once: with T = 1 it is a window around one word. Pairs are
listed by `pairs`; a network sees them as a band of the table of all words of a run against all words around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tasks import alike, encoding
from tasks.catalogue import Words

NONE = encoding.NO_CLASS


def cut(texts: Iterable[str], vocabulary: Sequence[str], wanted: Words) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of the known words of each text, one behind another; none spans two texts, nor do neighbours.

    Returns:
        Samples int32 (N, T), a word's number as `encoding.numbered` gives it, 0 behind the end; answers int32
        (N, T + 2c), a word's place in the vocabulary, -1 where there is none; and where each run begins in all the
        words, int64 (N,).
    """
    place = {word: number for number, word in enumerate(vocabulary)}
    rows = [[place[word] for word in encoding.words(text) if word in place] for text in texts]
    size = wanted.length + 2 * wanted.neighbours
    parts = [row_of_runs(np.array(row, np.int32), wanted.length, wanted.neighbours) for row in rows]
    answers = np.concatenate([np.empty((0, size), np.int32), *parts])
    before = np.cumsum([0, *map(len, rows)])
    ids = [start + wanted.length * np.arange(len(part)) for start, part in zip(before, parts, strict=False)]
    samples = inside(answers, wanted.neighbours) + encoding.UNKNOWN + 1
    samples[samples == encoding.UNKNOWN] = encoding.NOTHING
    return samples, answers, np.concatenate([np.empty(0, np.int64), *ids])


def row_of_runs(words: np.ndarray, length: int, neighbours: int) -> np.ndarray:
    """One text's runs with their neighbours: int32 (N, length + 2 neighbours)."""
    filled = np.full(-(-len(words) // length) * length + 2 * neighbours, NONE, np.int32)
    filled[neighbours : neighbours + len(words)] = words
    return np.lib.stride_tricks.sliding_window_view(filled, length + 2 * neighbours)[::length]


def inside(answers: np.ndarray, neighbours: int) -> np.ndarray:
    """The words of each run without those around it: int32 (N, T)."""
    return np.array(answers[:, neighbours : answers.shape[1] - neighbours])


def counted(answers: np.ndarray, neighbours: int, known: int) -> tuple[int, ...]:
    """How often each of `known` words is in the runs."""
    found = inside(answers, neighbours)
    return tuple(np.bincount(found[found != NONE], minlength=known).tolist())


def pairs(answers: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


def shared(exam: np.ndarray, learnt: list[np.ndarray], neighbours: int) -> np.ndarray:
    """The share of each text's runs of `alike.RUN` words that are in the texts learnt from too: float64 (D,)."""
    known = np.concatenate([alike.windows(*documents(answers, neighbours))[1] for answers in learnt])
    words, starts = documents(exam, neighbours)
    text, run = alike.windows(words, starts)
    sizes = np.bincount(text, minlength=len(starts) - 1)
    return np.asarray(np.bincount(text, np.isin(run, known), minlength=len(sizes)) / np.maximum(sizes, 1))
