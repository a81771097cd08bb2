"""Translation: scores by hand, baselines, and honest resamples; and what is generated to be translated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from models.spec import Input, Spec
from tasks import catalogue
from tasks.catalogue import Source
from tasks.errors import BadData, BadRequest
from tasks.prepared import Split
from tasks.problems import translation
from tasks.sources import numerals, rows

SPEC = Spec({"symbols": Input((4,), "int32", sizes=(5,))}, tuple("abc"), steps=4)
RIGHT = np.array([[0, 1, 2, -1], [2, 2, -1, -1], [1, -1, -1, -1], [0, 0, 0, 0]], np.int32)
GIVEN = np.array([[0, 1, 2, -1], [2, 0, 1, -1], [-1, -1, -1, -1], [0, 0, 0, 1]], np.int32)
SAMPLES = np.array([[2, 3, 4, 0], [4, 4, 0, 0], [3, 1, 2, 0], [2, 2, 2, 2]], np.int32)
SPLIT = Split(SAMPLES, RIGHT, np.arange(10, 14))


def test_scores_by_hand() -> None:
    """One of four whole; 3 of 3, 1 of 3, 0 of 1 and 3 of 4 places."""
    found = translation.scores(RIGHT, GIVEN, SPEC)
    assert found == {"exact": 0.25, "symbols": pytest.approx((1 + 1 / 3 + 0 + 3 / 4) / 4)}
    np.testing.assert_allclose(translation.quality(RIGHT, GIVEN, SPEC), [1, 1 / 3, 0, 3 / 4])
    nothing = np.full((1, 4), -1, np.int32)
    assert translation.scores(nothing, nothing, SPEC) == {"exact": 1.0, "symbols": 1.0}


@pytest.mark.parametrize(
    "wrong", [GIVEN[:3], GIVEN.astype(float), np.where(GIVEN == 2, 3, GIVEN), GIVEN - 1, GIVEN[:, ::-1]]
)
def test_what_is_no_answer_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(BadData, match=r"predictions must be"):
        translation.scores(RIGHT, wrong, SPEC)


def test_the_exam_shows_what_is_wrong() -> None:
    exam = translation.judge(SPLIT, GIVEN, SPEC)
    assert exam.predictions.columns.tolist() == ["id", "actual", "predicted", "share"]
    assert exam.tables["wrong"]["id"].tolist() == [12, 11, 13]
    assert exam.tables["wrong"][["actual", "predicted"]].iloc[1].tolist() == ["cc", "cab"]
    assert exam.tables["lengths"]["samples"].tolist() == [1, 1, 1, 1]
    assert exam.tables["lengths"]["exact"].tolist() == [0, 0, 1, 0]


def test_slices_are_all_samples_once() -> None:
    for steps in (1, 2, 3, 4, 7, 20):
        spec = dataclasses.replace(SPEC, steps=steps)
        answers = np.where(np.arange(steps) < np.arange(steps + 1)[:, np.newaxis], 0, -1)
        parts = translation.slices(answers, spec)
        assert (np.sum(list(parts.values()), axis=0) == 1).all()
        assert len(parts) == min(steps, 4)
    assert list(translation.slices(RIGHT, dataclasses.replace(SPEC, steps=20)))[1] == "length 6 to 10"


def test_baselines_by_hand() -> None:
    train = Split(SAMPLES, RIGHT[[1, 0, 1, 2]], np.arange(4))
    found = translation.baselines(train, SAMPLES, SPEC)
    assert found["most frequent"].tolist() == [[2, 2, -1, -1]] * 4
    assert found["copy"].tolist() == [[0, 1, 2, -1], [2, 2, -1, -1], [1, -1, -1, -1], [0, 0, 0, 0]]
    assert "copy" not in translation.baselines(train, SAMPLES, dataclasses.replace(SPEC, classes=("a", "b")))


@pytest.mark.parametrize("metric", translation.GATES)
def test_resamples_are_those_of_a_plain_loop(metric: str) -> None:
    rng = np.random.default_rng(1)
    right, ours, theirs = rng.integers(0, 2, (3, 40, 4)).astype(np.int32)
    found = translation.differences(right, ours, theirs, SPEC, metric=metric, times=20)
    drawn = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=20)
    for counts, difference in zip(drawn, found, strict=True):
        chosen = np.repeat(np.arange(40), counts)
        one, other = (translation.scores(right[chosen], some[chosen], SPEC)[metric] for some in (ours, theirs))
        assert difference == pytest.approx(one - other)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "cero"),
        (16, "dieciséis"),
        (21, "veintiuno"),
        (40, "cuarenta"),
        (99, "noventa y nueve"),
        (100, "cien"),
        (101, "ciento uno"),
        (555, "quinientos cincuenta y cinco"),
        (1000, "mil"),
        (1021, "mil veintiuno"),
        (21_000, "veintiún mil"),
        (31_001, "treinta y un mil uno"),
        (100_000, "cien mil"),
        (101_000, "ciento un mil"),
        (700_070, "setecientos mil setenta"),
        (999_999, "novecientos noventa y nueve mil novecientos noventa y nueve"),
    ],
)
def test_numerals_by_hand(number: int, words: str) -> None:
    assert numerals.spanish(number) == words


def source(reader: str, **settings: int | str) -> Source:
    return Source(reader=reader, samples=200, licence="generated", settings={"seed": 0, **settings})


def test_rows_are_reversed_or_sorted_and_always_the_same() -> None:
    reversal = rows.read(Path(), source("rows", order="reversed", shortest=2, longest=6)).samples
    sorting = rows.read(Path(), source("rows", order="sorted", shortest=2, longest=6)).samples
    assert (reversal["translation"] == reversal["text"].str[::-1]).all()
    assert (sorting["translation"] == ["".join(sorted(text)) for text in sorting["text"]]).all()
    assert set(reversal["text"].str.len()) == {2, 3, 4, 5, 6}
    assert reversal["text"].is_unique
    assert (reversal["text"] == sorting["text"]).all()


@pytest.mark.parametrize("wrong", [{"order": "shuffled"}, {"shortest": 0}, {"shortest": 7}, {"longest": 1}])
def test_rows_that_cannot_be_are_refused(wrong: dict[str, int | str]) -> None:
    settings = {"order": "sorted", "shortest": 1, "longest": 6, **wrong}
    with pytest.raises(BadRequest, match=r"`settings"):
        rows.read(Path(), source("rows", **settings))


def test_numerals_are_different_numbers_of_all_sizes() -> None:
    table = numerals.read(Path(), source("numerals")).samples
    assert table["text"].is_unique
    assert set(table["text"].str.len()) == {1, 2, 3, 4, 5, 6}
    assert [numerals.spanish(int(text)) for text in table["text"]] == table["translation"].tolist()


def test_the_datasets_know_every_word() -> None:
    known = catalogue.load()
    words = {
        word
        for number in range(1_000_000)
        if number < 2000 or number % 997 == 0
        for word in numerals.spanish(number).split()
    }
    assert words == set(known.dataset("numerals").classes or [])
