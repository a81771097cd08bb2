"""Statistics of two networks on the same samples, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spec import Input, Spec
from tasks import compare
from tasks.prepared import Split
from tasks.problems import classification

SPEC = Spec({"image": Input((2, 2, 1), "uint8")}, ("a", "b", "c"))


def test_the_sign_test_is_mcnemar_s_exact_one() -> None:
    ours, theirs = np.array([0, 0, 0, 0, 1, 1, 1.0]), np.array([1, 1, 1, 1, 0, 1, 1.0])
    # five samples differ, four are lost: (5 + 1) / 2**5 of equal networks lose as many
    assert compare.sign_test(ours, theirs) == pytest.approx(6 / 32)
    assert compare.sign_test(theirs, ours) == pytest.approx(31 / 32)
    assert compare.sign_test(ours, ours) == 1.0


def test_holm_s_procedure_by_hand() -> None:
    raw = np.array([0.01, 0.04, np.nan, 0.03, 0.005])
    corrected = compare.holm(raw)
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, and never less than the one before
    assert corrected == pytest.approx([0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True)


def test_holm_s_procedure_with_ties_and_nothing_asked() -> None:
    tied = compare.holm(np.array([0.02, 0.01, np.nan, 0.02, 0.6]))
    # sorted 0.01, 0.02, 0.02, 0.6 times 4, 3, 2, 1: the second 0.02 is raised to what the first one got
    assert tied == pytest.approx([0.06, 0.04, np.nan, 0.06, 0.6], nan_ok=True)
    assert compare.holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0], "no more than 1"
    assert np.isnan(compare.holm(np.array([np.nan, np.nan]))).all()
    assert compare.holm(np.array([])).tolist() == []


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=12))
def test_what_was_not_asked_corrects_nothing(raw: list[float]) -> None:
    values = np.array(raw, dtype=float)
    asked = ~np.isnan(values)
    corrected = compare.holm(values)
    assert (np.isnan(corrected) == ~asked).all()
    np.testing.assert_array_equal(corrected[asked], compare.holm(values[asked]))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=40))
def test_the_sign_test_is_a_binomial_tail(pairs: list[tuple[int, int]]) -> None:
    ours, theirs = (np.array([pair[which] for pair in pairs], dtype=float) for which in (0, 1))
    lost, won = int((ours < theirs).sum()), int((ours > theirs).sum())
    ways = sum(math.comb(lost + won, more) for more in range(lost, lost + won + 1))
    assert compare.sign_test(ours, theirs) == pytest.approx(ways / 2 ** (lost + won))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_a_corrected_p_is_no_smaller_and_keeps_the_order(raw: list[float]) -> None:
    values = np.array(raw)
    corrected = compare.holm(values)
    assert (corrected >= values).all()
    assert (corrected <= 1).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()


def test_the_interval_leaves_a_fortieth_on_each_side() -> None:
    found = compare.interval(0.5, np.arange(2001) / 2000)
    assert (found.low, found.high, found.difference) == (pytest.approx(0.025), pytest.approx(0.975), 0.5)


def test_parts_with_too_few_samples_are_counted_and_not_tested() -> None:
    theirs = np.ones(40)
    ours = np.concatenate([np.zeros(12), np.ones(28)])
    parts = {"bad": np.arange(40) < 20, "good": np.arange(40) >= 20, "small": np.arange(40) < 3}
    bad, good, small = compare.slices(ours, theirs, parts, smallest=20)
    assert (bad.samples, bad.ours, bad.theirs) == (20, pytest.approx(0.4), 1.0)
    assert bad.p == pytest.approx(2 * 0.5**12)
    assert bad.is_worse
    assert (good.p, good.is_worse) == (1.0, False)
    assert math.isnan(small.p)
    assert not small.is_worse


def probabilities(best: np.ndarray) -> np.ndarray:
    return np.eye(3)[best] * 0.7 + 0.1


@pytest.mark.parametrize("metric", classification.GATES)
def test_differences_are_those_of_a_bootstrap_of_the_samples(metric: str) -> None:
    rng = np.random.default_rng(5)
    answers = rng.integers(0, 3, 90)
    ours = probabilities(np.where(rng.random(90) < 0.9, answers, rng.integers(0, 3, 90)))
    theirs = probabilities(np.where(rng.random(90) < 0.7, answers, rng.integers(0, 3, 90)))
    drawn = classification.differences(answers, ours, theirs, SPEC, metric=metric, times=4000)
    rows = [rng.integers(0, 90, 90) for _ in range(300)]
    scores = [
        [classification.scores(answers[row], given[row], SPEC)[metric] for given in (ours, theirs)] for row in rows
    ]
    slow = np.array([first - second for first, second in scores])
    assert drawn.mean() == pytest.approx(slow.mean(), abs=0.015)
    assert drawn.std() == pytest.approx(slow.std(), rel=0.2)
    same = compare.interval(0.0, classification.differences(answers, ours, ours, SPEC, metric=metric, times=50))
    assert (same.low, same.high) == (0, 0)


@pytest.mark.parametrize("metric", classification.GATES)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12))
def test_a_resample_has_the_score_of_its_samples_whatever_class_it_lacks(
    metric: str, pairs: list[tuple[int, int]]
) -> None:
    answers, best = np.array(pairs).T
    drawn = np.ones((1, len(pairs)), dtype=int)
    (found,) = classification.score_of(drawn, answers, best, 3, metric)
    assert found == pytest.approx(classification.scores(answers, probabilities(best), SPEC)[metric])


def test_the_trivial_answers() -> None:
    samples = np.array([0, 10, 20, 200, 210], np.uint8).reshape(5, 1, 1, 1)
    train = Split(samples, np.array([0, 0, 0, 2, 2]), np.arange(5))  # class b is not there
    asked = np.array([30, 190], np.uint8).reshape(2, 1, 1, 1)
    given = classification.baselines(train, asked, SPEC)
    assert given["most frequent class"].argmax(axis=1).tolist() == [0, 0]
    assert given["nearest mean sample"].argmax(axis=1).tolist() == [0, 2]


def test_slices_are_the_classes() -> None:
    found = classification.slices(np.array([0, 2, 2]), SPEC)
    assert {name: part.tolist() for name, part in found.items()} == {
        "class a": [True, False, False],
        "class b": [False, False, False],
        "class c": [False, True, True],
    }
