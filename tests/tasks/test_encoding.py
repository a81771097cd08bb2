"""Encoding: words, categories and ranges, against hand-computed ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.feature_extraction.text import CountVectorizer

from models.spec import Input
from tasks import encoding
from tasks.catalogue import Dataset, Words
from tasks.errors import BadData

HOUSES = Dataset.model_validate(
    {
        "source": "houses",
        "problem": "regression",
        "numbers": {"rooms": [1, 20]},
        "categories": {"zip": ["b", "a"]},
        "words": {"vocabulary": 5, "length": 3},
        "answer": {"price": [1, 1000]},
        "validation": 0.2,
        "test": 0.2,
        "seed": 0,
    }
)
TABLE = pd.DataFrame(
    {
        "rooms": [2.0, 5.0, 9.0],
        "zip": ["a", "b", "a"],
        "text": ["Big, BIG house", "a house by a lake", ""],
        "price": [10.0, 30.0, 500.0],
    }
)


def test_words_are_runs_of_letters_and_digits() -> None:
    assert encoding.words("Un rincón: 3rd-rate, no?") == ["un", "rincón", "3rd", "rate", "no"]


def test_the_most_frequent_words_come_first_and_equals_by_the_alphabet() -> None:
    assert encoding.learn_vocabulary(["b a c", "c b d", "c"], Words(vocabulary=5, length=1)) == ["c", "b", "a"]


def test_words_become_numbers_cut_and_filled() -> None:
    found = encoding.numbered(["c b x c", "b", ""], ["c", "b"], Words(vocabulary=5, length=3))
    assert found.tolist() == [[2, 3, 1], [3, 0, 0], [0, 0, 0]]
    assert found.dtype == np.int32


PAIRS = Words(vocabulary=6, length=4, ngrams=[1, 2])


def test_ngrams_go_place_by_place() -> None:
    assert encoding.ngrams("A b, c", PAIRS) == ["a", "a b", "b", "b c", "c"]
    assert encoding.ngrams("a b c d", PAIRS.model_copy(update={"ngrams": [3, 3]})) == ["a b c", "b c d"]
    assert encoding.ngrams("a", PAIRS.model_copy(update={"ngrams": [2, 2]})) == []


def test_ngrams_become_numbers_cut_and_filled() -> None:
    vocabulary = encoding.learn_vocabulary(["a b c", "a b", "b"], PAIRS)
    assert vocabulary == ["b", "a", "a b", "b c"]
    assert encoding.numbered(["a b c", "c b", ""], vocabulary, PAIRS).tolist() == [[3, 4, 2, 5], [1, 1, 2, 0], [0] * 4]


@given(st.lists(st.sampled_from(["a", "bb", "c3"]), max_size=8), st.sampled_from([(1, 1), (1, 2), (2, 3)]))
def test_ngrams_are_those_of_scikit_learn(row: list[str], sizes: tuple[int, int]) -> None:
    analyser = CountVectorizer(token_pattern=r"[^\W_]+", ngram_range=sizes).build_analyzer()  # noqa: S106, no password
    theirs = analyser(" ".join(row))
    assert sorted(encoding.ngrams(" ".join(row), PAIRS.model_copy(update={"ngrams": list(sizes)}))) == sorted(theirs)


@pytest.mark.parametrize("sizes", [[2, 1], [0, 1], [1]])
def test_sizes_of_ngrams_rise(sizes: list[int]) -> None:
    with pytest.raises(ValidationError, match="ngrams"):
        Words(vocabulary=5, length=3, ngrams=sizes)


def test_a_sample_of_several_inputs_is_a_record() -> None:
    found = encoding.samples(None, TABLE, HOUSES, ["big", "a", "house"])
    assert found.dtype.names == ("numbers", "categories", "words")
    assert found["numbers"].tolist() == [[2], [5], [9]]
    assert found["categories"].tolist() == [[1], [0], [1]]
    assert found["words"].tolist() == [[2, 2, 4], [3, 4, 1], [0, 0, 0]]
    assert encoding.answers(TABLE, HOUSES).tolist() == [10, 30, 500]


def test_proposals_are_an_input_beside_the_image() -> None:
    scenes = CELLS.model_copy(
        update={"image": [2, 2, 1], "proposals": 3, "numbers": {}, "categories": {}, "words": None}
    )
    images, proposed = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1), np.arange(36, dtype=np.float32)
    found = encoding.samples(images, TABLE, scenes, [], proposed.reshape(3, 3, 4))
    assert found.dtype == [("image", "u1", (2, 2, 1)), ("proposals", "f4", (3, 4))]
    assert (found["image"] == images).all()
    assert found["proposals"].ravel().tolist() == list(range(36))
    assert encoding.spec(scenes).inputs == {"image": Input((2, 2, 1), "uint8"), "proposals": Input((3, 4), "float32")}
    assert set(encoding.spec(scenes.model_copy(update={"proposals": 0})).inputs) == {"image"}


def test_ranges_are_those_of_the_training_samples() -> None:
    spec = encoding.spec(HOUSES, TABLE[:2])
    assert (spec.inputs["numbers"].lowest, spec.inputs["numbers"].highest) == ((2.0,), (5.0,))
    assert spec.inputs["categories"].sizes == (2,)
    assert spec.inputs["words"].sizes == (5,)
    assert (spec.amount.lowest, spec.amount.mean, spec.amount.highest) == (10, 20, 30)
    assert encoding.spec(HOUSES).inputs["numbers"].highest == (20.0,)


def test_an_unknown_category_is_named() -> None:
    with pytest.raises(BadData, match=r"column `zip` must be among the 2 known texts. Received: row 1: 'z'"):
        encoding.numbers_of(pd.Series(["a", "z"], name="zip"), ["b", "a"])


def test_two_answers_are_a_record() -> None:
    books = HOUSES.model_copy(update={"problem": "joint", "classes": ["x", "y"]})
    found = encoding.answers(TABLE.assign(label=["y", "x", "y"]), books)
    assert found["label"].tolist() == [1, 0, 1]
    assert found["price"].tolist() == [10, 30, 500]


CELLS = HOUSES.model_copy(update={"problem": "detection", "classes": ["cat", "dog"], "boxes": 2, "answer": None})


def marked(*boxes: tuple[int, str, float]) -> pd.DataFrame:
    """Boxes by sample, label and upper edge."""
    table = pd.DataFrame(list(boxes), columns=["sample", "label", "y1"])
    return table.astype({"sample": "int64", "y1": "float32"}).assign(x1=0.25, y2=1.0, x2=0.75)


def test_boxes_are_filled_up_to_as_many_as_there_may_be() -> None:
    found = encoding.answers(TABLE, CELLS, marked((0, "dog", 0.5), (2, "cat", 0.125), (0, "cat", 0.25)))
    assert found.dtype == [("boxes", "f4", (2, 4)), ("labels", "i4", (2,))]
    assert found["labels"].tolist() == [[1, 0], [-1, -1], [0, -1]]
    nothing = [0, 0, 0, 0]
    assert found["boxes"].tolist() == [
        [[0.5, 0.25, 1, 0.75], [0.25, 0.25, 1, 0.75]],
        [nothing, nothing],
        [[0.125, 0.25, 1, 0.75], nothing],
    ]
    assert encoding.spec(CELLS).boxes == 2
    assert encoding.spec(HOUSES).boxes == 0


def test_samples_without_a_box_are_answers_too() -> None:
    assert (encoding.answers(TABLE, CELLS, marked())["labels"] == -1).all()


@pytest.mark.parametrize(
    ("boxes", "named"),
    [
        ([(0, "dog", 0), (2, "dog", 0), (2, "cow", 0)], "one of 2 classes. Received: row 2: box 1: 'cow'"),
        ([(1, None, 0)], "row 1: box 0: None"),
        ([(0, "dog", 0), *[(1, "dog", 0)] * 3], "at most 2 boxes. Received: row 1: 3 boxes"),
    ],
)
def test_boxes_that_are_no_answers_are_named(boxes: list[tuple[int, str, float]], named: str) -> None:
    with pytest.raises(BadData, match=named):
        encoding.answers(TABLE, CELLS, marked(*boxes))


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["cat", "dog"]), st.floats(0, 0.5, width=32)), max_size=9))
def test_every_box_is_in_its_sample_once_and_in_order(boxes: list[tuple[int, str, float]]) -> None:
    found = encoding.truths(marked(*boxes), 6, CELLS.model_copy(update={"boxes": 9}))
    for row, answer in enumerate(found):
        wanted = [(label, edge) for sample, label, edge in boxes if sample == row]
        assert (answer["labels"] >= 0).tolist() == [place < len(wanted) for place in range(9)]
        assert [("cat", "dog")[label] for label in answer["labels"][: len(wanted)]] == [label for label, _ in wanted]
        assert answer["boxes"][: len(wanted), 0].tolist() == [edge for _, edge in wanted]
