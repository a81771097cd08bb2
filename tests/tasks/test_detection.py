"""The problem `detection`: its scores, its exam, and what a gate asks of it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from models.spec import Input, Spec
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import detection
from tests.tasks.test_average_precision import FAR, NEAR_A, A, B, records

SPEC = Spec({"image": Input((128, 128, 1), "uint8")}, ("cat", "dog"), boxes=2)
TRUTH = records([[(0, A, 0), (1, B, 0)], [], [(1, A, 0)], [(0, B, 0)]], scored=False)
GIVEN = records(
    [[(0, A, 0.9), (1, B, 0.6)], [], [(1, NEAR_A, 0.9), (0, FAR, 0.7)], [(0, B, 0.4), (0, FAR, 0.2)]], scored=True
)


def test_scores_by_hand() -> None:
    """Cats: both found, with one wrong answer between them. Dogs: both found, one of them with an IoU of 0.75."""
    found = detection.scores(TRUTH, GIVEN, SPEC)
    cats = 0.5 + 0.5 * 2 / 3
    assert found["voc_2010"] == pytest.approx((cats + 1) / 2)
    assert found["map_50"] == pytest.approx(((51 + 50 * 2 / 3) / 101 + 1) / 2)
    assert found["recall_100"] == pytest.approx((1 + (6 * 1 + 4 * 0.5) / 10) / 2)
    assert set(detection.GATES) < set(found)


def test_nothing_and_everything() -> None:
    perfect = records([[(0, A, 1.0), (1, B, 1.0)], [], [(1, A, 1.0)], [(0, B, 1.0)]], scored=True)
    assert set(detection.scores(TRUTH, perfect, SPEC).values()) == {1.0}
    nothing = records([[], [], [], []], scored=True)
    assert set(detection.scores(TRUTH, nothing, SPEC).values()) == {0.0}
    empty = records([[], [], [], []], scored=False)
    assert set(detection.scores(empty, GIVEN, SPEC).values()) == {0.0}


def test_quality_is_of_sure_answers() -> None:
    assert detection.quality(TRUTH, GIVEN, SPEC).tolist() == pytest.approx([1, 1, 2 / 3, 0])


def test_slices() -> None:
    parts = {name: rows.tolist() for name, rows in detection.slices(TRUTH, SPEC).items()}
    assert parts["class dog"] == [True, False, True, False]
    assert parts["size medium"] == [True, False, True, True]
    assert parts["no object"] == [False, True, False, False]
    assert parts["several objects"] == [True, False, False, False]
    assert "size large" not in parts


def test_usual_boxes_are_a_baseline() -> None:
    train = Split(np.zeros((4, 128, 128, 1), np.uint8), TRUTH, np.arange(4))
    (given,) = detection.baselines(train, np.zeros((3, 128, 128, 1), np.uint8), SPEC).values()
    assert len(given) == 3
    assert given["scores"][0].tolist() == [0.5, 0.5]
    np.testing.assert_allclose(given["boxes"][2, 0], (np.array(A) + B) / 2, atol=1e-6)
    detection.check(TRUTH[:3], given, SPEC)


@pytest.mark.parametrize("metric", detection.GATES)
def test_differences_are_those_of_resamples(metric: str) -> None:
    same = detection.differences(TRUTH, GIVEN, GIVEN, SPEC, metric=metric, times=150)
    assert same.tolist() == [0] * 150
    nothing = records([[], [], [], []], scored=True)
    better = detection.differences(TRUTH, GIVEN, nothing, SPEC, metric=metric, times=150)
    weights = np.random.default_rng(0).multinomial(4, np.full(4, 0.25), size=150)
    rows = np.repeat(np.arange(4), weights[7])
    assert better[7] == pytest.approx(detection.scores(TRUTH[rows], GIVEN[rows], SPEC)[metric], abs=1e-9)
    assert (better[weights[:, [0, 2, 3]].sum(axis=1) > 0] > 0).all()


def test_the_exam_has_a_row_for_each_sample_tables_and_pictures() -> None:
    images = np.random.default_rng(0).integers(0, 255, (4, 128, 128, 1), dtype=np.uint8)
    exam = detection.judge(Split(images, TRUTH, np.arange(10, 14)), GIVEN, SPEC)
    assert exam.predictions.to_dict("list") == {
        "id": [10, 11, 12, 13],
        "objects": [2, 0, 1, 1],
        "found": [2, 0, 1, 0],
        "missed": [0, 0, 0, 1],
        "false": [0, 0, 1, 0],
    }
    classes = exam.tables["classes"].set_index("class")
    assert classes.loc["cat", ["objects", "found", "missed", "false"]].tolist() == [2, 1, 1, 1]
    assert classes.loc["dog", ["objects", "found", "missed", "false"]].tolist() == [2, 2, 0, 0]
    sizes = exam.tables["sizes"].set_index("size")
    assert sizes["objects"].tolist() == [0, 4, 0]
    assert sizes.loc["medium", "recall"] == pytest.approx(0.75)
    sheet = exam.pictures["detections"]
    colours = sorted(patch.get_edgecolor()[:3] for axes in sheet.axes for patch in axes.patches)
    assert len(colours) == 4 + 4  # true boxes, and sure answers: three found and one false
    assert len(exam.pictures["precision_by_recall"].axes[0].lines) == 2


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (GIVEN[:3], "4 samples"),
        (TRUTH, "scores"),
        (records([[(0, A, 0.9)], [], [(1, (0, 0, np.nan, 1), 0.9)], []], scored=True), "sample 2"),
        (records([[(0, A, np.inf)], [], [], []], scored=True), "sample 0"),
        (records([[(2, A, 0.9)], [], [], []], scored=True), "below 2"),
    ],
)
def test_what_is_no_answer_is_refused(broken: np.ndarray, named: str) -> None:
    with pytest.raises(BadData, match=named):
        detection.scores(TRUTH, broken, SPEC)


def test_a_real_exam_is_judged_in_seconds() -> None:
    """500 samples with up to eight objects and a hundred answers each."""
    rng = np.random.default_rng(0)
    corners = rng.random((500, 100, 2)) * 0.7
    boxes = np.concatenate([corners, corners + 0.05 + rng.random((500, 100, 2)) * 0.2], axis=-1)
    given = np.zeros(500, dtype=[("boxes", "f4", (100, 4)), ("labels", "i4", (100,)), ("scores", "f4", (100,))])
    given["boxes"], given["labels"] = boxes, rng.integers(0, 2, (500, 100))
    given["scores"] = -np.sort(-rng.random((500, 100)), axis=1)
    truth = np.zeros(500, dtype=[("boxes", "f4", (8, 4)), ("labels", "i4", (8,))])
    truth["boxes"], truth["labels"] = boxes[:, :8], rng.integers(-1, 2, (500, 8))
    began = time.monotonic()
    detection.scores(truth, given, SPEC)
    detection.differences(truth, given, given[::-1], SPEC, metric="map_50", times=200)
    assert time.monotonic() - began < 30
