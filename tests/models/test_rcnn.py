"""R-CNN's warping, its three losses and its answers, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from keras import layers, ops

from models import rcnn
from models.parts import boxes, matching
from models.parts.second_stage import VARIANCES
from models.views.gradients import gradient
from tests.models.examples import EXAMPLES, build


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


SIDE = 300
ROWS, COLUMNS = np.indices((SIDE, SIDE), dtype=np.float32) + 1
RAMP = (ROWS + 1000 * COLUMNS)[np.newaxis, ..., np.newaxis]
"""1 to 300 from top to bottom, and in thousands from left to right; nowhere 0."""


def warped(*box: float, size: int = 227) -> np.ndarray:
    """The ramp under a box that is given in pixels."""
    return numbers(rcnn.warped(RAMP, np.array([[box]], np.float32) / SIDE, size=size))[0, 0, ..., 0]


def test_a_region_has_sixteen_pixels_of_context_at_full_size() -> None:
    """195 pixels and twice 16 are 227: nothing is scaled."""
    np.testing.assert_allclose(warped(50, 60, 245, 255), RAMP[0, 34:261, 44:271, 0], rtol=1e-5)


def test_a_region_is_warped_whatever_its_shape() -> None:
    """Half as wide, so that columns are half a pixel apart and the context is 8 wide: the first is a quarter inside."""
    found = warped(50, 60, 245, 157.5)
    assert found.shape == (227, 227)
    np.testing.assert_allclose(found[0, :3], 35 + 1000 * np.array([52.75, 53.25, 53.75]), rtol=1e-5)
    np.testing.assert_allclose(found[:3, 0], np.array([35, 36, 37]) + 52750, rtol=1e-5)


def test_the_context_is_in_proportion_in_a_small_picture() -> None:
    """The same 227 pixels in 32 rows and columns: 7.09 pixels apart, the first half of that from the context's edge."""
    middles = 227 / 32 * (np.arange(32) + 0.5)
    wanted = np.add.outer(34 + middles + 0.5, 1000 * (44 + middles + 0.5))  # a pixel of 1 has its middle at 0.5
    np.testing.assert_allclose(warped(50, 60, 245, 255, size=32), wanted, rtol=1e-5)


def test_outside_of_the_image_is_the_mean() -> None:
    found = warped(0, 105, 195, 300)
    assert not found[:16].any()
    assert not found[:, -16:].any()
    np.testing.assert_allclose(found[16:, :-16], RAMP[0, :211, 89:300, 0], rtol=1e-5)


def test_each_image_has_its_own_regions() -> None:
    images = np.concatenate([RAMP, -RAMP])
    regions = np.array([[[50, 60, 245, 255]], [[20, 30, 215, 225]]], np.float32) / SIDE
    found = numbers(rcnn.warped(images, regions, size=227))
    np.testing.assert_allclose(found[1, 0], images[1, 4:231, 14:241], rtol=1e-5)


TRUTH = {
    "boxes": np.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0, 0]]], np.float32),
    "labels": np.array([[1, 0, -1]], np.int32),
}
PROPOSED = np.array(
    [[[0, 0, 0.5, 0.35], [0, 0, 0.5, 0.275], [0, 0, 0.5, 0.2], [0, 0, 0.5, 0.1], [0.5, 0, 1, 0.4], [0, 0, 0, 0]]],
    np.float32,
)
"""They overlap the box of class 1 by 0.7, 0.55, 0.4 and 0.2, and none; the last is none."""

REGIONS = np.concatenate([PROPOSED, TRUTH["boxes"]], axis=1)


def test_what_a_region_is_to_each_machine() -> None:
    """Only true boxes are positive; what overlaps by 0.3 without being one is ignored; other classes' are negative."""
    yes, no, maybe = matching.POSITIVE, matching.NEGATIVE, matching.IGNORED
    found = numbers(rcnn.states(TRUTH, REGIONS, classes=2))[0]
    assert found[:, 1].tolist() == [maybe, maybe, maybe, no, no, no, yes, no, no]
    assert found[:, 0].tolist() == [no, no, no, no, no, no, no, yes, no]


def test_the_hinge_by_hand() -> None:
    """Of seven real regions, each class's margin short of 1; an ignored one and rows of zeros have no say."""
    margins = np.full((1, 9, 2), -1.0, np.float32)
    margins[0, [7, 6], [0, 1]] = 1.0
    assert float(numbers(rcnn.hinge_loss(TRUTH, REGIONS, margins))) == 0
    margins[0, [0, 1, 2], 1] = 50.0  # ignored
    margins[0, [5, 8]] = 50.0  # rows of zeros
    margins[0, 4] = -3.0  # beyond the margin
    assert float(numbers(rcnn.hinge_loss(TRUTH, REGIONS, margins))) == 0
    margins[0, 6, 1] = 0.25  # positive: 0.75 short
    margins[0, 3, 1] = 0.5  # negative: 1.5 short
    margins[0, 6, 0] = -0.75  # negative to the other class: 0.25 short
    assert float(numbers(rcnn.hinge_loss(TRUTH, REGIONS, margins))) == pytest.approx(2.5 / 7)


def test_the_softmax_by_hand() -> None:
    """A half is enough to be of a class: two proposals and the true box are of class 1, its own of class 0."""
    logits = 50 * np.eye(3, dtype=np.float32)[[[2, 2, 0, 0, 0, 1, 2, 1, 2]]]
    assert float(numbers(rcnn.softmax_loss(TRUTH, REGIONS, logits))) == pytest.approx(0, abs=1e-5)
    logits[0, [2, 5, 8]] = [0, 0, 50]  # one that overlaps by 0.4, and rows of zeros
    assert float(numbers(rcnn.softmax_loss(TRUTH, REGIONS, logits))) == pytest.approx(50 / 7, rel=1e-5)


def test_boxes_are_regressed_from_what_is_near_and_back() -> None:
    """Only from an overlap of 0.6 on, only by its class; wanted offsets decode to the true box."""
    wanted = boxes.encode(TRUTH["boxes"][:, :1], PROPOSED[:, :1], variances=VARIANCES)
    np.testing.assert_allclose(
        numbers(boxes.decode(wanted, PROPOSED[:, :1], variances=VARIANCES)), TRUTH["boxes"][:, :1], atol=1e-6
    )
    offsets = np.full((1, 6, 2, 4), 9.0, np.float32)
    offsets[0, 0, 1] = numbers(wanted)[0, 0]
    assert float(numbers(rcnn.offset_loss(TRUTH, PROPOSED, offsets))) == pytest.approx(0, abs=1e-9)
    offsets[0, 0, 1] += [1, 0, -2, 0]
    assert float(numbers(rcnn.offset_loss(TRUTH, PROPOSED, offsets))) == pytest.approx(5, rel=1e-5)


def test_what_is_drawn_of_the_proposals() -> None:
    """Two overlap by a half, of which a quarter of four may be; three are nothing, and fill the rest."""
    layer = head(sampled=4)
    for _ in range(5):
        drawn = numbers(layer.drawn(TRUTH, PROPOSED))[0]
        places = [np.flatnonzero((PROPOSED[0] == row).all(axis=1))[0] for row in drawn]
        assert sorted(place for place in places if place > 1) == [2, 3, 4]
        assert len(set(places)) == 4
    assert numbers(head(sampled=6).drawn(TRUTH, PROPOSED))[0].any(axis=1).sum() == 4  # a quarter of six is one


def test_the_loss_is_that_of_all_three() -> None:
    """Of what is drawn, here all, and of the true boxes; offsets are learnt from what is drawn alone."""
    layer = head(sampled=6, fraction=1.0)
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(np.float32)
    said = layer.read(images, REGIONS)
    wanted = rcnn.softmax_loss(TRUTH, REGIONS, said.logits) + rcnn.hinge_loss(TRUTH, REGIONS, said.margins)
    wanted += rcnn.offset_loss(TRUTH, PROPOSED, said.offsets[:, :6])
    nobody = TRUTH["boxes"] + np.array([[[0], [0], [1]]], np.float32) * [0, 0, 1, 1]  # the last has no label
    found = layer.loss({**TRUTH, "boxes": nobody.astype(np.float32)}, {"image": images, "proposals": PROPOSED})
    assert float(numbers(found)) == pytest.approx(float(numbers(wanted)), rel=1e-5)


def test_regressors_read_the_last_pooling_and_machines_the_last_dense_layer() -> None:
    layer = head()
    assert layer.regressors.kernel.shape == (4 * 4, 4 * 2)
    assert layer.machines.kernel.shape == (8, 2)
    assert layer.softmax.kernel.shape == (8, 3)


def head(**settings: Any) -> rcnn.Classifiers:
    """On pictures of 4x4 whose one convolution, of one cell, passes the image on."""
    pictures = layers.Input((4, 4, 1))
    network = rcnn.reading(pictures, layers.Conv2D(1, 1)(pictures), units=(8,))
    layer = rcnn.Classifiers(network=network, classes=2, **settings)
    layer.build([(None, 8, 8, 1), (None, 6, 4)])
    return layer


def test_a_region_answers_with_its_class_s_box() -> None:
    """The machine of class 1 says yes, that of class 0 no, beyond their margins; a row of zeros answers nothing."""
    layer = head()
    for part in (layer.machines, layer.regressors):
        part.kernel.assign(ops.zeros(part.kernel.shape))
    layer.machines.bias.assign([-1.5, 1])
    layer.regressors.bias.assign([9, 9, 9, 9, 1, 0, 0, 0])
    proposed = np.array([[[0.2, 0.2, 0.6, 0.6], [0, 0, 0, 0]]], np.float32)
    found = layer.detections({"image": np.ones((1, 8, 8, 1), np.float32), "proposals": proposed})
    assert numbers(found.labels)[0].tolist() == [1, -1, -1, -1]
    np.testing.assert_allclose(numbers(found.boxes)[0, 0], [0.24, 0.2, 0.64, 0.6], atol=1e-6)
    assert numbers(found.scores)[0, 0] == pytest.approx(1 / (1 + math.exp(-3)))


@pytest.mark.parametrize("at_once", [1, 5])
def test_answers_are_the_same_however_many_regions_are_read_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = EXAMPLES["scenes and proposals"]
    network, _ = build("rcnn", example.spec)
    some = {name: one[:4] for name, one in example.samples.items()}
    wanted = network.predict_on_batch(some)
    monkeypatch.setattr(rcnn, "AT_ONCE", at_once)
    other, _ = build("rcnn", example.spec)
    other.set_weights(network.get_weights())
    assert some["proposals"].shape[1] % 5
    for name, one in other.predict_on_batch(some).items():
        np.testing.assert_allclose(one, wanted[name], atol=1e-5)


@pytest.mark.parametrize(("part", "reaches"), [("logits", True), ("margins", False), ("offsets", False)])
def test_only_the_softmax_teaches_the_network(part: str, reaches: bool) -> None:
    """The image is as far behind as the network's weights; by itself its sum has a slope of 1."""
    layer = head()
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(np.float32)

    def objective(images: Any) -> Any:
        said = getattr(layer.read(images, REGIONS[:, :2]), part)
        return ops.sum(images, axis=(1, 2, 3)) + ops.sum(ops.reshape(said, (1, -1)), axis=1)

    _, slope = gradient(objective, images)
    assert bool((slope != 1).any()) is reaches
