"""The parts of detectors against torchvision's, on seeded random cases: `make oracle`, on Keras's torch backend.

Ordinary runs do not collect it: torchvision is in an environment of its own. There boxes are (x1, y1, x2, y2) in pixels
and maps (B, D, h, w). Where its rules differ from ours the test's docstring says how. What is chosen must be equal,
what is computed within 1e-6 for boxes of the image, 2e-5 for means of maps, and 1e-4 of the value for offsets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from keras import ops
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

from models.parts import anchors, boxes, losses, matching, regions, suppression

CASES = 300


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def turned(some: Any) -> torch.Tensor:
    """Ours as theirs, and back: x and y change places."""
    return torch.as_tensor(np.asarray(some)[..., [1, 0, 3, 2]].copy())


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Boxes of every size in the image, (..., 4)."""
    ends = np.sort(rng.uniform(0, 1, (*shape, 2, 2)), axis=-2)
    return ends.reshape(*shape, 4).astype(np.float32)


def crowded(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Boxes that overlap much: few centres, sizes of one magnitude."""
    centres = rng.choice([0.3, 0.5, 0.7], (*shape, 2)) + rng.normal(0, 0.03, (*shape, 2))
    sizes = rng.uniform(0.15, 0.35, (*shape, 2))
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1).astype(np.float32)


def test_overlaps() -> None:
    rng = np.random.default_rng(0)
    first, second = drawn(rng, CASES, 9), drawn(rng, CASES, 7)
    found = numbers(boxes.overlaps(first, second))
    for one, other, answer in zip(first, second, found, strict=True):
        np.testing.assert_allclose(answer, torchvision.ops.box_iou(turned(one), turned(other)), atol=1e-6)


@pytest.mark.parametrize("overlap", [0.3, 0.5, 0.7])
def test_suppress(overlap: float) -> None:
    """The same answers in the same order; scores that are equal do not occur."""
    rng, count, classes = np.random.default_rng(0), 40, 3
    some = crowded(rng, CASES, count)
    scores = rng.permuted(np.tile(np.arange(count * classes), (CASES, 1)), axis=1) / (count * classes)
    scores = scores.reshape(CASES, count, classes).astype(np.float32)
    found = suppression.suppress(some, scores, overlap=overlap, score=0.0, most=count * classes)
    found = suppression.Detections(*map(numbers, found))
    flat, labels = np.repeat(some, classes, axis=1), np.tile(np.arange(classes), count)
    for image in range(CASES):
        sure = torch.as_tensor(scores[image].ravel())
        kept = torchvision.ops.batched_nms(turned(flat[image]), sure, torch.as_tensor(labels), overlap).numpy()
        real = found.labels[image] >= 0
        np.testing.assert_array_equal(found.labels[image][real], labels[kept])
        np.testing.assert_array_equal(found.scores[image][real], sure.numpy()[kept])
        np.testing.assert_array_equal(found.boxes[image][real], flat[image][kept])


def pixels(some: np.ndarray, maps: np.ndarray) -> list[torch.Tensor]:
    """Relative boxes (B, N, 4) in cells of maps (B, h, w, D), as torchvision has them."""
    return list(turned(some * np.tile(maps.shape[1:3], 2).astype(np.float32)))


def channels_first(maps: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.moveaxis(maps, -1, 1).copy())


SHAPES = [((9, 13), 7), ((37, 50), 7), ((16, 8), 3), ((4, 5), 7)]


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_roi_align(shape: tuple[int, int], size: int) -> None:
    """Boxes reach out of the map too, by half of it."""
    rng = np.random.default_rng(0)
    maps, some = rng.normal(size=(3, *shape, 4)).astype(np.float32), 2 * drawn(rng, 3, CASES) - 0.5
    found = numbers(regions.roi_align(*map(ops.convert_to_tensor, (maps, some)), size=size))
    expected = torchvision.ops.roi_align(
        channels_first(maps), pixels(some, maps), output_size=size, sampling_ratio=2, aligned=True
    )
    np.testing.assert_allclose(found, expected.permute(0, 2, 3, 1).reshape(found.shape), atol=2e-5)


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_roi_pool(shape: tuple[int, int], size: int) -> None:
    """The second corner is theirs less one cell: there it is the last cell that belongs to the box, here the edge.

    Only boxes that begin on the map: off it, ours have the nearest cells, theirs none.
    """
    rng = np.random.default_rng(0)
    maps, some = rng.normal(size=(3, *shape, 4)).astype(np.float32), drawn(rng, 3, CASES)
    some[..., :2] = np.minimum(some[..., :2], 1 - 0.51 / np.array(shape))
    found = numbers(regions.roi_pool(*map(ops.convert_to_tensor, (maps, some)), size=size))
    less = [one - torch.tensor([0, 0, 1, 1]) for one in pixels(some, maps)]
    expected = torchvision.ops.roi_pool(channels_first(maps), less, output_size=size)
    np.testing.assert_array_equal(found, expected.permute(0, 2, 3, 1).reshape(found.shape))


@pytest.mark.parametrize("variances", [(1.0, 1.0, 1.0, 1.0), (0.1, 0.1, 0.2, 0.2)])
def test_encode_and_decode(variances: boxes.Variances) -> None:
    """Theirs multiplies by weights, the inverse of variances; offsets of every size, so that the limit is met too."""
    rng = np.random.default_rng(0)
    some, around = crowded(rng, CASES), crowded(rng, CASES)
    coder = BoxCoder(tuple(1 / variance for variance in variances))
    encoded = numbers(boxes.encode(some, around, variances=variances))
    np.testing.assert_allclose(turned(encoded), coder.encode_single(turned(some), turned(around)), rtol=1e-4, atol=1e-5)
    offsets = (rng.normal(0, 4, (CASES, 4)) / variances).astype(np.float32)
    decoded = numbers(boxes.decode(offsets, around, variances=variances))
    expected = coder.decode_single(turned(offsets), turned(around))
    np.testing.assert_allclose(turned(decoded), expected, rtol=1e-4, atol=1e-5)


def of_zeros(generator: Any, image: tuple[int, int], maps: list[tuple[int, int]]) -> np.ndarray:
    """What one of their generators makes, in our order of coordinates and relative."""
    images = ImageList(torch.zeros(1, 3, *image), [image])
    found = generator(images, [torch.zeros(1, 1, *shape) for shape in maps])[0]
    return np.asarray(turned(found)) / np.tile(image, 2)


def test_rpn_anchors() -> None:
    """Order and places are theirs but for half a step, which their centres are before ours.

    Sizes of squares are alike; those of the others are rounded before the scale here and after it there. So those that
    theirs begins with are compared by overlap, and places with our sizes in their generator.
    """
    image, shape = (320, 480), (20, 30)
    ours = anchors.rpn(image, shape).boxes() - np.tile(np.array([8, 8]) / image, 2)
    generator = AnchorGenerator(sizes=((128, 256, 512),), aspect_ratios=((0.5, 1.0, 2.0),))
    theirs = of_zeros(generator, image, [shape])
    np.testing.assert_allclose(ours.reshape(-1, 9, 4)[:, 3:6], theirs.reshape(-1, 9, 4)[:, 3:6], atol=1e-6)
    same = numbers(boxes.overlaps(ours[:, np.newaxis], theirs[:, np.newaxis]))
    assert same.min() > 0.9
    halves = np.array(anchors.rpn_sizes(), dtype=np.float32) / 2
    generator.cell_anchors = [turned(np.concatenate([-halves, halves], axis=1))]
    np.testing.assert_allclose(ours, of_zeros(generator, image, [shape]), atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "side", "sides", "steps", "ratios"),
    [
        (
            anchors.ssd300,
            300,
            (30, 60, 111, 162, 213, 264, 315),
            (8, 16, 32, 64, 100, 300),
            ([2], [2, 3], [2, 3], [2, 3], [2], [2]),
        ),
        (
            anchors.ssd512,
            512,
            (35.84, 76.8, 153.6, 230.4, 307.2, 384.0, 460.8, 537.6),
            (8, 16, 32, 64, 128, 256, 512),
            ([2], [2, 3], [2, 3], [2, 3], [2, 3], [2], [2]),
        ),
    ],
)
def test_ssd_anchors(ours: Any, side: int, sides: Any, steps: Any, ratios: Any) -> None:
    """Order too; theirs are clipped by default, to a size of 1."""
    made = ours()
    generator = DefaultBoxGenerator(list(ratios), scales=[one / side for one in sides], steps=list(steps), clip=False)
    np.testing.assert_allclose(made.boxes(), of_zeros(generator, (side, side), list(made.maps)), atol=1e-6)


def by_matcher(found: np.ndarray, *, every: bool) -> tuple[np.ndarray, np.ndarray]:
    """Index and state of each anchor by their matcher, of overlaps (A, N)."""
    matcher = Matcher(0.6, 0.3, allow_low_quality_matches=every)
    answer = matcher(torch.as_tensor(found.T.copy())).numpy()
    meaning = {Matcher.BELOW_LOW_THRESHOLD: matching.NEGATIVE, Matcher.BETWEEN_THRESHOLDS: matching.IGNORED}
    state = np.array([meaning.get(int(one), matching.POSITIVE) for one in answer])
    return answer, state


def cases_to_match() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    around, some = crowded(rng, 60), crowded(rng, CASES, 4)
    return around, some, np.zeros((CASES, 4), dtype=np.int32), numbers(boxes.overlaps(around, some))


def test_match() -> None:
    around, some, labels, found = cases_to_match()
    index, state = map(
        numbers, matching.match(*map(ops.convert_to_tensor, (around, some, labels)), positive=0.6, negative=0.3)
    )
    for image in range(CASES):
        answer, expected = by_matcher(found[image], every=False)
        np.testing.assert_array_equal(state[image], expected)
        np.testing.assert_array_equal(index[image][answer >= 0], answer[answer >= 0])


def test_match_every() -> None:
    """States agree where no two boxes want one anchor: there theirs leaves it to the one that it overlaps most.

    Which box an anchor has that is the best of one box but overlaps another more: ours the former, theirs the latter.
    """
    around, some, labels, found = cases_to_match()
    state = numbers(
        matching.match_every(*map(ops.convert_to_tensor, (around, some, labels)), positive=0.6, negative=0.3).state
    )
    apart = [image for image in range(CASES) if len(set(found[image].argmax(axis=0))) == 4]
    assert len(apart) > 100
    for image in apart:
        np.testing.assert_array_equal(state[image], by_matcher(found[image], every=True)[1])


@pytest.mark.parametrize("beta", [1.0, 1 / 9])
def test_smooth_l1(beta: float) -> None:
    rng = np.random.default_rng(0)
    wanted, given = rng.normal(size=(2, CASES, 4)).astype(np.float32)
    expected = torch.nn.functional.smooth_l1_loss(
        torch.as_tensor(given), torch.as_tensor(wanted), beta=beta, reduction="none"
    )
    np.testing.assert_allclose(numbers(losses.smooth_l1(wanted, given, beta=beta)), expected.sum(dim=-1), rtol=1e-5)
