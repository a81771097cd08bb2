"""Texts that are nearly the same: against hand-counted runs, and against every pair compared by sets."""

from __future__ import annotations

import numpy as np
import pytest

from tasks import alike

Text = list[int]


def elsewhere(texts: list[Text], splits: str, least: float) -> tuple[list[float], list[float]]:
    starts = np.cumsum([0, *map(len, texts)])
    words = np.array([word for text in texts for word in text], dtype=np.int64)
    other, share = alike.elsewhere(words, starts, np.array(list(splits)), least)
    return np.nan_to_num(other, nan=-1).tolist(), np.nan_to_num(share, nan=-1).tolist()


def test_a_changed_word_takes_five_runs() -> None:
    """Of 20 words, 16 runs; of which 11 are left where one in the middle is another: 11 of 21."""
    first, second = list(range(20)), [*range(9), 99, *range(10, 20)]
    assert elsewhere([first, second], "ab", 0.5) == ([1, 0], [11 / 21, 11 / 21])
    assert elsewhere([first, second], "ab", 0.53) == ([-1, -1], [-1, -1])


def test_those_of_the_same_split_are_of_no_account() -> None:
    first, last = list(range(20)), list(range(1, 21))
    assert elsewhere([first, first, last], "aab", 0.8) == ([2, 2, 0], [15 / 17] * 3)
    assert elsewhere([first, first, last], "aaa", 0.8)[0] == [-1, -1, -1]


def test_the_most_similar_is_told() -> None:
    texts = [list(range(20)), list(range(2, 22)), list(range(1, 21)), list(range(20))]
    assert elsewhere(texts, "abbb", 0.5) == ([3, 0, 0, 0], [1.0, 14 / 18, 15 / 17, 1.0])


@pytest.mark.parametrize(
    ("texts", "found"), [([[1, 2], [1, 2]], 0), ([[1, 2], [1]], -1), ([[], []], -1), ([[1], []], -1)]
)
def test_a_text_of_few_words_is_one_run(texts: list[Text], found: int) -> None:
    assert elsewhere(texts, "ab", 0.5)[0][1] == found


def runs(text: Text) -> set[tuple[int, ...]]:
    filled = [*text, *[-1] * (alike.RUN - len(text))] if text else []
    return {tuple(filled[place : place + alike.RUN]) for place in range(len(filled) - alike.RUN + 1)}


def by_sets(texts: list[Text], splits: str, row: int, least: float) -> tuple[float, float]:
    """Row and share of the most similar text of another split."""
    sets = [runs(text) for text in texts]
    shares = {
        other: len(sets[row] & one) / len(sets[row] | one)
        for other, one in enumerate(sets)
        if splits[row] != splits[other] and sets[row] | one
    }
    near = {other: share for other, share in shares.items() if share >= least}
    best = min(near, key=lambda other: (-near[other], other), default=-1)
    return best, near.get(best, -1)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_missed(seed: int) -> None:
    """Sixty random texts, thirty of them copies of others with a word or two changed."""
    rng = np.random.default_rng(seed)
    texts = [rng.integers(0, 40, rng.integers(0, 30)).tolist() for _ in range(30)]
    for one in rng.integers(0, 30, 30):
        text = list(texts[one])
        for place in rng.integers(0, max(1, len(text)), rng.integers(0, 3)):
            text[place : place + 1] = [99] if text else []
        texts.append(text)
    splits = "".join(rng.choice(list("abc"), 60))
    other, share = elsewhere(texts, splits, 0.6)
    wanted = [by_sets(texts, splits, row, 0.6) for row in range(60)]
    assert sum(row >= 0 for row, _ in wanted) > 5
    assert list(zip(other, share, strict=True)) == wanted


def test_a_large_set_of_alike_texts_is_not_compared_pair_by_pair() -> None:
    """Ten thousand texts of ten words: half of them the same, half with another last word each."""
    texts = np.tile(np.arange(10), (10_000, 1))
    texts[::2, 9] = np.arange(5_000) + 10
    splits = np.array(["a", "b", "c"])[np.arange(10_000) % 3]
    other, share = alike.elsewhere(texts.ravel(), np.arange(0, 100_001, 10), splits, 0.6)
    assert share[1::2].tolist() == [1.0] * 5_000
    assert np.nanmin(share[::2]) == pytest.approx(5 / 7)
    assert np.isfinite(other[::2]).mean() > 0.99
