"""Symbols one after another: how texts become numbers, and numbers texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spec import Input, Spec
from tasks import encoding, measures, score, sequences, watch
from tasks.catalogue import Dataset
from tasks.errors import BadData
from tasks.problems import translation
from tasks.score import Known

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


def known() -> Known:
    samples, answers = np.array([[2, 3, 0, 0], [4, 4, 4, 1]], np.int32), np.array([[1, 0, -1, -1], [2, 2, 2, 0]])
    return Known(LETTERS, "translation", measures.refer(samples, answers, LETTERS, np.ones(2)))


def test_translations_are_kept_as_texts_with_what_is_watched_of_them() -> None:
    samples, given_ = np.array([[2, 1, 0, 0], [4, 0, 0, 0]], np.int32), np.array([[1, 0, 2, -1], [-1, -1, -1, -1]])
    table = score.rows(samples, given_, known(), np.array(["x", "y"]))
    assert table[["id", "translation"]].to_numpy().tolist() == [["x", "bac"], ["y", ""]]
    assert table[["x.answer.length", "x.answer.first"]].to_numpy().tolist() == [[3, 1], [0, -1]]
    assert table["x.words.unknown"].tolist() == [0.5, 0]


def test_right_translations_come_later_and_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("id,translation\n7,ab\n8,c\n9,\n")
    right = watch.read(tmp_path / "a.csv", LETTERS)
    given_ = pd.DataFrame({"id": ["7", "8", "9"], "version": 1, "translation": ["ab", "b", ""]})
    monkeypatch.setattr(score, "scored", lambda _, columns: given_[columns])
    monkeypatch.setattr(watch, "labels", lambda _: right)
    assert watch.quality_of("m", 1, known()).tolist() == [1, 0, 1]
    (tmp_path / "b.csv").write_text("id,translation\n7,ax\n")
    with pytest.raises(BadData, match=r"at most 4 symbols, each of 3 classes. Received: row 0: 2 symbols, 'ax'"):
        watch.read(tmp_path / "b.csv", LETTERS)


def test_a_text_of_characters_is_scored_by_all_its_windows() -> None:
    spec = Spec({"characters": Input((3,), "uint8", sizes=(9,))}, tuple("abcdefghi"))
    text, path = np.arange(5, dtype=np.uint8), Path("text.npy")
    windows = score.completed(text, spec, path)
    assert windows.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    score.check(windows, spec, path)
    with pytest.raises(BadData, match=r"input characters must be uint8 \(N, 3\). Received: uint8 \(2,\)"):
        score.check(score.completed(text[:2], spec, path), spec, path)
