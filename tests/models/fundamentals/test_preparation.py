"""Preparation of numbers, against scikit-learn and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from models.fundamentals import preparation as p

tables = arrays.arrays(
    float, st.tuples(st.integers(2, 12), st.integers(1, 4)), elements=st.integers(-50, 50).map(float)
)
GAPS = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan], [8.0, 4.0], [np.nan, 6.0]])


def test_images_become_rows() -> None:
    rows = p.vectorise(np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1))
    assert rows.shape == (2, 12)
    assert rows.dtype == float
    np.testing.assert_array_equal(rows[1], np.arange(12, 24))


@given(train=tables)
def test_scalings_agree_with_scikit_learn(train: np.ndarray) -> None:
    other = train[::-1] * 3 + 1
    np.testing.assert_allclose(
        p.to_unit_range(train).apply(other), MinMaxScaler().fit(train).transform(other), atol=1e-9
    )
    np.testing.assert_allclose(
        p.to_standard(train).apply(other), StandardScaler().fit(train).transform(other), atol=1e-9
    )


@given(train=tables)
def test_scaled_columns_are_what_they_should_be(train: np.ndarray) -> None:
    ranged, standard = p.to_unit_range(train), p.to_standard(train)
    assert ((ranged.apply(train) >= 0) & (ranged.apply(train) <= 1)).all()
    np.testing.assert_allclose(standard.apply(train).mean(axis=0), 0, atol=1e-9)
    changing = np.ptp(train, axis=0) > 0
    np.testing.assert_allclose(standard.apply(train).std(axis=0)[changing], 1)
    np.testing.assert_allclose(ranged.undo(ranged.apply(train)), train, atol=1e-9)


def test_missing_values_by_hand() -> None:
    np.testing.assert_array_equal(p.drop_missing(GAPS), [[8, 4]])
    np.testing.assert_array_equal(p.interpolate_missing(GAPS), [[2, 1], [2, 2], [5, 3], [8, 4], [8, 6]])
    np.testing.assert_array_equal(p.zero_missing(GAPS), [[0, 1], [2, 0], [0, 0], [8, 4], [0, 6]])


@given(table=tables, seed=st.integers(0, 999))
def test_missing_values_agree_with_pandas_and_scikit_learn(table: np.ndarray, seed: int) -> None:
    gaps = np.where(np.random.default_rng(seed).random(table.shape) < 0.3, np.nan, table)
    gaps[0] = table[0]
    frame = pd.DataFrame(gaps)
    np.testing.assert_array_equal(p.drop_missing(gaps), frame.dropna())
    np.testing.assert_allclose(p.interpolate_missing(gaps), frame.interpolate(limit_direction="both"), atol=1e-9)
    zeros = SimpleImputer(strategy="constant", fill_value=0.0).fit_transform(gaps)
    np.testing.assert_array_equal(p.zero_missing(gaps), zeros)


def test_a_column_without_values_cannot_be_interpolated() -> None:
    with pytest.raises(ValueError, match="Received: 3 missing values"):
        p.interpolate_missing(np.full((3, 1), np.nan))


@given(samples=st.integers(2, 60), folds=st.integers(2, 10))
def test_folds_agree_with_scikit_learn(samples: int, folds: int) -> None:
    if folds > samples:
        return
    theirs = KFold(folds).split(np.zeros(samples))
    for (train, judged), (their_train, their_judged) in zip(p.k_fold(samples, folds=folds), theirs, strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(judged, their_judged)


@given(samples=st.integers(5, 60), seed=st.integers(0, 99))
def test_shuffled_folds_judge_every_sample_once(samples: int, seed: int) -> None:
    parts = list(p.k_fold(samples, folds=5, rng=np.random.default_rng(seed)))
    np.testing.assert_array_equal(np.sort(np.concatenate([judged for _, judged in parts])), np.arange(samples))
    for train, judged in parts:
        assert set(train) == set(range(samples)) - set(judged)


@pytest.mark.parametrize("folds", [1, 11])
def test_says_what_folds_may_be(folds: int) -> None:
    with pytest.raises(ValueError, match=rf"from 2 to .*10. Received: {folds}"):
        list(p.k_fold(10, folds=folds))


@given(samples=st.integers(4, 100), fraction=st.floats(0.1, 0.6), seed=st.integers(0, 99))
def test_holds_out_as_many_as_scikit_learn(samples: int, fraction: float, seed: int) -> None:
    train, held = p.hold_out(samples, fraction=fraction, rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(samples))
    theirs = train_test_split(np.arange(samples), test_size=fraction)
    assert (len(train), len(held)) == tuple(map(len, theirs))
