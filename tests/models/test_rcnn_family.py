"""The networks that look at regions: published counts, and small cases by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models import fast_rcnn, faster_rcnn, rcnn, ssd
from models.parts import anchors, boxes, matching
from models.parts.second_stage import VARIANCES, Drawn, Regions, region_loss
from models.spec import Input, Spec
from tests.models.examples import build, scenes

SIDE, MOST, CLASSES = 64, 3, ("grey", "bright")
SPEC = Spec({"image": Input((SIDE, SIDE, 1), "uint8")}, CLASSES, boxes=MOST)


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def samples(count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return scenes(np.random.default_rng(0), SIDE, MOST, count)


def faster(**values: Any) -> keras.Model:
    small = {"width": 0.0625, "units": 64, "smallest": 0.25, "largest": 0.4, "proposals": 60, "learning_rate": 3e-3}
    return build("faster_rcnn", SPEC, **{**small, **values})[0]


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (fast_rcnn.fast_rcnn, 134_690_729),
        (faster_rcnn.faster_rcnn_vgg16, 137_078_239),
        (faster_rcnn.faster_rcnn_zf, 59_294_751),
        (rcnn.rcnn_alexnet, 60_965_224 - 4097 * 1000 + 4097 * 21 + 4097 * 20 + 9217 * 80),
        (ssd.ssd300, 26_285_486),
        (ssd.ssd512, 27_188_676),
    ],
)
def test_published_counts(network: Any, parameters: int) -> None:
    """No weight gets memory in that scope.

    R-CNN is AlexNet less its classifier; a softmax and an SVM for each class read 4096 features and a 1, and regressors
    of four offsets read the 9216 values of the last pooling.
    """
    with keras.StatelessScope(initialize_variables=False):
        assert network().count_params() == parameters


LAYOUT = anchors.Anchors(maps=((4, 4),), steps=((0.25, 0.25),), sizes=(((0.5, 0.5), (0.25, 0.25)),))


def proposals(layout: anchors.Anchors = LAYOUT, **settings: Any) -> faster_rcnn.Proposals:
    head = faster_rcnn.Proposals(layout=vars(layout), regions={"classes": 2, "units": (8, 8), "size": 2}, **settings)
    head.build([(None, 4, 4, 3), (None, 4, 4, 4), (None, 4, 4, 8)])
    return head


def test_anchors_that_cross_the_border_take_no_part() -> None:
    """Of 4x4 cells, squares of two cells around a cell's centre lie inside in the inner four, those of one in all."""
    inner = {2 * (4 * row + column) for row in (1, 2) for column in (1, 2)}
    assert set(proposals().inside) == inner | set(range(1, 32, 2))


def test_anchors_that_cross_the_border_have_no_gradient() -> None:
    head, given = proposals(), silence()
    loud = given["objectness"].copy()
    outside = np.setdiff1d(np.arange(32), head.inside)
    loud[:, outside] += [[100.0, -100.0]]
    truth = {"boxes": np.array([[[0, 0, 0.25, 0.25]]], np.float32), "labels": np.array([[0]], np.int32)}
    one, other = (
        float(numbers(head.proposal_loss(truth, {**given, "objectness": logits})))
        for logits in (given["objectness"], loud)
    )
    assert one == pytest.approx(other) == pytest.approx(np.log(2), abs=1e-5)


def silence(count: int = 1) -> dict[str, np.ndarray]:
    """What two features of a map and undecided anchors say."""
    return {
        "map": np.ones((count, 4, 4, 3), np.float32),
        "objectness": np.zeros((count, 32, 2), np.float32),
        "offsets": np.zeros((count, 32, 4), np.float32),
    }


def test_a_layout_without_an_anchor_inside_is_refused() -> None:
    large = anchors.Anchors(maps=((2, 2),), steps=((0.5, 0.5),), sizes=(((1.5, 1.5),),))
    with pytest.raises(ValueError, match=r"lie in the image. Received: the smallest is \[1.5 1.5\]"):
        proposals(large)


def test_half_of_the_anchors_drawn_are_positive_at_most() -> None:
    """All four positive ones say nothing and all else is right: with 4 drawn two are wrong, with 100 four of 20."""
    inner = [10, 12, 18, 20]
    truth = {"boxes": LAYOUT.boxes()[np.newaxis, inner], "labels": np.zeros((1, 4), np.int32)}
    given = silence()
    given["objectness"][..., 0] = 40
    for sampled, wanted in ((4, 40 * 2 / 4), (8, 40 * 4 / 8)):
        loss = float(numbers(proposals(sampled=sampled).proposal_loss(truth, given)))
        assert loss == pytest.approx(wanted, rel=1e-4)


def test_right_proposals_have_no_loss() -> None:
    head = proposals()
    truth = {"boxes": np.array([[[0.3, 0.2, 0.7, 0.8]]], np.float32), "labels": np.array([[1]], np.int32)}
    own = head.anchors
    match = matching.match_every(own[head.inside], truth["boxes"], truth["labels"], positive=0.7, negative=0.3)
    given = silence()
    given["objectness"][..., 0] = 50
    positive = head.inside[numbers(match.state)[0] == matching.POSITIVE]
    assert len(positive) == 1
    given["objectness"][0, positive] = [0, 50]
    given["offsets"] = numbers(boxes.encode(np.broadcast_to(truth["boxes"], (1, 32, 4)), own))
    assert float(numbers(head.proposal_loss(truth, given))) == pytest.approx(0, abs=1e-5)
    given["offsets"][0, positive] += 1.0  # off by 1 in each of four: 1 - 1 / 18
    drawn = 1 + int((numbers(match.state) == matching.NEGATIVE).sum())
    assert float(numbers(head.proposal_loss(truth, given))) == pytest.approx(4 * (1 - 1 / 18) / drawn, rel=1e-4)


def test_what_is_proposed() -> None:
    """The surest first; neither what is smaller than a cell nor what overlaps a surer one; zeros for the rest."""
    head, given = proposals(), silence()
    given["objectness"][..., 0] = 50
    own = head.anchors
    wanted = np.array([[0.25, 0.25, 0.75, 0.75], [0.25, 0.27, 0.75, 0.77], [0, 0, 0.2, 0.9], [0.5, 0, 1.2, 0.5]])
    given["offsets"][0, :4] = numbers(boxes.encode(wanted.astype(np.float32), own[:4]))
    given["objectness"][0, :4] = [[0, 3], [0, 4], [0, 5], [0, 2]]
    found = numbers(head.proposed(given, most=3))
    assert found.shape == (1, 3, 4)
    np.testing.assert_allclose(found[0, :2], [wanted[1], [0.5, 0, 1, 0.5]], atol=1e-6)
    few = numbers(proposals(tiny=2.5).proposed(silence(), most=3))
    np.testing.assert_array_equal(few, np.zeros((1, 3, 4)))


def second(**settings: Any) -> Regions:
    layer = Regions(classes=2, units=(8, 8), size=2, **settings)
    layer.build([(None, 4, 4, 3), (None, 6, 4)])
    return layer


BOX = np.array([[[0, 0, 0.5, 0.5], [0, 0, 0, 0]]], np.float32)
TRUTH = {"boxes": BOX, "labels": np.array([[1, -1]], np.int32)}
PROPOSED = np.array(
    [[[0, 0, 0.5, 0.3], [0, 0, 0.5, 0.2], [0, 0, 0.5, 0.02], [0.6, 0.6, 0.9, 0.9], [0, 0, 0, 0]]], np.float32
)
"""They overlap the one box by 0.6, 0.4, 0.04 and 0; the last is none."""


@pytest.mark.parametrize(("least", "wanted"), [(0.0, [1, 0, 0, 0, -1, 1, -1]), (0.1, [1, 0, -1, -1, -1, 1, -1])])
def test_which_regions_are_learnt_from(least: float, wanted: list[int]) -> None:
    """Those that overlap by a half, and the true box itself; nothing from 0, or from `least` on."""
    regions = np.concatenate([PROPOSED, BOX], axis=1)
    np.testing.assert_array_equal(numbers(second(least=least).matched(TRUTH, regions).state)[0], wanted)


@pytest.mark.parametrize(("sampled", "positives", "real"), [(4, 1, 4), (7, 1, 4), (8, 2, 5)])
def test_a_quarter_of_the_regions_is_positive_at_most(sampled: int, positives: int, real: int) -> None:
    """There are 2 positive and 3 negative ones among 7."""
    drawn = Drawn(*map(numbers, second(sampled=sampled).drawn(TRUTH, PROPOSED)))
    assert drawn.boxes.shape == (1, min(sampled, 7), 4)
    assert drawn.real.sum() == real
    assert ((drawn.labels > 0) & drawn.real).sum() == positives
    assert set(drawn.labels[drawn.labels > 0]) == {2}
    np.testing.assert_allclose(
        numbers(boxes.decode(drawn.wanted, drawn.boxes, variances=VARIANCES))[drawn.real & (drawn.labels > 0)],
        np.tile(BOX[0, 0], (positives, 1)),
        atol=1e-6,
    )


def test_the_loss_of_regions_by_hand() -> None:
    """Three drawn, one of them positive; a fourth is not: only the true class's offsets count, by three."""
    drawn = Drawn(
        boxes=np.zeros((1, 4, 4), np.float32),
        labels=np.array([[2, 0, 0, 1]], np.int32),
        wanted=np.full((1, 4, 4), 2.0, np.float32),
        real=np.array([[True, True, True, False]]),
    )
    logits = 50.0 * np.eye(3, dtype=np.float32)[drawn.labels]
    offsets = np.zeros((1, 4, 3, 4), np.float32)
    offsets[:, :, 2] = 2.0
    assert float(numbers(region_loss(drawn, logits, offsets))) == pytest.approx(0, abs=1e-5)
    offsets[0, 0, 2, 1] = 5.0  # 3 too much: 2.5
    assert float(numbers(region_loss(drawn, logits, offsets))) == pytest.approx(2.5 / 3, rel=1e-5)
    logits[0, 1] = [0, 0, 50]
    assert float(numbers(region_loss(drawn, logits, offsets))) == pytest.approx(52.5 / 3, rel=1e-5)


def test_a_region_answers_with_its_class_s_box() -> None:
    """Sure of class 1, whose offsets move it by a tenth of its height; a row of zeros answers nothing."""
    layer = second(score=0.3)
    proposed = np.array([[[0.2, 0.2, 0.6, 0.6], [0, 0, 0, 0]]], np.float32)
    for part in (layer.logits, layer.offsets):
        part.kernel.assign(ops.zeros(part.kernel.shape))
    layer.logits.bias.assign([0, -50, 50])
    layer.offsets.bias.assign([*[9] * 8, 1, 0, 0, 0])
    found = layer.detections({"map": np.ones((1, 4, 4, 3), np.float32), "proposals": proposed})
    assert numbers(found.labels)[0].tolist()[:2] == [1, -1]
    np.testing.assert_allclose(numbers(found.boxes)[0, 0], [0.24, 0.2, 0.64, 0.6], atol=1e-6)
    assert numbers(found.scores)[0, 0] == pytest.approx(1)


PLACES = 40
PROPOSING = Spec({**SPEC.inputs, "proposals": Input((PLACES, 4), "float32")}, CLASSES, boxes=MOST)
SMALL = {"width": 0.0625, "units": 64, "learning_rate": 3e-3}


def proposed(truth: dict[str, np.ndarray]) -> np.ndarray:
    """Each true box moved by up to 3 pixels a side, squares anywhere, and ten rows of nothing."""
    rng = np.random.default_rng(1)
    near = truth["boxes"] + rng.uniform(-3, 3, truth["boxes"].shape) / SIDE
    near = np.where(truth["labels"][..., np.newaxis] >= 0, np.clip(near, 0, 1), 0)
    corners = rng.uniform(0, 0.7, (len(near), PLACES - MOST - 10, 2))
    anywhere = np.concatenate([corners, corners + 0.3], axis=-1)
    return np.concatenate([near, anywhere, np.zeros((len(near), 10, 4))], axis=1).astype(np.float32)


def test_fast_rcnn_answers_nothing_where_nothing_is_proposed() -> None:
    """Whatever the image, and though it answers something where there are proposals."""
    images, truth = samples(16)
    model = build("fast_rcnn", PROPOSING, **SMALL)[0]
    some = proposed(truth)
    assert (model.predict({"image": images, "proposals": some}, verbose=0)["labels"] >= 0).any()
    nothing = model.predict({"image": images, "proposals": np.zeros_like(some)}, verbose=0)
    assert (nothing["labels"] == -1).all()
    assert not nothing["scores"].any()


BUILT: dict[str, Callable[[], keras.Model]] = {
    "faster": faster,
    "fast": lambda: build("fast_rcnn", PROPOSING, **SMALL)[0],
    "rcnn": lambda: build("rcnn", PROPOSING, units=64, filters=8)[0],
}


@pytest.mark.parametrize("architecture", list(BUILT))
def test_a_batch_without_boxes_has_a_finite_loss(architecture: str) -> None:
    images, truth = samples(4)
    truth = {"boxes": np.zeros_like(truth["boxes"]), "labels": np.full_like(truth["labels"], -1)}
    boxed = {"image": images, "proposals": proposed(truth)}
    model, fed = BUILT[architecture](), images if architecture == "faster" else boxed
    model.run_eagerly = True  # sooner than it is compiled
    assert np.isfinite(model.train_on_batch(fed, truth))
    assert all(np.isfinite(numbers(weight)).all() for weight in model.trainable_weights)


def test_says_what_it_takes() -> None:
    for architecture in ("fast_rcnn", "rcnn"):
        with pytest.raises(ValueError, match=r"takes image and proposals\. Received: image"):
            build(architecture, SPEC)
    with pytest.raises(ValueError, match=r"takes image\. Received: image, proposals"):
        build("faster_rcnn", PROPOSING)
