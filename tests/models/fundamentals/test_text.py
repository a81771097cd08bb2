"""Texts as numbers, against the course's, hand-computed ones, and scikit-learn."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from models.fundamentals import text

SENTENCES = ["En un rincón de la mancha", "De cuyo nombre no quiero acordarme"]
INDEX = {
    "de": 1,
    "en": 2,
    "un": 3,
    "rincón": 4,
    "la": 5,
    "mancha": 6,
    "cuyo": 7,
    "nombre": 8,
    "no": 9,
    "quiero": 10,
    "acordarme": 11,
}


def test_the_tokenizer_has_the_courses_order() -> None:
    assert text.index(SENTENCES) == INDEX
    found = text.sequences(SENTENCES, INDEX)
    assert found == [[2, 3, 4, 1, 5, 6], [1, 7, 8, 9, 10, 11]]
    assert text.one_hot(np.array(found), 12).shape == (2, 6, 12)


def test_marks_part_words_and_unknown_ones_are_left_out() -> None:
    assert text.words("¡No! (un-rincón), de\tla's") == ["¡no", "un", "rincón", "de", "la's"]
    assert text.sequences(["de otro rincón"], INDEX) == [[1, 4]]
    assert text.sequences(SENTENCES, INDEX, vocabulary=4) == [[2, 3, 1], [1]]


def test_one_hot_rows_are_the_identity_and_equally_far() -> None:
    rows = text.one_hot(np.arange(4), 4)
    assert rows.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(text.distances(rows), np.sqrt(2) * (1 - np.eye(4)))


def test_a_one_hot_row_looks_up() -> None:
    table = np.array([[17, 24, 1], [23, 5, 7], [4, 6, 13], [10, 12, 19], [11, 18, 25]])
    assert text.looked_up(np.array([[0, 0, 0, 1, 0]]), table).tolist() == [[10, 12, 19]]


def test_ngrams_of_dogs() -> None:
    found = [["".join(one) for one in text.ngrams("dogs", size)] for size in (1, 2, 3, 4, 5)]
    assert found == [["d", "o", "g", "s"], ["do", "og", "gs"], ["dog", "ogs"], ["dogs"], []]


def test_a_bag_knows_no_order_and_pairs_do() -> None:
    texts = [["dog", "bites", "man"], ["man", "bites", "dog"]]
    known, counts = text.bags(texts)
    assert (known, counts.tolist()) == (["bites", "dog", "man"], [[1, 1, 1], [1, 1, 1]])
    known, counts = text.bags(texts, sizes=(2,))
    assert known == ["bites dog", "bites man", "dog bites", "man bites"]
    assert counts.tolist() == [[0, 1, 1, 0], [1, 0, 0, 1]]


@given(st.lists(st.lists(st.sampled_from(["aa", "b", "cc"]), min_size=2, max_size=6), min_size=1, max_size=4))
def test_bags_agree_with_scikit_learn(texts: list[list[str]]) -> None:
    theirs = CountVectorizer(token_pattern=r"\S+", ngram_range=(1, 2))  # noqa: S106, no password
    counts = theirs.fit_transform([" ".join(one) for one in texts]).toarray()
    known, ours = text.bags(texts, sizes=(1, 2))
    assert known == list(theirs.get_feature_names_out())
    np.testing.assert_array_equal(ours, counts)
