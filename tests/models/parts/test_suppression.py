"""Suppression against a greedy search in plain loops, and what must hold of any of its answers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models.parts import boxes, suppression
from models.parts.suppression import Detections

CASES = 1000


def answers(detections: Detections) -> Detections:
    return Detections(*(np.asarray(ops.convert_to_numpy(part)) for part in detections))


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Boxes that crowd: few centres, sizes of one magnitude."""
    centres = rng.choice([0.3, 0.5, 0.7], (*shape, 2)) + rng.normal(0, 0.03, (*shape, 2))
    sizes = rng.uniform(0.15, 0.35, (*shape, 2))
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1).astype(np.float32)


def distinct(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Scores of which no two are equal."""
    count = int(np.prod(shape))
    return (rng.permutation(count).reshape(shape) / count).astype(np.float32)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    sides = [max(min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis]), 0) for axis in (0, 1)]
    both = sides[0] * sides[1]
    return float(both / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both))


def greedy(
    some: np.ndarray, scores: np.ndarray, *, threshold: float, score: float, most: int, candidates: int
) -> list[tuple[int, float, list[float]]]:
    """Label, score and box of one image's answers; boxes (A, K, 4), scores (A, K)."""
    pairs = sorted(np.ndindex(*scores.shape), key=lambda pair: -scores[pair])[:candidates]
    kept: list[tuple[int, int]] = []
    for pair in pairs:
        alike = [other for other in kept if other[1] == pair[1]]
        if scores[pair] >= score and all(overlap(some[pair], some[other]) <= threshold for other in alike):
            kept.append(pair)
    return [(pair[1], float(scores[pair]), some[pair].tolist()) for pair in kept[:most]]


def listed(detections: Detections, image: int) -> list[tuple[int, float, list[float]]]:
    labels, scores, some = detections.labels[image], detections.scores[image], detections.boxes[image]
    count = int((labels >= 0).sum())
    assert (labels[count:] == -1).all()
    assert not scores[count:].any()
    assert not some[count:].any()
    return [(int(labels[place]), float(scores[place]), some[place].tolist()) for place in range(count)]


@pytest.mark.parametrize("own", [True, False])
def test_a_thousand_images_by_greedy_search(own: bool) -> None:
    """Half of them with boxes for each class, half with boxes for each anchor."""
    rng = np.random.default_rng(own)
    images, anchors, classes = CASES // 2, 14, 3
    some = drawn(rng, images, anchors, classes) if own else drawn(rng, images, anchors)
    scores = np.stack([distinct(rng, anchors, classes) for _ in range(images)])
    found = answers(suppression.suppress(some, scores, overlap=0.4, score=0.3, most=12, candidates=14))
    assert found.boxes.shape == (images, 12, 4)
    each = some if own else np.repeat(some[:, :, np.newaxis], classes, axis=2)
    for image in range(images):
        settings = {"threshold": 0.4, "score": 0.3, "most": 12, "candidates": 14}
        assert listed(found, image) == greedy(each[image], scores[image], **settings)


def test_long_chains() -> None:
    """Each box overlaps the next alone, and is surer: every second one stays, however many there are."""
    tops = np.arange(60, dtype=np.float32) * 0.5
    chain = np.stack([tops, 0 * tops, tops + 1, 0 * tops + 1], axis=1)[np.newaxis]
    scores = np.linspace(0.9, 0.1, 60, dtype=np.float32).reshape(1, 60, 1)
    found = answers(suppression.suppress(chain, scores, overlap=0.3, score=0.0, most=60))
    assert found.boxes[0, :30, 0].tolist() == tops[::2].tolist()
    assert (found.labels[0, 30:] == -1).all()


def test_by_hand() -> None:
    """The second square overlaps the first by 1/7: it stays at that threshold and goes below; the other class stays."""
    some = np.array([[[0, 0, 2, 2], [1, 1, 3, 3]]], dtype=np.float32) / 4
    scores = np.array([[[0.9, 0.3], [0.8, 0.0]]], dtype=np.float32)
    for overlap, labels in ((0.15, [0, 0, 1, -1]), (0.14, [0, 1, -1, -1])):
        found = answers(suppression.suppress(some, scores, overlap=overlap, score=0.1, most=4))
        assert found.labels.tolist() == [labels]
        assert found.labels.dtype == np.int32
    np.testing.assert_allclose(found.scores, [[0.9, 0.3, 0, 0]])
    np.testing.assert_allclose(found.boxes, [[some[0, 0], some[0, 0], [0] * 4, [0] * 4]])


def test_only_so_many_candidates_are_looked_at() -> None:
    """The third would stay, but two are looked at, of which the second goes."""
    some = np.array([[[0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0, 0.1, 0.1]]], dtype=np.float32)
    scores = np.array([[[0.9], [0.8], [0.7]]], dtype=np.float32)
    for candidates, labels in ((2, [0, -1]), (3, [0, 0])):
        found = answers(suppression.suppress(some, scores, overlap=0.5, score=0.1, most=2, candidates=candidates))
        assert found.labels.tolist() == [labels]


def test_a_score_at_the_threshold_counts() -> None:
    scores = np.array([[[0.5], [0.25]]], dtype=np.float32)
    some = np.array([[[0, 0, 0.1, 0.1], [0.5, 0.5, 0.6, 0.6]]], dtype=np.float32)
    assert answers(suppression.suppress(some, scores, overlap=0.5, score=0.5, most=2)).labels.tolist() == [[0, -1]]


def test_an_overlap_at_the_threshold_does_not() -> None:
    some = np.array([[[0, 0, 1, 1], [0, 0, 1, 0.5]]], dtype=np.float32)
    scores = np.array([[[0.9], [0.8]]], dtype=np.float32)
    assert answers(suppression.suppress(some, scores, overlap=0.5, score=0.1, most=2)).labels.tolist() == [[0, 0]]


def test_again_changes_nothing_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    some, scores = drawn(rng, 20, 30), np.stack([distinct(rng, 30, 2) for _ in range(20)])
    settings: dict[str, Any] = {"overlap": 0.4, "score": 0.1, "most": 15}
    found = answers(suppression.suppress(some, scores, **settings))
    order = rng.permutation(30)
    for part, other in zip(
        answers(suppression.suppress(some[:, order], scores[:, order], **settings)), found, strict=True
    ):
        np.testing.assert_array_equal(part, other)
    by_class = found.scores[..., np.newaxis] * (found.labels[..., np.newaxis] == np.arange(2))
    for part, other in zip(answers(suppression.suppress(found.boxes, by_class, **settings)), found, strict=True):
        np.testing.assert_array_equal(part, other)


def test_fewer_candidates_than_are_asked_for() -> None:
    rng = np.random.default_rng(0)
    found = answers(suppression.suppress(drawn(rng, 2, 3), distinct(rng, 2, 3, 2), overlap=1.0, score=0.0, most=100))
    assert found.labels.shape == (2, 6)
    assert (found.labels >= 0).all()


def test_images_do_not_meet() -> None:
    rng = np.random.default_rng(0)
    some, scores = drawn(rng, 3, 20), distinct(rng, 3, 20, 2)
    both = answers(suppression.suppress(some, scores, overlap=0.3, score=0.1, most=8))
    for image in range(3):
        alone = answers(suppression.suppress(some[[image]], scores[[image]], overlap=0.3, score=0.1, most=8))
        for part, other in zip(both, alone, strict=True):
            np.testing.assert_array_equal(part[[image]], other)


def test_one_of_each_overlapping_pair_goes_on_a_real_number_of_anchors() -> None:
    rng = np.random.default_rng(0)
    found = answers(
        suppression.suppress(drawn(rng, 2, 2000), rng.random((2, 2000, 5)), overlap=0.4, score=0.5, most=50)
    )
    for image in range(2):
        close = np.asarray(ops.convert_to_numpy(boxes.overlaps(found.boxes[image], found.boxes[image]))) > 0.4
        alike = found.labels[image][:, np.newaxis] == found.labels[image]
        assert (np.triu(close & alike, k=1)).sum() == 0
        assert (np.diff(found.scores[image]) <= 0).all()


@pytest.mark.parametrize("compiled", [True, False])
def test_in_a_model_that_predicts(compiled: bool) -> None:
    """Also with a last batch that is smaller."""

    class Asked(keras.Model):
        def predict_step(self, *args: Any) -> Any:
            given = super().predict_step(*args)
            pair, state = given if isinstance(given, tuple) else (given, None)  # JAX gives its state
            found = suppression.suppress(*pair, overlap=0.3, score=0.1, most=8)._asdict()
            return found if state is None else (found, state)

    rng = np.random.default_rng(0)
    some, scores = drawn(rng, 5, 20), distinct(rng, 5, 20, 2)
    inputs = [keras.layers.Input((20, 4)), keras.layers.Input((20, 2))]
    model = Asked(inputs, inputs)
    model.compile(jit_compile=compiled)
    found = model.predict([some, scores], batch_size=2, verbose=0)
    expected = answers(suppression.suppress(some, scores, overlap=0.3, score=0.1, most=8))._asdict()
    for name, part in expected.items():
        np.testing.assert_allclose(found[name], part, atol=1e-6)
