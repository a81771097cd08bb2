"""Alike: texts of which another split has nearly the same, by the runs of words that both have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

RUN = 5
"""Words of a run; a text of fewer is one run."""

CLOSE = 50
"""Texts that a text is compared with at most, for each run that it shares: those nearest to it in length."""

PAIRS = 20_000
"""Pairs of texts that are compared at once."""

MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Runs:
    """Which texts have which runs of words, those that one text alone has only counted.

    Args:
        text, run: numbers of a text and of a run that it has, int64 (R,), each pair once.
        texts: how many texts have each run, int64 (R,).
        sizes: different runs of each text, int64 (N,).
    """

    text: np.ndarray
    run: np.ndarray
    texts: np.ndarray
    sizes: np.ndarray


def elsewhere(words: np.ndarray, starts: np.ndarray, splits: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """The row of the most similar text in another split, and how similar: float64 (N,) twice, NaN where there is none.

    Similar is the share of the runs of two texts that both have (Jaccard). No pair is missed where a run is in at most
    `CLOSE` texts: a pair that shares enough shares one of each text's rarest runs (prefix filtering).

    Args:
        words: numbers of the words of all texts, one text behind another.
        starts: where each text begins in `words`, and where the last one ends: int64 (N + 1,).
        splits: of each text, text (N,).
        least: share from which texts are nearly the same, above 0.

    Source:
        Bayardo, Ma and Srikant, Scaling up all pairs similarity search (2007); Broder, On the resemblance and
        containment of documents (1997).
    """
    text, run = windows(words, starts)
    first = representatives(text, run, splits)
    runs = shared(text, run, first, len(splits))
    left, right = candidates(runs, splits, least)
    share = similarity(runs, left, right)
    near = share >= least
    other, how = best(left[near], right[near], share[near], len(splits))
    return other[first], how[first]


def known(words: np.ndarray, starts: np.ndarray, others: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """The share of each text's runs of words that some of the `others` have too: float64 (N,).

    Args:
        words, starts: of the texts, as `elsewhere` takes them.
        others, begins: likewise of those that it may be had from.
    """
    text, run = windows(words, starts)
    sizes = np.bincount(text, minlength=len(starts) - 1)
    had = np.isin(run, windows(others, begins)[1])
    return np.asarray(np.bincount(text, had, minlength=len(sizes)) / np.maximum(sizes, 1))


def windows(words: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the text, int64 (R,), and hash, uint64 (R,), of each run of words; short texts are filled up."""
    lengths = np.diff(starts)
    filled = np.where(lengths, np.maximum(lengths, RUN), 0)
    text = np.repeat(np.arange(len(lengths)), filled)
    numbers = np.zeros(len(text), dtype=np.uint64)
    begins = np.cumsum(filled) - filled
    numbers[np.arange(len(words)) + np.repeat(begins - starts[:-1], lengths)] = words.astype(np.uint64) + np.uint64(1)
    hashed, last = mixed(numbers), len(text) - RUN + 1
    if last < 1:
        return text[:0], hashed[:0]
    run = np.zeros(last, dtype=np.uint64)
    for place in range(RUN):
        run = run * ODD + hashed[place : place + last]
    whole = text[:last] == text[RUN - 1 :]
    return text[:last][whole], run[whole]


def mixed(numbers: np.ndarray) -> np.ndarray:
    """A number of 64 bits for each, that looks random (splitmix64)."""
    numbers = (numbers + np.uint64(1)) * ODD
    for shift, factor in zip((30, 27), MIX, strict=True):
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * factor
    return np.asarray(numbers ^ (numbers >> np.uint64(31)))


def representatives(text: np.ndarray, run: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """The first text of the same split that has the same runs, of each text: int64 (N,)."""
    begins = np.flatnonzero(np.diff(text, prepend=-1))
    numbers = np.unique(splits, return_inverse=True)[1].astype(np.uint64)
    sums = mixed(np.arange(len(splits), dtype=np.uint64))
    if len(begins):
        sums[text[begins]] = np.add.reduceat(mixed(run), begins)
    _, first, same = np.unique(mixed(sums + numbers), return_index=True, return_inverse=True)
    return np.asarray(first[same])


def shared(text: np.ndarray, run: np.ndarray, first: np.ndarray, count: int) -> Runs:
    """The runs that several representatives have."""
    chosen = first[text] == text
    text = text[chosen]
    _, run, times = np.unique(run[chosen], return_inverse=True, return_counts=True)
    once = times[run] == 1
    sizes = np.bincount(text[once], minlength=count)
    pairs = np.unique(text[~once] * (len(times) + 1) + run[~once])
    text, run = np.divmod(pairs, len(times) + 1)
    sizes += np.bincount(text, minlength=count)
    texts = np.bincount(run, minlength=len(times))[run]
    several = texts > 1
    return Runs(text[several], run[several], texts[several], sizes)


def candidates(runs: Runs, splits: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of texts of different splits that may share enough: int64 (P,) twice, each pair once."""
    rare = rarest(runs, least)
    text, run = runs.text[rare], runs.run[rare]
    order = np.lexsort((text, runs.sizes[text], run))
    text, run = text[order], run[order]
    found = [np.empty(0, dtype=np.int64)]
    for step in range(1, CLOSE + 1):
        left, right = text[:-step], text[step:]
        wanted = (run[:-step] == run[step:]) & (splits[left] != splits[right])
        wanted &= runs.sizes[left] >= least * runs.sizes[right]
        low, high = np.minimum(left, right)[wanted], np.maximum(left, right)[wanted]
        found.append(low * len(splits) + high)
    return np.divmod(np.unique(np.concatenate(found)), len(splits))


def rarest(runs: Runs, least: float) -> np.ndarray:
    """Places in `runs` of as many of a text's rarest runs as two texts cannot both lack and be similar: int64."""
    alone = runs.sizes - np.bincount(runs.text, minlength=len(runs.sizes))
    kept = runs.sizes - np.ceil(least * runs.sizes - 1e-9).astype(np.int64) + 1 - alone
    order = np.lexsort((runs.run, runs.texts, runs.text))
    text = runs.text[order]
    begins = np.searchsorted(text, np.arange(len(runs.sizes)))
    return np.asarray(order[np.arange(len(text)) - begins[text] < kept[text]])


def similarity(runs: Runs, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Share of the runs of each pair that both texts have: float64 (P,)."""
    shape = (len(runs.sizes), int(runs.run.max(initial=0)) + 1)
    table = csr_array((np.ones(len(runs.text), dtype=np.int32), (runs.text, runs.run)), shape=shape)
    both = [np.empty(0)]
    for begin in range(0, len(left), PAIRS):
        part = slice(begin, begin + PAIRS)
        both.append(np.asarray(table[left[part]].multiply(table[right[part]]).sum(axis=1)).ravel())
    common = np.concatenate(both)
    return np.asarray(common / (runs.sizes[left] + runs.sizes[right] - common))


def best(left: np.ndarray, right: np.ndarray, share: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The most similar of the texts that each is paired with, the first of equal ones, and how similar."""
    text, other = np.concatenate([left, right]), np.concatenate([right, left])
    order = np.lexsort((other, -np.tile(share, 2), text))
    chosen, places = np.unique(text[order], return_index=True)
    others, shares = np.full(count, np.nan), np.full(count, np.nan)
    others[chosen], shares[chosen] = other[order][places], np.tile(share, 2)[order][places]
    return others, shares
