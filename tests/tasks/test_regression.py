"""Regression and joint problems: scores by hand, baselines that are the best of their kind, and honest resamples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spec import Input, Number, Spec
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import joint, regression

SPEC = Spec({"image": Input((4, 4, 1), "uint8")}, number=Number("price", 0.0, 50.0, 100.0))
BOTH = Spec(SPEC.inputs, ("a", "b"), SPEC.number)
RIGHT = np.array([10, 20, 40, 80], np.float32)
GIVEN = np.array([[11], [20], [30], [100]], np.float32)


def split(answers: np.ndarray) -> Split:
    samples = np.random.default_rng(0).integers(0, 255, (len(answers), 4, 4, 1), dtype=np.uint8)
    return Split(samples, answers, np.arange(len(answers)))


def test_scores_by_hand() -> None:
    """Off by 1, 0, -10 and 20: shares 0.1, 0, 0.25, 0.25; squares 501 of a spread of 2,875."""
    found = regression.scores(RIGHT, GIVEN, SPEC)
    assert found["closeness"] == pytest.approx(0.85)
    assert found["mape"] == pytest.approx(15)
    assert found["median_ape"] == pytest.approx(17.5)
    assert found["mae"] == pytest.approx(7.75)
    assert found["rmse"] == pytest.approx(np.sqrt(501 / 4))
    assert found["r2"] == pytest.approx(1 - 501 / 2875)


@pytest.mark.parametrize("given_", [GIVEN[:3], GIVEN[:, 0], np.array([[1], [np.nan], [2], [3]], np.float32)])
def test_what_is_no_answer_is_refused(given_: np.ndarray) -> None:
    with pytest.raises(BadData, match=r"predictions must (have the shape|be finite)"):
        regression.scores(RIGHT, given_, SPEC)


@given(st.lists(st.floats(1, 1000), min_size=2, max_size=30))
def test_no_constant_is_closer_than_the_closest(answers: list[float]) -> None:
    train = split(np.array(answers))
    best = regression.baselines(train, train.samples, SPEC)["closest constant"]
    right = np.array(answers)
    mape = (np.abs(best - right[:, None]) / right[:, None]).mean()
    for other in np.concatenate([right, np.linspace(right.min(), right.max(), 50)]):
        assert mape <= (np.abs(other - right) / right).mean() + 1e-9


@pytest.mark.parametrize("metric", regression.GATES)
def test_resamples_are_those_of_a_plain_loop(metric: str) -> None:
    rng = np.random.default_rng(1)
    right = rng.uniform(10, 100, 40)
    ours, theirs = (right[:, None] * rng.normal(1, 0.2, (40, 1)) for _ in range(2))
    found = regression.differences(right, ours, theirs, SPEC, metric=metric, times=20)
    drawn = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=20)
    for counts, difference in zip(drawn, found, strict=True):
        rows = np.repeat(np.arange(40), counts)
        first, second = (regression.scores(right[rows], one[rows], SPEC)[metric] for one in (ours, theirs))
        assert difference == pytest.approx(first - second)


def test_quarters_part_the_exam() -> None:
    parts = regression.slices(np.array([5, 1, 7, 3, 2, 9, 8, 4]), SPEC)
    assert np.sum(list(parts.values()), axis=0).tolist() == [1] * 8
    assert np.flatnonzero(parts["quarter 1 of 4"]).tolist() == [1, 4]


def test_an_exam_has_pictures_and_rows() -> None:
    exam = regression.judge(split(RIGHT), GIVEN, SPEC)
    assert set(exam.pictures) == {"predicted", "farthest_off", "nearest"}
    assert exam.predictions["error"].tolist() == [1, 0, -10, 20]
    assert exam.tables["quarters"]["samples"].tolist() == [1, 1, 1, 1]


def two(labels: list[int], prices: list[float]) -> np.ndarray:
    records = np.empty(len(labels), dtype=[("label", np.int32), ("price", np.float32)])
    records["label"], records["price"] = labels, prices
    return records


def said(probabilities: list[float], prices: list[float]) -> np.ndarray:
    """Probabilities of the second class, and prices."""
    records = np.empty(len(prices), dtype=[("label", np.float32, (2,)), ("price", np.float32, (1,))])
    records["label"] = np.stack([1 - np.array(probabilities), probabilities], axis=1)
    records["price"] = np.array(prices)[:, None]
    return records


ANSWERS, OURS = two([0, 1, 1, 0], [10, 20, 40, 80]), said([0.1, 0.8, 0.3, 0.2], [14, 26, 40, 80])


def test_both_must_be_right() -> None:
    """The second price is 6 off, more than a twentieth of 100; the third class is wrong."""
    assert joint.quality(ANSWERS, OURS, BOTH).tolist() == [1, 0, 0, 1]
    found = joint.scores(ANSWERS, OURS, BOTH)
    assert (found["both_right"], found["accuracy"]) == (0.5, 0.75)
    assert found["mae"] == pytest.approx(2.5)


@pytest.mark.parametrize("metric", joint.GATES)
def test_the_same_answers_do_not_differ(metric: str) -> None:
    found = joint.differences(ANSWERS, OURS, OURS, BOTH, metric=metric, times=50)
    assert found.shape == (50,)
    assert np.nan_to_num(found).tolist() == [0] * 50


def test_differences_of_both_right_have_the_mean_of_the_difference() -> None:
    theirs = said([0.9, 0.8, 0.3, 0.2], [14, 26, 40, 80])  # wrong about the first, too
    found = joint.differences(ANSWERS, OURS, theirs, BOTH, metric="both_right", times=4000)
    assert found.mean() == pytest.approx(0.25, abs=0.02)


def test_a_joint_exam_has_what_both_problems_have() -> None:
    exam = joint.judge(split(ANSWERS), OURS, BOTH)
    assert {"confusion", "mistakes", "predicted", "farthest_off"} <= set(exam.pictures)
    assert exam.predictions.columns.tolist()[:3] == ["id", "actual", "predicted"]
    assert "price_predicted" in exam.predictions
    baselines = joint.baselines(split(ANSWERS), np.zeros((3, 4, 4, 1), np.uint8), BOTH)
    assert all(one["price"].tolist() == [[30]] * 3 for one in baselines.values())
