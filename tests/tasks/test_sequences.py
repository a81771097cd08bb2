"""Symbols one after another: how texts become numbers, and numbers texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spec import Input, Spec
from tasks import encoding, sequences
from tasks.catalogue import Dataset
from tasks.errors import BadData
from tasks.problems import translation

LETTERS = Spec({"symbols": Input((4,), "int32", sizes=(5,))}, tuple("abc"), steps=4)
WORDS = Spec({"symbols": Input((4,), "int32", sizes=(5,))}, ("uno", "y", "dos"), steps=3)


def test_texts_are_numbered_from_two_with_unknown_and_nothing() -> None:
    assert encoding.symbols(["ab", "bxab", ""], ["b", "a"], 3).tolist() == [[3, 2, 0], [2, 1, 3], [0, 0, 0]]


def test_symbols_of_several_characters_are_parted_by_spaces() -> None:
    assert encoding.symbols(["uno dos", "dos"], ["uno", "dos"], 3).tolist() == [[2, 3, 0], [3, 0, 0]]


def test_translations_are_classes_and_minus_one_behind_the_end() -> None:
    assert encoding.translations(pd.Series(["ca", ""]), list("abc"), 3).tolist() == [[2, 0, -1], [-1, -1, -1]]


@pytest.mark.parametrize("text", ["abca", "ax"])
def test_a_translation_too_long_or_of_others_is_refused(text: str) -> None:
    with pytest.raises(BadData, match=rf"at most 3 symbols, each of 3 classes. Received: row 1.*{text}"):
        encoding.translations(pd.Series(["a", text]), list("abc"), 3)


@given(st.lists(st.text("abc", max_size=4), min_size=1))
def test_characters_come_back(texts: list[str]) -> None:
    assert translation.texts(sequences.packed(pd.Series(texts), LETTERS), LETTERS) == texts


def test_words_come_back_with_spaces_between() -> None:
    packed = sequences.packed(pd.Series(["dos y uno", None]), WORDS)
    assert packed.tolist() == [[2, 1, 0], [-1, -1, -1]]
    assert translation.texts(packed.astype(np.int64), WORDS) == ["dos y uno", ""]


def test_a_dataset_of_symbols_tells_what_goes_in_and_out() -> None:
    shared = {"source": "x", "validation": 0.1, "test": 0.1, "seed": 0}
    symbols = {"known": ["1", "2"], "length": 4, "steps": 6}
    spec = encoding.spec(Dataset(problem="translation", symbols=symbols, classes=["a", "b"], **shared))
    assert spec == Spec({"symbols": Input((4,), "int32", sizes=(4,))}, ("a", "b"), steps=6)
    with pytest.raises(ValueError, match=r"translation needs classes and symbols"):
        Dataset(problem="translation", symbols=symbols, **shared)
    spec.check(inputs=("symbols",), classes=True, steps=True)
    with pytest.raises(ValueError, match=r"answers with classes. Received a dataset that asks for classes and steps"):
        spec.check(inputs=("symbols",), classes=True)
