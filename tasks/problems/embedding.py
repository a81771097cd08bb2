"""Embedding: do words that stand near each other have vectors alike?

Answers are runs of words with those around them, int32 (N, T + 2c), -1 where there is none, as vectors/pairs.py has
them; a network gives a vector for each word of a run, float (N, T, D). Judged are pairs of words that tell something:
the most frequent ones stand near all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.spec import Spec
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import Exam
from tasks.problems.vectors import analogies, drawn, likeness, pairs, rivals
from tasks.problems.vectors.pairs import KNOWN, NONE

GATES = ("neighbourhood",)

COMMON = 100
"""The most frequent words, which tell nothing; of a small vocabulary a tenth."""

DRAWS = 4
"""Words that each neighbour is held against."""

CHUNK = 100_000
"""Pairs that are judged at once."""

SHOWN, NEAREST, ASKED = 90, 8, 24
"""Words in the picture; words nearest to one that a table shows, and of how many words."""


@dataclass(frozen=True)
class Judged:
    """What was found of each run: pairs that count, and in how many of them the neighbour won, both float64 (N,)."""

    pairs: np.ndarray
    won: np.ndarray


def scores(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """`neighbourhood`: how often a word's neighbour is nearer to it than a word of anywhere; chance is 0.5, 1 is best.

    Nearer by the cosine of their vectors; a tie is half. The other word is drawn as often as it occurs in the exam.
    """
    found = judged(answers, given, spec)
    return {"neighbourhood": float(found.won.sum() / max(found.pairs.sum(), 1)) if found.pairs.any() else 0.5}


def judged(answers: np.ndarray, given: np.ndarray, spec: Spec) -> Judged:
    """Hold each pair of words that tell something against others, the same for every network.

    Raises:
        BadData: unless `given` is a vector of finite numbers for each word.
    """
    found, there = learnt(answers, given, spec)
    return compared(answers, found, there, spec)


def compared(answers: np.ndarray, found: np.ndarray, there: np.ndarray, spec: Spec) -> Judged:
    """As `judged`, of vectors by words.

    Args:
        found: vectors (K, D), of which `there`, bool (K,), are known.
    """
    unit, common = likeness.unit(np.asarray(found, np.float64)), min(COMMON, len(spec.classes) // 10)
    inside = pairs.inside(answers, spec.neighbours)
    pool = inside[inside >= common]
    run, word, near = pairs.listed(answers, spec.neighbours)
    counts = (word >= common) & (near >= common) & (word != near) & there[near]
    run, word, near = run[counts], word[counts], near[counts]
    others, size = np.random.default_rng(0).integers(0, max(len(pool), 1), (len(word), DRAWS)), len(answers)
    parts = [slice(start, start + CHUNK) for start in range(0, len(word), CHUNK)]
    won = np.concatenate([np.empty(0), *(wins(unit, word[part], near[part], pool[others[part]]) for part in parts)])
    return Judged(np.bincount(run, minlength=size).astype(float), np.bincount(run, won, minlength=size))


def wins(unit: np.ndarray, word: np.ndarray, near: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The share of the `others` (P, DRAWS) than which each `near` is nearer to its `word`: (P,).

    A tie is half, and so is the word itself, to which nothing is nearer.
    """
    own = unit[word]
    likeness = np.einsum("pd,pd->p", own, unit[near])[:, np.newaxis]
    against = np.stack([np.einsum("pd,pd->p", own, unit[other]) for other in others.T], axis=1)
    undecided = (likeness == against) | (others == word[:, np.newaxis])
    return np.asarray(np.where(undecided, 0.5, likeness > against).mean(axis=1))


def learnt(answers: np.ndarray, given: np.ndarray, spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """The vector of each word of the exam, zeros of others: float32 (K, D), and which words those are, bool (K,)."""
    words = pairs.inside(answers, spec.neighbours)
    if given.ndim != 3 or given.shape[:2] != words.shape:
        raise BadData(f"predictions must have the shape (samples, words, any) {words.shape}. Received: {given.shape}")
    broken = ~np.isfinite(given).all(axis=(1, 2))
    if broken.any():
        raise BadData(
            f"predictions must be finite. Received: {broken.sum()} of {len(given)} with NaN or infinity, "
            f"the first for sample {int(np.argmax(broken))}"
        )
    different, first = np.unique(words, return_index=True)
    first = first[different != NONE]
    different = different[different != NONE]
    found = np.zeros((len(spec.classes), given.shape[2]), np.float32)
    found[different] = given.reshape(-1, given.shape[2])[first]
    return found, np.isin(np.arange(len(spec.classes)), different)


def judge(split: Split, given: np.ndarray, spec: Spec) -> Exam:
    """The score, and pictures of the exam's words: along two components, beside those nearest, and in analogies."""
    answers = np.asarray(split.answers)
    found, there = learnt(answers, given, spec)
    telling = np.flatnonzero(there)
    telling = telling[telling >= min(COMMON, len(spec.classes) // 10)]
    inside = pairs.inside(answers, spec.neighbours)
    names = np.append(np.array(spec.classes, dtype=object), "")
    return Exam(
        scores=scores(answers, given, spec),
        tables={},
        pictures={
            "words": drawn.words(found, telling[:SHOWN], spec),
            "neighbourhoods": drawn.neighbourhoods(found, np.flatnonzero(there), telling[: drawn.PANELS], spec),
            "analogies": drawn.analogies_picture(found, there, spec),
        },
        predictions=pd.DataFrame(
            {
                "id": np.asarray(split.ids),
                "words": [" ".join(names[row]).rstrip() for row in inside],
                "neighbourhood": quality(answers, given, spec),
            }
        ),
    )


def further(ask: Callable[[np.ndarray], np.ndarray], split: Split, spec: Spec) -> dict[str, pd.DataFrame]:
    """The words nearest to some of the most frequent that tell something, and analogies, among all known words."""
    found, names = likeness.of_all(ask, spec), np.array(spec.classes)
    asked = np.arange(min(COMMON, len(names) // 10), len(names))[:ASKED]
    near = likeness.nearest(found, found[asked], NEAREST, but=asked[:, np.newaxis])
    table = pd.DataFrame({"word": names[asked], "nearest": [" ".join(names[row]) for row in near]})
    return {"nearest": table, "analogies": analogies.table(found, spec)}


def beside(train: Split, split: Split, given: np.ndarray, spec: Spec, *, epochs: int) -> dict[str, pd.DataFrame]:
    """The scores of other ways to vectors of the same size, learnt from the same text, on the same exam."""
    text, answers, known = np.asarray(train.answers), np.asarray(split.answers), len(spec.classes)
    size, there = given.shape[2], learnt(answers, given, spec)[1]
    others = {
        "counting, PPMI and SVD": rivals.counted(text, spec.neighbours, known, size),
        **{
            f"gensim's {name}, {epochs} epochs": rivals.gensim(
                text, spec.neighbours, known, size=size, skip_gram=skip_gram, epochs=epochs
            )
            for name, skip_gram in (("skip-gram", True), ("CBOW", False))
        },
    }
    told = {"this network": scores(answers, given, spec)["neighbourhood"]}
    for name, found in others.items():
        one = compared(answers, found, there, spec)
        told[name] = float(one.won.sum() / max(one.pairs.sum(), 1))
    return {"beside others": pd.DataFrame({"way": list(told), "neighbourhood": list(told.values())})}


def baselines(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Vectors by chance, and vectors that tell how frequent a word is, as an angle."""
    words = np.maximum(np.asarray(samples) - KNOWN, 0)
    known = len(spec.classes)
    angle = np.log1p(np.arange(known)) / np.log1p(known) * np.pi
    chance = np.random.default_rng(0).normal(size=(known, 16))
    return {"chance": chance[words], "frequency": np.stack([np.cos(angle), np.sin(angle)], axis=1)[words]}


def quality(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """How often neighbours are nearer, 0..1, and 0.5 of runs without words that tell something: float (N,)."""
    found = judged(answers, given, spec)
    return np.where(found.pairs > 0, found.won / np.maximum(found.pairs, 1), 0.5)


def slices(answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The half of the runs with the rarer words, and the other."""
    words = pairs.inside(answers, spec.neighbours)
    rank = np.where(words != NONE, words, 0).sum(axis=1) / np.maximum((words != NONE).sum(axis=1), 1)
    rarer = rank > np.median(rank)
    return {"runs of rarer words": rarer, "runs of more frequent words": ~rarer}


def differences(
    answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
) -> np.ndarray:
    """Resamples of the runs, the same for both."""
    first, second = (judged(answers, one, spec) for one in (ours, theirs))
    rows = np.random.default_rng(0).integers(0, len(answers), (times, len(answers)))
    better = first.won - second.won
    return np.array([better[row].sum() / max(first.pairs[row].sum(), 1) for row in rows])
