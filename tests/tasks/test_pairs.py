"""Runs of words with their neighbours: what is cut by hand, that every pair is there once, and that texts come back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import alike
from tasks.problems.vectors import pairs

FOX = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]
WORDS = sorted(set(FOX))

texts = st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=4)


def rows(words: list[list[int]]) -> list[np.ndarray]:
    return [np.array(row, np.int32) for row in words]


def near(text: list[int], around: int) -> list[tuple[int, int]]:
    """Every word of a text with each that stands near, by definition."""
    there = range(len(text))
    return [(text[one], text[other]) for one in there for other in there if 0 < abs(one - other) <= around]


def test_a_text_of_five_words_by_hand() -> None:
    samples, answers, starts = pairs.cut(rows([[0, 1, 2, 3, 4]]), length=3, neighbours=2)
    assert answers.tolist() == [[-1, -1, 0, 1, 2, 3, 4], [1, 2, 3, 4, -1, -1, -1]]
    assert samples.tolist() == [[2, 3, 4], [5, 6, 0]]
    assert starts.tolist() == [0, 3]
    assert (samples.dtype, answers.dtype, starts.dtype) == (np.int32, np.int32, np.int64)
    run, word, other = pairs.listed(answers, 2)
    assert list(zip(word.tolist(), other.tolist(), strict=True)) == [
        (0, 1), (0, 2), (1, 0), (1, 2), (1, 3), (2, 0), (2, 1), (2, 3), (2, 4), (3, 1), (3, 2), (3, 4), (4, 2), (4, 3)
    ]  # fmt: skip
    assert run.tolist() == [0] * 9 + [1] * 5


def test_the_pairs_of_the_course() -> None:
    """Of the lesson's sentence and a window of two words on each side: 30 in all."""
    _, answers, _ = pairs.cut(rows([[WORDS.index(word) for word in FOX]]), length=4, neighbours=2)
    _, word, other = pairs.listed(answers, 2)
    told = [(WORDS[one], WORDS[two]) for one, two in zip(word, other, strict=True)]
    assert len(told) == 30
    assert told[:9] == [
        ("the", "quick"),
        ("the", "brown"),
        ("quick", "the"),
        ("quick", "brown"),
        ("quick", "fox"),
        ("brown", "the"),
        ("brown", "quick"),
        ("brown", "fox"),
        ("brown", "jumps"),
    ]


def test_runs_of_one_word_are_windows_around_it() -> None:
    samples, answers, _ = pairs.cut(rows([[3, 1, 2]]), length=1, neighbours=1)
    assert samples.tolist() == [[5], [3], [4]]
    assert answers.tolist() == [[-1, 3, 1], [3, 1, 2], [1, 2, -1]]


@settings(deadline=None)
@given(texts, st.integers(1, 5), st.integers(1, 4))
def test_every_pair_is_there_once_and_none_spans_two_texts(words: list[list[int]], length: int, around: int) -> None:
    samples, answers, starts = pairs.cut(rows(words), length, around)
    _, word, other = pairs.listed(answers, around)
    assert list(zip(word, other, strict=True)) == [pair for text in words for pair in near(text, around)]
    flat = [word for text in words for word in text]
    for sample, start in zip(samples, starts, strict=True):
        there = sample[sample > 0] - 2
        assert there.tolist() == flat[start : start + len(there)]


@settings(deadline=None)
@given(texts, st.integers(1, 5), st.integers(1, 4))
def test_texts_come_back_and_are_counted(words: list[list[int]], length: int, around: int) -> None:
    _, answers, _ = pairs.cut(rows(words), length, around)
    flat, starts = pairs.documents(answers, around)
    there = [text for text in words if text]
    assert [flat[one:other].tolist() for one, other in itertools.pairwise(starts)] == there
    counts = pairs.counted(answers, around, 10)
    assert list(counts) == [sum(text.count(word) for text in words) for word in range(10)]


@pytest.mark.parametrize(
    ("exam", "share"), [(range(10, 20), 0.0), (range(10), 1.0), ([*range(10), *range(20, 26)], 0.5)]
)
def test_the_share_of_a_text_that_others_have(exam: range | list[int], share: float) -> None:
    """Of ten words, six runs of five; the third text has six of twelve."""
    learnt = np.arange(10), np.array([0, 10])
    words = np.array(exam)
    assert alike.known(words, np.array([0, len(words)]), *learnt).tolist() == [share]
