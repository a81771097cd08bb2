"""Matches and samples against plain loops over few boxes and anchors, and by what must hold for any."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models.parts import anchors, boxes, matching
from models.parts.matching import IGNORED, NEGATIVE, POSITIVE


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def drawn(rng: np.random.Generator, *shape: int, least: float = 0.05) -> np.ndarray:
    """Random boxes, (*shape, 4)."""
    centres, sizes = rng.random((*shape, 2)), rng.uniform(least, 0.5, (*shape, 2))
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1).astype(np.float32)


def padded(rng: np.random.Generator, batch: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and labels of a batch, each image with its own number of boxes, the rest padding at any place."""
    labels = np.where(rng.random((batch, most)) < 0.6, rng.integers(0, 5, (batch, most)), -1).astype(np.int32)
    return drawn(rng, batch, most) * (labels >= 0)[..., np.newaxis], labels


def by_loops(found: np.ndarray, labels: np.ndarray, positive: float, negative: float) -> tuple[list[int], list[int]]:
    """Each anchor's box and state for one image, by its overlaps (A, N)."""
    index, state = [], []
    for row in found:
        real = [(overlap, -place) for place, overlap in enumerate(row) if labels[place] >= 0]
        best, place = max(real, default=(-1.0, 0))
        index.append(-place)
        state.append(POSITIVE if best >= positive else NEGATIVE if best < negative else IGNORED)
    return index, state


def owners_by_loops(found: np.ndarray, labels: np.ndarray) -> dict[int, int]:
    """Box by anchor: the greatest overlap of all, again and again, of anchors and boxes that are still free."""
    owned: dict[int, int] = {}
    pairs = sorted(np.ndindex(*found.shape), key=lambda pair: -found[pair])
    for anchor, box in pairs:
        if labels[box] >= 0 and found[anchor, box] > 0 and anchor not in owned and box not in owned.values():
            owned[anchor] = box
    return owned


@pytest.mark.parametrize("seed", range(20))
def test_match_by_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    some, (truth, labels) = drawn(rng, 30), padded(rng, 3, 6)
    match = matching.match(some, truth, labels, positive=0.4, negative=0.2)
    for image in range(3):
        found = numbers(boxes.overlaps(some, truth[image]))
        index, state = by_loops(found, labels[image], 0.4, 0.2)
        assert numbers(match.state)[image].tolist() == state
        if (labels[image] >= 0).any():
            assert numbers(match.index)[image].tolist() == index


@pytest.mark.parametrize("seed", range(20))
def test_match_every_by_loops(seed: int) -> None:
    """Few anchors and many boxes, so that they quarrel; the last seeds have more boxes than anchors."""
    rng = np.random.default_rng(seed)
    some, (truth, labels) = drawn(rng, 12 if seed < 15 else 4), padded(rng, 3, 8)
    match = matching.match_every(some, truth, labels, positive=0.4, negative=0.2)
    assert [numbers(part).dtype for part in match] == [np.int32, np.int32]
    for image in range(3):
        found = numbers(boxes.overlaps(some, truth[image]))
        index, state = by_loops(found, labels[image], 0.4, 0.2)
        for anchor, box in owners_by_loops(found, labels[image]).items():
            index[anchor], state[anchor] = box, POSITIVE
        assert numbers(match.state)[image].tolist() == state
        chosen = numbers(match.state)[image] == POSITIVE
        assert numbers(match.index)[image][chosen].tolist() == np.array(index)[chosen].tolist()


def test_boxes_that_share_a_best_anchor() -> None:
    """Both want the first; the nearer gets it, and the other the second, although that is below every threshold."""
    some = np.array([[0, 0, 0.4, 0.4], [0.3, 0.3, 0.6, 0.6], [0.7, 0.7, 1, 1]])
    truth = np.array([[[0, 0, 0.35, 0.35], [0, 0, 0.4, 0.4], [0, 0, 0, 0]]])
    match = matching.match_every(some, truth, np.array([[3, 4, -1]]), positive=0.5, negative=0.5)
    assert numbers(match.state).tolist() == [[POSITIVE, POSITIVE, NEGATIVE]]
    assert numbers(match.index)[0, :2].tolist() == [1, 0]
    assert numbers(matching.assigned_labels(np.array([[3, 4, -1]]), match)).tolist() == [[4, 3, -1]]
    plain = matching.match(some, truth, np.array([[3, 4, -1]]), positive=0.5, negative=0.5)
    assert numbers(plain.state).tolist() == [[POSITIVE, NEGATIVE, NEGATIVE]]


def test_equal_boxes_have_an_anchor_each() -> None:
    truth = np.tile(np.array([0.2, 0.2, 0.5, 0.5]), (1, 6, 1))
    match = matching.match_every(anchors.ssd300().boxes(), truth, np.ones((1, 6)), positive=2.0, negative=0.0)
    chosen = numbers(match.state)[0] == POSITIVE
    assert sorted(numbers(match.index)[0][chosen]) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", range(3))
def test_every_box_has_one_of_ssd_s_anchors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, labels = padded(rng, 4, 20)
    match = matching.match_every(anchors.ssd300().boxes(), truth, labels, positive=0.5, negative=0.5)
    for image in range(4):
        index = numbers(match.index)[image][numbers(match.state)[image] == POSITIVE]
        assert set(index) == set(np.flatnonzero(labels[image] >= 0))


@pytest.mark.parametrize("how", [matching.match, matching.match_every])
def test_without_boxes_all_is_negative(how: Any) -> None:
    match = how(drawn(np.random.default_rng(0), 5), np.zeros((2, 3, 4)), -np.ones((2, 3)), positive=0.5, negative=0.3)
    assert numbers(match.state).tolist() == [[NEGATIVE] * 5] * 2


@pytest.mark.parametrize("how", [matching.match, matching.match_every])
def test_each_image_may_have_its_own_anchors(how: Any) -> None:
    rng = np.random.default_rng(0)
    own, (truth, labels) = drawn(rng, 2, 9), padded(rng, 2, 5)
    both = how(own, truth, labels, positive=0.4, negative=0.2)
    for image in range(2):
        alone = how(own[image], truth[[image]], labels[[image]], positive=0.4, negative=0.2)
        np.testing.assert_array_equal(numbers(both.state)[image], numbers(alone.state)[0])
        np.testing.assert_array_equal(numbers(both.index)[image], numbers(alone.index)[0])


def test_thresholds_belong_to_the_upper_side() -> None:
    """Overlaps of exactly 1/2 and 1/4: at `positive` positive, at `negative` ignored."""
    some = np.array([[0, 0, 1, 0.5], [0, 0, 1, 0.25], [0, 0, 0.5, 0.25]])
    match = matching.match(some, np.array([[[0, 0, 1, 1]]]), np.array([[0]]), positive=0.5, negative=0.25)
    assert numbers(match.state).tolist() == [[POSITIVE, IGNORED, NEGATIVE]]


def test_assigned() -> None:
    match = matching.Match(index=np.array([[1, 1, 0], [0, 2, 2]], dtype=np.int32), state=np.zeros((2, 3), np.int32))
    values = np.arange(24).reshape(2, 3, 4)
    expected = [[values[0, 1], values[0, 1], values[0, 0]], [values[1, 0], values[1, 2], values[1, 2]]]
    np.testing.assert_array_equal(numbers(matching.assigned(values, match)), expected)
    np.testing.assert_array_equal(numbers(matching.assigned(values[..., 0], match)), np.array(expected)[..., 0])


def test_only_positive_anchors_have_a_label() -> None:
    match = matching.Match(index=np.array([[1, 1, 1]], np.int32), state=np.array([[POSITIVE, NEGATIVE, IGNORED]]))
    assert numbers(matching.assigned_labels(np.array([[3, 4]]), match)).tolist() == [[4, -1, -1]]


def states(rng: np.random.Generator, *, odds: tuple[float, float, float]) -> np.ndarray:
    return rng.choice([IGNORED, NEGATIVE, POSITIVE], size=(4, 50), p=odds).astype(np.int32)


@pytest.mark.parametrize("odds", [(0.2, 0.4, 0.4), (0.0, 0.95, 0.05), (0.8, 0.1, 0.1), (0.1, 0.0, 0.9), (1, 0, 0)])
def test_sample_s_numbers(odds: tuple[float, float, float]) -> None:
    state = states(np.random.default_rng(0), odds=odds)
    drawn = numbers(matching.sample(state, count=20, fraction=0.25, seed=keras.random.SeedGenerator(0)))
    assert drawn.shape == state.shape
    for one, mask in zip(state, drawn, strict=True):
        positives = min((one == POSITIVE).sum(), 5)
        assert mask[one == POSITIVE].sum() == positives
        assert mask[one == NEGATIVE].sum() == min((one == NEGATIVE).sum(), 20 - positives)
        assert not mask[one == IGNORED].any()


def test_sample_is_fair_and_afresh() -> None:
    """Of 30 positive and 70 negative, 4 and 4 each time: over 1,500 draws each has its share."""
    seed = keras.random.SeedGenerator(1)
    state = np.tile(np.where(np.arange(100) < 30, POSITIVE, NEGATIVE), (500, 1)).astype(np.int32)
    drawn = np.concatenate([numbers(matching.sample(state, count=8, fraction=0.5, seed=seed)) for _ in range(3)])
    often = drawn.mean(axis=0)
    np.testing.assert_allclose(often[:30], 4 / 30, atol=0.05)
    np.testing.assert_allclose(often[30:], 4 / 70, atol=0.04)
    assert len(np.unique(drawn, axis=0)) > 1400


def test_sample_follows_its_seed() -> None:
    state = states(np.random.default_rng(0), odds=(0.2, 0.4, 0.4))
    seeds = [keras.random.SeedGenerator(number) for number in (1, 1, 2)]
    first, again, other = (numbers(matching.sample(state, count=20, fraction=0.5, seed=seed)) for seed in seeds)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("ratio", [3, 1, 0.5])
@pytest.mark.parametrize("odds", [(0.2, 0.7, 0.1), (0.0, 0.1, 0.9), (0.0, 1.0, 0.0)])
def test_hard_negatives_by_loops(ratio: float, odds: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(0)
    state, losses = states(rng, odds=odds), rng.normal(size=(4, 50)).astype(np.float32)
    found = numbers(matching.hard_negatives(losses, state, ratio=ratio))
    for one, loss, mask in zip(state, losses, found, strict=True):
        negatives = sorted(np.flatnonzero(one == NEGATIVE), key=lambda place: -loss[place])
        count = int(np.ceil(ratio * (one == POSITIVE).sum()))
        assert set(np.flatnonzero(mask)) == set(negatives[:count])


def test_hard_negatives_of_equal_losses_are_no_more() -> None:
    state = np.array([[POSITIVE] * 2 + [NEGATIVE] * 20])
    found = numbers(matching.hard_negatives(np.zeros((1, 22), np.float32), state, ratio=3))
    assert found.sum() == 6
