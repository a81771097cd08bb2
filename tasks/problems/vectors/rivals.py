"""Other ways to vectors of words, learnt from the same text: counting, and gensim's word2vec."""

from __future__ import annotations

import itertools

import numpy as np
from gensim.models import Word2Vec
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import svds

from tasks.problems.vectors import pairs

POWER = 0.75
"""Of how often neighbours occur, as for noise words."""

CHUNK = 10_000
"""Runs whose pairs are counted at once."""

SENTENCE = 1000
"""Words of a sentence for gensim, which leaves out what is behind 10,000."""

SUBSAMPLE, NEGATIVES = 1e-3, 5
"""Share of the text above which words are left out at times, and noise words of a pair: gensim's own."""


def counted(answers: np.ndarray, around: int, known: int, size: int) -> np.ndarray:
    """Vectors of `size` from how much oftener than by chance words stand near each other: float64 (K, size).

    Args:
        answers: runs with the `around` words on each side.

    Source: Levy, Goldberg, Dagan, "Improving distributional similarity with lessons learned from word embeddings",
        TACL 2015: positive pointwise mutual information with smoothed contexts, U sqrt(S) of its singular values.
    """
    starts = range(0, len(answers), CHUNK)
    table = sum(
        (together(answers[start : start + CHUNK], around, known) for start in starts), csr_array((known, known))
    )
    table = table.tocoo()
    rows, columns = table.coords
    smoothed = np.asarray(table.sum(axis=0)) ** POWER
    expected = np.asarray(table.sum(axis=1))[rows] * (smoothed / smoothed.sum())[columns]
    positive = csr_array((np.maximum(0, np.log(table.data / expected)), (rows, columns)), shape=(known, known))
    left, values, _ = svds(positive, k=min(size, known - 1), rng=np.random.default_rng(0))
    return np.asarray(left * np.sqrt(np.maximum(values, 0)))


def together(answers: np.ndarray, around: int, known: int) -> csr_array:
    """How often each two words stand near each other in some runs: (K, K)."""
    _, words, near = pairs.listed(answers, around)
    return coo_array((np.ones(len(words)), (words, near)), shape=(known, known)).tocsr()


def sentences(answers: np.ndarray, around: int) -> list[list[int]]:
    """The words of each text again, in pieces that gensim reads to their ends."""
    words, starts = pairs.documents(answers, around)
    texts = (words[start:end] for start, end in itertools.pairwise(starts))
    return [text[start : start + SENTENCE].tolist() for text in texts for start in range(0, len(text), SENTENCE)]


def learner(
    read: list[list[int]],
    around: int,
    *,
    size: int,
    skip_gram: bool,
    subsample: float = SUBSAMPLE,
    workers: int = 1,
) -> Word2Vec:
    """gensim's word2vec before it learns: whole windows, all else as it comes; what one worker learns is repeatable."""
    model = Word2Vec(
        vector_size=size,
        window=around,
        sg=int(skip_gram),
        negative=NEGATIVES,
        sample=subsample,
        shrink_windows=False,
        min_count=1,
        workers=workers,
        seed=0,
    )
    model.build_vocab(read)
    return model


def learnt(model: Word2Vec, known: int) -> np.ndarray:
    """The vectors of a learner, those of words that it has not seen zeros: float32 (K, size)."""
    vectors = np.zeros((known, model.vector_size), np.float32)
    vectors[np.array(model.wv.index_to_key)] = model.wv.vectors
    return vectors


def gensim(answers: np.ndarray, around: int, known: int, *, size: int, skip_gram: bool, epochs: int) -> np.ndarray:
    """Vectors that gensim learns in so many epochs: float32 (K, size)."""
    read = sentences(answers, around)
    model = learner(read, around, size=size, skip_gram=skip_gram)
    model.train(read, total_examples=model.corpus_count, epochs=epochs)
    return learnt(model, known)
