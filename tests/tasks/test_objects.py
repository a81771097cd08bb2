"""Boxes as texts, and how far answers of boxes are from others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spec import Input, Spec
from tasks import objects
from tasks.errors import BadData

SPEC = Spec({"image": Input((8, 8, 1), "uint8")}, ("cat", "dog"), boxes=3)


def answers(*samples: list[tuple[int, list[float], float]]) -> np.ndarray:
    most = max(1, *map(len, samples))
    made = np.zeros(
        len(samples), dtype=[("boxes", "f4", (most, 4)), ("labels", "i4", (most,)), ("scores", "f4", (most,))]
    )
    made["labels"] = -1
    for row, sample in enumerate(samples):
        for place, (label, box, score) in enumerate(sample):
            made[row]["labels"][place], made[row]["boxes"][place], made[row]["scores"][place] = label, box, score
    return made


BOX, OTHER = [0.1, 0.2, 0.5, 0.6], [0.5, 0.5, 1.0, 1.0]


def test_a_text_says_what_is_sure() -> None:
    given = answers([(1, BOX, 0.9), (0, OTHER, 0.01)], [])
    assert objects.texts(given, SPEC) == ['[{"label": "dog", "box": [0.1, 0.2, 0.5, 0.6], "score": 0.9}]', "[]"]


def test_right_answers_have_no_scores() -> None:
    truth = answers([(0, OTHER, 0.0)])[["boxes", "labels"]]
    assert objects.texts(truth, SPEC) == ['[{"label": "cat", "box": [0.5, 0.5, 1.0, 1.0]}]']
    assert objects.packed(objects.texts(truth, SPEC), SPEC)["scores"].tolist() == [[1.0]]


edges = st.floats(0, 0.5).map(lambda low: (round(low, 3), round(low + 0.4, 3)))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 1), st.tuples(edges, edges), st.floats(0.0625, 1, width=32)), max_size=4),
        min_size=1,
        max_size=4,
    )
)
def test_texts_give_back_what_they_were_made_of(samples: Any) -> None:
    made = answers(*[[(label, [y[0], x[0], y[1], x[1]], score) for label, (y, x), score in one] for one in samples])
    again = objects.packed(objects.texts(made, SPEC), SPEC)
    np.testing.assert_array_equal(again["labels"], made["labels"])
    for name in ("boxes", "scores"):
        np.testing.assert_allclose(again[name], made[name], atol=1e-5)
    assert objects.apart(again, made) <= 1e-5


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nothing", "JSON list"),
        ('{"label": "cat"}', "JSON list"),
        ('["cat"]', "`label`"),
        ('[{"label": "cow", "box": [0, 0, 1, 1]}]', "cow"),
        ('[{"label": "cat", "box": [0, 0, 1]}]', "`box`"),
        ('[{"label": "cat", "box": [0.5, 0, 0.5, 1]}]', "`box`"),
        ('[{"label": "cat", "box": [0.6, 0, 0.5, 1]}]', "`box`"),
        ('[{"label": "cat", "box": [0, 0, 1, 1.01]}]', "`box`"),
        ('[{"label": "cat", "box": [0, NaN, 1, 1]}]', "`box`"),
        ('[{"label": "cat", "box": [0, 0, 64, 64]}]', "`box`"),
        ('[{"label": "cat", "box": [0, 0, 1, 1], "score": 2}]', "`score`"),
        (None, "JSON list"),
    ],
)
def test_what_is_no_object_is_refused_with_its_row(text: Any, named: str) -> None:
    with pytest.raises(BadData, match=named) as refused:
        objects.packed(["[]", text], SPEC)
    assert "row 1" in str(refused.value)


def test_order_and_faint_answers_are_of_no_matter() -> None:
    one = answers([(0, BOX, 0.9), (1, OTHER, 0.8), (1, BOX, 0.03)])
    other = answers([(1, OTHER, 0.8), (0, BOX, 0.9), (-1, [0] * 4, 0)])
    assert objects.apart(one, other) == 0


@pytest.mark.parametrize(
    ("changed", "distance"),
    [
        ((0, BOX, 0.7), 0.2),
        ((0, [0.1, 0.2, 0.5, 0.9], 0.9), 0.3),
        ((1, BOX, 0.9), 1.0),
        ((-1, [0.0] * 4, 0.0), 1.0),
    ],
)
def test_what_is_another_answer_is_far(changed: Any, distance: float) -> None:
    one, other = answers([(0, BOX, 0.9)]), answers([changed])
    assert objects.apart(one, other) == pytest.approx(distance, abs=1e-6)
    assert objects.apart(other, one) == pytest.approx(distance, abs=1e-6)


def test_what_is_no_number_is_no_distance() -> None:
    one, broken = answers([(0, BOX, 0.9)]), answers([(0, BOX, np.nan)])
    assert np.isnan(objects.apart(broken, one))


def test_other_answers_are_compared_as_they_were() -> None:
    assert objects.apart(np.array([[1.0, 2.0]]), np.array([[1.0, 2.5]])) == pytest.approx(0.2)
