"""YOLO's three networks: sizes as published, losses by hand, and that they bear every right answer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from models import yolo_v1, yolo_v2, yolo_v3
from models.parts import anchors, boxes, cells, matching
from models.parts.detectors import HEAD
from models.spec import Input, Spec
from tests.models.examples import build, hits, scenes

NAMES = ("yolo_v1", "yolo_v2", "yolo_v3")
SIDE, MOST = 32, 3
SPEC = Spec({"image": Input((SIDE, SIDE, 1), "uint8")}, ("grey", "bright"), boxes=MOST)
SMALL: dict[str, dict[str, Any]] = {
    "yolo_v1": {"step": 8, "filters": 8, "units": 128, "dropout": 0.0},
    "yolo_v2": {"step": 8, "smallest": 0.3, "largest": 0.45, "anchors": 2},
    "yolo_v3": {"smallest": 0.3, "largest": 0.45, "width": 4},
}
LN2 = float(np.log(2))


def samples(count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return scenes(np.random.default_rng(0), SIDE, MOST, count)


def small(name: str) -> keras.Model:
    return build(name, SPEC, learning_rate=5e-3, **SMALL[name])[0]


def unweighted(constructor: Any, **settings: Any) -> keras.Model:
    """The network without its weights' values, which take a gigabyte."""
    with keras.StatelessScope(initialize_variables=False):
        return constructor(**settings)


def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks be built without an optimizer, which needs the values of weights."""
    for module in (yolo_v1, yolo_v2, yolo_v3):
        monkeypatch.setattr(module, "compile_detector", lambda model, _: model)


def counts(model: keras.Model) -> tuple[int, int]:
    """All parameters, and the trainable ones."""
    return model.count_params(), sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def convolutions(model: keras.Model) -> list[layers.Conv2D]:
    return [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]


def test_yolo_v1_as_published() -> None:
    """Figure 3: 24 convolutions, the last map 7x7x1024, and two dense layers; the convolutions have 60,155,968."""
    model = unweighted(yolo_v1.yolo_v1)
    assert counts(model) == (271_703_550, 271_703_550)
    assert len(convolutions(model)) == 24
    assert sum(layer.count_params() for layer in convolutions(model)) == 60_155_968
    assert convolutions(model)[-1].output.shape == (None, 7, 7, 1024)
    assert model.output.shape == (None, 7 * 7, 30)
    assert len(model.get_layer(HEAD).anchors.boxes()) * model.get_layer(HEAD).guesses == 98


def test_fast_yolo_as_published() -> None:
    model = unweighted(yolo_v1.fast_yolo)
    assert counts(model) == (45_089_374, 45_089_374)
    assert [layer.filters for layer in convolutions(model)] == [16, 32, 64, 128, 256, 512, 1024, 1024, 1024]
    assert model.output.shape == (None, 7 * 7, 30)


def test_yolo_v2_as_published() -> None:
    model = unweighted(yolo_v2.yolo_v2_voc)
    assert counts(model) == (50_676_061, 50_655_389)
    assert len(convolutions(model)) == 23
    assert model.get_layer("predictor").output.shape == (None, 13, 13, 125)
    assert model.get_layer("passthrough").output.shape == (None, 13, 13, 256)
    assert model.output.shape == (None, 845, 25)


@pytest.mark.parametrize(("side", "answers"), [(320, 6_300), (416, 10_647), (608, 22_743)])
def test_yolo_v3_as_published(side: int, answers: int) -> None:
    model = unweighted(yolo_v3.yolo_v3_coco, image=(side, side))
    assert counts(model) == (62_001_757, 61_949_149)
    assert len(convolutions(model)) == 75
    assert model.output.shape == (None, answers, 85)


def test_the_whole_space_reaches_the_published_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the paper's width and depth, but for anchors."""
    uncompiled(monkeypatch)
    coco = Spec({"image": Input((64, 64, 3), "uint8")}, tuple(str(number) for number in range(80)), boxes=1)
    voc = Spec(coco.inputs, coco.classes[:20], boxes=1)
    with keras.StatelessScope(initialize_variables=False):
        assert build("yolo_v3", coco, width=32, blocks=8, scales=3)[0].count_params() == 62_001_757
        assert build("yolo_v2", voc, width=32, step=32, anchors=5)[0].count_params() == 50_676_061


def test_cells_are_folded_row_by_row() -> None:
    maps = np.arange(4 * 6 * 3, dtype=np.float32).reshape(1, 4, 6, 3)
    inputs = layers.Input((4, 6, 3))
    found = keras.Model(inputs, yolo_v2.folded(inputs)).predict(maps, verbose=0)
    assert found.shape == (1, 2, 3, 12)
    for row, column in np.ndindex(2, 3):
        np.testing.assert_array_equal(
            found[0, row, column], maps[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(-1)
        )


@pytest.mark.parametrize("name", NAMES)
def test_whole_cells_are_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=r"multiple of 16.*\(40, 32\)"):
        build(name, Spec({"image": Input((40, 32, 1), "uint8")}, ("a",), boxes=1))


def lost(head: Any, truth: list[tuple[float, ...]], labels: list[int], given: np.ndarray) -> float:
    """The loss of one image."""
    right = {"boxes": np.array([truth], np.float32), "labels": np.array([labels], np.int32)}
    return float(ops.convert_to_numpy(head.loss(right, ops.convert_to_tensor(given[np.newaxis]))))


PAIR = {"maps": ((1, 2),), "steps": ((1.0, 0.5),), "sizes": (((0.5, 0.25),),)}
"""Two cells, one beside the other, with an anchor each."""

BOX = (0.25, 0.125, 0.75, 0.375)
"""The first of these anchors."""


def test_yolo_v1_s_loss_by_hand() -> None:
    head = yolo_v1.YOLOv1Head(grid=(1, 2), classes=2, guesses=2)
    given = np.zeros((2, 12), np.float32)
    given[0, :10] = (0.5, 0.5, 0.5**0.5, 0.25**0.5, 0.75, 0.5, 0.5, 1.0, 0.25**0.5, 0.5)
    given[1, [4, 10]] = (0.2, 3.0)
    # The first guess is the box itself: 0.75 instead of 1. The second, of IoU 1/2, has nothing to be sure of.
    first, others, classes = 0.25**2, 0.5 * (0.5**2 + 0.2**2), 1.0
    assert lost(head, [BOX], [1], given) == pytest.approx(first + others + classes)
    given[0, :4] = 0.5, 0.5, 1.2, 1.2  # now of IoU 0.125 / 1.44 * 1.44 or less, so the second answers
    second = 5 * (1 - 0.5**0.5) ** 2 + (0.5 - 0.5) ** 2
    assert lost(head, [BOX], [1], given) == pytest.approx(second + 0.5 * (0.75**2 + 0.2**2) + classes, rel=1e-5)
    assert lost(head, [BOX], [-1], given) == pytest.approx(0.5 * (0.75**2 + 0.5**2 + 0.2**2), rel=1e-5)


def test_where_no_guess_overlaps_the_nearest_is_responsible() -> None:
    """Both guesses are points: one at the corner, one in the middle of the cell."""
    head = yolo_v1.YOLOv1Head(grid=(1, 2), classes=1, guesses=2)
    given = np.zeros((2, 11), np.float32)
    given[0, 5:7] = 0.5
    given[0, 10] = 1.0
    assert lost(head, [BOX], [0], given) == pytest.approx(5 * (0.5 + 0.25))


def test_yolo_v2_s_loss_by_hand() -> None:
    """Of zeros each anchor is its own answer, half sure, of either class."""
    head = yolo_v2.YOLOv2Head(layout=PAIR, classes=2)
    given = np.zeros((2, 7), np.float32)
    classes, other = LN2, 0.5**2
    assert lost(head, [BOX], [1], given) == pytest.approx(5 * 0.5**2 + classes + other)
    given[0, 2] = LN2  # twice as high: an IoU of a half, of which it is sure by a half
    assert lost(head, [BOX], [1], given) == pytest.approx((2 - 0.125) * LN2**2 + classes + other)
    given[0, 1] = np.log(3)  # three quarters of the cell instead of a half: 0.0625 of 0.3125 are in both
    wanted = (2 - 0.125) * (LN2**2 + 0.25**2) + 5 * (0.5 - 0.2) ** 2 + classes + other
    assert lost(head, [BOX], [1], given) == pytest.approx(wanted, rel=1e-5)
    assert lost(head, [BOX], [-1], given) == pytest.approx(2 * 0.5**2)


def test_yolo_v3_s_loss_by_hand() -> None:
    """Of zeros each of the questions costs the logarithm of two: two of being there, two of classes."""
    head = yolo_v3.YOLOv3Head(layout=PAIR, classes=2)
    given = np.zeros((2, 7), np.float32)
    assert lost(head, [BOX], [1], given) == pytest.approx(4 * LN2)
    given[0, :3] = np.log(3), 0.0, LN2
    centre = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)  # how far three quarters are from a half
    wanted = (2 - 0.125) * (centre + LN2**2 / 2) + 4 * LN2
    assert lost(head, [BOX], [1], given) == pytest.approx(wanted, rel=1e-5)
    assert lost(head, [BOX], [-1], given) == pytest.approx(2 * LN2)


@pytest.mark.parametrize(("head", "enough"), [(yolo_v2.YOLOv2Head, 0.6), (yolo_v3.YOLOv3Head, 0.5)])
@pytest.mark.parametrize("blamed", [True, False])
def test_good_answers_of_others_are_not_blamed(head: Any, enough: float, blamed: bool) -> None:
    """The second cell's answer stands on its left border, in the middle of the first cell's box of width 0.4."""
    box = (0.25, 0.299, 0.75, 0.699)
    width = 0.4 * (enough - 0.02 if blamed else enough + 0.02)
    answer = np.zeros((2, 6), np.float32)
    answer[1] = (0, -50, 0, np.log(width / 0.25), 3, 0)
    sure = lost(head(layout=PAIR, classes=1), [box], [0], answer)
    answer[1, 4] = -3
    unsure = lost(head(layout=PAIR, classes=1), [box], [0], answer)
    assert sure - unsure == (pytest.approx(0, abs=1e-6) if not blamed else pytest.approx(3, abs=2.2))


def right_answers(name: str, head: Any, truth: dict[str, np.ndarray]) -> np.ndarray:
    """What would be said of the boxes by one who knows them."""
    match = cells.owned(head.anchors, truth["boxes"], truth["labels"])
    owns = np.asarray(match.state)[..., np.newaxis] == matching.POSITIVE
    wanted = matching.assigned(truth["boxes"], match)
    classes = np.eye(head.classes, dtype=np.float32)[np.asarray(matching.assigned_labels(truth["labels"], match))]
    if name == "yolo_v1":
        extents = np.asarray(boxes.centred(wanted))
        inside = (extents[..., :2] - head.cells.corners) / head.cells.steps
        first = np.concatenate([inside, extents[..., 2:] ** 0.5, np.ones_like(inside[..., :1])], axis=-1)
        return np.concatenate([first, np.zeros_like(first), classes], axis=-1) * owns
    offsets = np.asarray(cells.encode(wanted, head.cells))
    inside = np.clip(offsets[..., :2], 1e-6, 1 - 1e-6)
    sure = np.where(owns, 50, -50)
    return np.concatenate([np.log(inside / (1 - inside)), offsets[..., 2:], sure, 100 * classes - 50], axis=-1)


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_have_no_loss_and_are_found_again(name: str) -> None:
    _, truth = samples(8)
    head = small(name).get_layer(HEAD)
    given = right_answers(name, head, truth).astype(np.float32)
    assert float(ops.convert_to_numpy(head.loss(truth, given))) == pytest.approx(0, abs=1e-4)
    found = {key: np.asarray(one) for key, one in head.detections(given)._asdict().items()}
    assert hits(found, truth) == 1
    assert ((found["scores"] > 0.99).sum(axis=1) == (truth["labels"] >= 0).sum(axis=1)).all()
    assert ((found["scores"] > 0.1).sum(axis=1) == (truth["labels"] >= 0).sum(axis=1)).all()


HARD = {
    "none": [],
    "on the far border": [(0.9, 0.9, 1.1, 1.1)],
    "points": [(0.5, 0.5, 0.5, 0.5), (1.0, 1.0, 1.0, 1.0)],
    "the whole image": [(0.0, 0.0, 1.0, 1.0)],
    "one twice": [(0.2, 0.2, 0.6, 0.6), (0.2, 0.2, 0.6, 0.6)],
}


@pytest.mark.parametrize("name", NAMES)
def test_no_right_answer_makes_it_lose_its_head(name: str) -> None:
    """Trained on each batch that is hard: losses and weights stay finite."""
    images, truth = samples(2)
    model = small(name)
    model.run_eagerly = True
    for some in HARD.values():
        truth = {key: np.zeros_like(one) for key, one in truth.items()}
        truth["labels"] -= 1
        truth["boxes"][0, : len(some)] = np.reshape(some, (-1, 4))
        truth["labels"][0, : len(some)] = 0
        assert np.isfinite(model.train_on_batch(images, truth))
    assert all(np.isfinite(ops.convert_to_numpy(weight)).all() for weight in model.weights)
    found = model.predict(images, verbose=0)
    assert np.isfinite(found["boxes"]).all()
    assert ((found["scores"] >= 0) & (found["scores"] <= 1)).all()


def test_published_layouts_survive_their_configuration() -> None:
    head = yolo_v3.YOLOv3Head(layout=vars(anchors.yolo_v3()), classes=80)
    again = yolo_v3.YOLOv3Head.from_config(head.get_config())
    np.testing.assert_array_equal(again.cells.corners, head.cells.corners)
