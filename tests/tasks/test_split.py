"""The split: by content, whole groups, exact fractions, whatever the order of the rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import catalogue, split

contents = st.lists(st.integers(0, 60), min_size=1, max_size=150).map(lambda numbers: np.array(numbers).astype(str))
seeds = st.integers(0, 2**32 - 1)
fractions = st.floats(0.01, 0.89)


def cut(content: np.ndarray, seed: int, validation: float = 0.25, test: float = 0.2) -> np.ndarray:
    return split.assign(content, np.full(len(content), ""), validation=validation, test=test, seed=seed)


@given(content=contents, seed=seeds, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(content: np.ndarray, seed: int, order) -> None:
    shuffled = np.array(order.sample(range(len(content)), len(content)))
    assert (cut(content, seed)[shuffled] == cut(content[shuffled], seed)).all()


@given(content=contents, seed=seeds)
def test_equal_content_is_never_parted(content: np.ndarray, seed: int) -> None:
    pairs = set(zip(content, cut(content, seed), strict=True))
    assert len(pairs) == len(set(content))


@given(count=st.integers(1, 300), seed=seeds, validation=fractions, test=fractions)
def test_fractions_are_exact_without_copies(count: int, seed: int, validation: float, test: float) -> None:
    splits = cut(np.arange(count).astype(str), seed, validation, test)
    exam = round(test * count)
    assert (splits == "test").sum() == exam
    assert (splits == "validation").sum() == round(validation * (count - exam))
    assert set(splits) <= set(split.SPLITS)


@given(content=contents, seed=seeds, test=fractions)
def test_a_split_is_too_large_by_less_than_one_group(content: np.ndarray, seed: int, test: float) -> None:
    largest = np.unique(content, return_counts=True)[1].max()
    surplus = (cut(content, seed, test=test) == "test").sum() - round(test * len(content))
    assert 0 <= surplus < largest


@given(content=contents, seed=seeds, count=st.integers(1, 12))
def test_a_group_is_never_parted_where_a_dataset_has_groups(content: np.ndarray, seed: int, count: int) -> None:
    dataset = catalogue.load().dataset("flowers").model_copy(update={"test": 0.3, "seed": seed})
    groups = np.random.default_rng(seed).integers(0, count, len(content)).astype(str)
    samples = pd.DataFrame({"split": "", "group_id": groups})
    pairs = set(zip(groups, split.of_dataset(content, samples, dataset), strict=True))
    assert len(pairs) == len(set(groups))


def test_another_seed_gives_another_split() -> None:
    content = np.arange(200).astype(str)
    assert (cut(content, 1) != cut(content, 2)).any()
    assert (cut(content, 1) == cut(content, 1)).all()


@settings(max_examples=30)
@given(official=st.lists(st.sampled_from(["train", "test"]), min_size=1, max_size=80), seed=seeds)
def test_an_official_exam_stays_as_it_is(official: list[str], seed: int) -> None:
    given_splits = np.array(official)
    content = np.arange(len(official)).astype(str)
    splits = split.assign(content, given_splits, validation=0.1, test="official", seed=seed)
    assert ((splits == "test") == (given_splits == "test")).all()
    assert (splits == "validation").sum() == round(0.1 * (given_splits == "train").sum())


def test_seventy_thousand_samples_are_cut_as_mnist_is() -> None:
    official = np.array(["train"] * 60000 + ["test"] * 10000)
    splits = split.assign(np.arange(70000).astype(str), official, validation=0.1, test="official", seed=42)
    assert {name: int((splits == name).sum()) for name in split.SPLITS} == {
        "train": 54000,
        "validation": 6000,
        "test": 10000,
    }


@pytest.mark.parametrize("change", [(0, 0, 0, 0), (1, 3, 3, 0)])
def test_one_pixel_makes_another_content(change: tuple[int, ...]) -> None:
    images = np.zeros((2, 4, 4, 1), np.uint8)
    assert len(set(split.contents(images))) == 1
    images[change] = 1
    assert len(set(split.contents(images))) == 2


def test_contents_are_the_sha256_of_the_bytes() -> None:
    image = np.arange(math.prod((2, 2, 1)), dtype=np.uint8).reshape(1, 2, 2, 1)
    assert split.contents(image)[0] == "054edec1d0211f624fed0cbca9d4f9400b0e491c43742af2c5b0abebf0c990d8"


def test_texts_of_the_same_words_are_one() -> None:
    """Whatever their order; another text keeps the digest that it has alone."""
    dataset = catalogue.load().dataset("reuters")
    table = pd.DataFrame({"text": ["One,  two.", "one two", "one three", "ONE\nTWO!"]})
    found = split.inputs(None, table, dataset)
    assert len(set(found[[0, 1, 3]])) == 1
    assert found[2] not in found[[0, 1, 3]]
    assert set(split.inputs(None, table[::-1].reset_index(drop=True), dataset)) == set(found)
    assert split.inputs(None, table[2:3].reset_index(drop=True), dataset) == found[2:3]
    generated = catalogue.load().dataset("quijote_characters")
    assert len(set(split.inputs(None, table, generated))) == 4, "characters tell them apart"
