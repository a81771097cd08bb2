"""Average precision by hand, and against pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from models.spec import Input, Spec
from tasks.problems import detection
from tasks.problems.boxes import average_precision
from tasks.problems.boxes.average_precision import COCO

Object = tuple[int, tuple[float, ...], float]
A, B = (0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)
NEAR_A = (0.0, 0.0, 0.4, 0.3)  # IoU 0.75 with A
FAR = (0.0, 0.6, 0.2, 0.8)


def records(samples: list[list[Object]], *, scored: bool) -> np.ndarray:
    """Objects (label, box, score) of each sample, padded."""
    most = max(1, *map(len, samples))
    fields = [("boxes", "f4", (most, 4)), ("labels", "i4", (most,))] + [("scores", "f4", (most,))] * scored
    made = np.zeros(len(samples), dtype=fields)
    made["labels"] = -1
    for row, sample in enumerate(samples):
        for place, (label, box, score) in enumerate(sample):
            made[row]["boxes"][place], made[row]["labels"][place] = box, label
            if scored:
                made[row]["scores"][place] = score
    return made


def value(truth: list[list[Object]], answers: list[list[Object]], metric: str, classes: int = 1) -> float:
    pair = records(truth, scored=False), records(answers, scored=True)
    each = average_precision.ranked(*pair, classes, average_precision.levels(metric))
    return float(average_precision.mean(each, metric, np.ones((1, len(truth))))[0])


@pytest.mark.parametrize(
    ("answers", "area", "eleven"),
    [
        ([(0, A, 0.9), (0, B, 0.8)], 1.0, 1.0),
        ([(0, A, 0.9)], 0.5, 6 / 11),
        ([(0, FAR, 0.9), (0, A, 0.8), (0, B, 0.7)], 2 / 3, 2 / 3),
        ([(0, A, 0.9), (0, FAR, 0.8), (0, B, 0.7)], 0.5 + 0.5 * 2 / 3, (6 + 5 * 2 / 3) / 11),
        ([(0, A, 0.9), (0, NEAR_A, 0.8), (0, B, 0.7)], 0.5 + 0.5 * 2 / 3, (6 + 5 * 2 / 3) / 11),
        ([(0, FAR, 0.9)], 0.0, 0.0),
        ([], 0.0, 0.0),
    ],
)
def test_it_is_what_a_hand_finds(answers: list[Object], area: float, eleven: float) -> None:
    """Two true boxes: nothing, one, both, and what is wrong before or between them; a second answer is wrong."""
    truth = [[(0, A, 0), (0, B, 0)]]
    assert value(truth, [answers], "voc_2010") == pytest.approx(area)
    assert value(truth, [answers], "voc_2007") == pytest.approx(eleven)


def test_the_mean_is_over_overlaps() -> None:
    """An IoU of 0.75 is enough at 0.50, 0.55 to 0.75: six of ten."""
    assert value([[(0, A, 0)]], [[(0, NEAR_A, 0.9)]], "map") == pytest.approx(0.6)


def test_a_class_without_true_boxes_does_not_count_and_answers_of_another_class_find_nothing() -> None:
    assert value([[(0, A, 0)]], [[(0, A, 0.9), (1, B, 0.9)]], "map_50", classes=3) == 1
    assert value([[(0, A, 0), (1, B, 0)]], [[(0, A, 0.9), (0, B, 0.8)]], "map_50", classes=2) == pytest.approx(0.5)
    assert value([[]], [[(0, A, 0.9)]], "map_50") == 0


boxes = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 8)] * 2).map(
    lambda one: (one[0] / 20, one[1] / 20, (one[0] + one[2]) / 20, (one[1] + one[3]) / 20)
)
labels = st.integers(0, 2)


@drawn(
    st.lists(
        st.tuples(
            st.lists(st.tuples(labels, boxes, st.just(0.0)), max_size=5),
            st.lists(
                st.tuples(labels, boxes, st.floats(0.0625, 1, width=32)), max_size=8, unique_by=lambda one: one[2]
            ),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=60, deadline=None)
def test_it_is_what_pycocotools_finds(samples: list[tuple[list[Object], list[Object]]]) -> None:
    truth = records([one for one, _ in samples], scored=False)
    answers = records([sorted(other, key=lambda one: -one[2]) for _, other in samples], scored=True)
    spec = Spec({"image": Input((128, 96, 1), "uint8")}, tuple("abc"), boxes=5)
    wanted = detection.coco(truth, answers, spec)
    once = np.ones((1, len(truth)))
    for metric in ("map", "map_50"):
        each = detection.ranked(truth, answers, spec, metric)
        assert average_precision.mean(each, metric, once)[0] == pytest.approx(wanted[metric], abs=1e-6)


def test_a_weight_of_two_is_the_sample_twice() -> None:
    rng = np.random.default_rng(0)
    truth = [[(int(rng.integers(2)), A, 0.0), (int(rng.integers(2)), B, 0.0)] for _ in range(6)]
    answers = [[(int(rng.integers(2)), A, 0.9 - row / 50), (0, B, 0.5 + row / 50)] for row in range(6)]
    weights = np.array([[2, 0, 1, 1, 3, 0]])
    twice = [row for row, count in enumerate(weights[0]) for _ in range(count)]
    again = [[truth[row] for row in twice], [answers[row] for row in twice]]
    for metric in average_precision.POINTS:
        each = average_precision.ranked(
            records(truth, scored=False), records(answers, scored=True), 2, average_precision.levels(metric)
        )
        weighted = float(average_precision.mean(each, metric, weights.astype(float))[0])
        assert weighted == pytest.approx(value(*again, metric, classes=2), abs=1e-9)


def test_each_true_box_is_found_once_by_the_surest_and_the_next_takes_what_is_left() -> None:
    truth = records([[(0, A, 0), (0, NEAR_A, 0)]], scored=False)
    answers = records([[(0, A, 0.9), (0, A, 0.8), (0, A, 0.7)]], scored=True)
    assert average_precision.found(truth, answers, COCO[[0, 6]]).tolist() == [[[0, 1, -1]], [[0, -1, -1]]]
