"""Classification's scores, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.spec import Input, Spec
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import classification

SPEC = Spec({"image": Input((2, 2, 1), "uint8")}, ("cat", "dog", "owl"))
ANSWERS = np.array([0, 0, 0, 1, 1, 2], dtype=np.int32)
GIVEN = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.9, 0.0], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]],
    dtype=np.float32,
)


def test_by_hand() -> None:
    """Taken for: cat cat dog dog cat owl. Recall 2/3, 1/2, 1; precision 2/3, 1/2, 1."""
    scores = classification.scores(ANSWERS, GIVEN, SPEC)
    assert scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    right = [0.8, 0.6, 0.2, 0.9, 0.4, 0.6]
    assert scores["log_loss"] == pytest.approx(-sum(map(math.log, right)) / 6, rel=1e-6)


def test_the_exam_has_tables_pictures_and_every_sample() -> None:
    split = Split(np.zeros((6, 2, 2, 1), np.uint8), ANSWERS, np.arange(10, 16))
    exam = classification.judge(split, GIVEN, SPEC)
    confusion = exam.tables["confusion"].set_index("actual")
    assert list(confusion.index) == list(confusion.columns)
    np.testing.assert_array_equal(confusion.to_numpy(), [[2, 1, 0], [1, 1, 0], [0, 0, 1]])
    expected = pd.DataFrame({"class": ["cat", "dog", "owl"], "recall": [2 / 3, 1 / 2, 1], "samples": [3, 2, 1]})
    pd.testing.assert_frame_equal(exam.tables["classes"][["class", "recall", "samples"]], expected, check_dtype=False)
    assert list(exam.predictions["id"]) == list(range(10, 16))
    assert list(exam.predictions["predicted"]) == ["cat", "cat", "dog", "dog", "cat", "owl"]
    assert exam.predictions["confidence"][2] == pytest.approx(0.7)
    assert exam.predictions["actual_probability"][2] == pytest.approx(0.2)
    assert set(exam.pictures) == {"confusion", "mistakes"}


def test_a_perfect_exam_has_a_sheet_too(tmp_path: object) -> None:
    split = Split(np.zeros((3, 2, 2, 1), np.uint8), np.arange(3, dtype=np.int32), np.arange(3))
    exam = classification.judge(split, np.eye(3, dtype=np.float32), SPEC)
    assert exam.scores["accuracy"] == 1
    exam.pictures["mistakes"].savefig(f"{tmp_path}/mistakes.png")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GIVEN[:5], r"shape \(samples, classes\) \(6, 3\). Received: \(5, 3\)"),
        (np.where(np.isclose(GIVEN, 0.9), np.nan, GIVEN), r"1 of 6 with NaN or infinity, the first for sample 3"),
    ],
)
def test_what_is_no_answer_is_refused(given: np.ndarray, words: str) -> None:
    with pytest.raises(BadData, match=words):
        classification.scores(ANSWERS, given, SPEC)


@settings(max_examples=40, deadline=None)
@given(
    answers=arrays.arrays(np.int32, st.integers(1, 30), elements=st.integers(0, 2)),
    seed=st.integers(0, 1000),
)
def test_scores_are_shares_and_do_not_depend_on_the_order(answers: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = rng.dirichlet(np.ones(3), len(answers)).astype(np.float32)
    shuffle = rng.permutation(len(answers))
    scores = classification.scores(answers, given, SPEC)
    again = classification.scores(answers[shuffle], given[shuffle], SPEC)
    assert all(0 <= scores[name] <= 1 for name in classification.GATES)
    assert scores == pytest.approx(again)
