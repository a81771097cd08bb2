"""Bouncing digits: what is drawn is what is said to be true, and the tracker follows it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import bouncing, tracker, tracks
from tasks.errors import BadRequest
from tasks.problems.boxes import average_precision
from tasks.tracker import BOX, Settings

SEEDS = [0, 1, 2]


def anyone(made: bouncing.Clip) -> bouncing.Clip:
    """The same clip, as one of objects of one class."""
    return bouncing.Clip(made.frames, made.truth.assign(label=0))


def test_a_clip_has_its_form() -> None:
    made = bouncing.clip(0)
    assert (made.frames.shape, made.frames.dtype) == ((60, 128, 128), np.uint8)
    assert made.truth.columns.tolist() == ["frame", "track", "label", *BOX]
    assert made.truth[["frame", "track"]].values.tolist() == [
        [frame, digit] for frame in range(60) for digit in range(5)
    ]
    assert (made.truth.groupby("track")["label"].nunique() == 1).all()


def test_a_seed_is_a_clip() -> None:
    one, same, other = bouncing.clip(3), bouncing.clip(3), bouncing.clip(4)
    assert one.frames.tobytes() == same.frames.tobytes()
    assert one.truth.equals(same.truth)
    assert one.frames.tobytes() != other.frames.tobytes()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_box_is_that_of_the_ink(seed: int) -> None:
    """Of a digit alone, in every frame: whole pixels, inside, and as tight as can be."""
    made = bouncing.clip(seed, digits=1, frames=20, side=64)
    for frame, box in zip(made.frames, made.truth[BOX].to_numpy() * 64, strict=True):
        rows, columns = (np.flatnonzero((frame >= bouncing.INK).any(axis=axis)) for axis in (1, 0))
        assert box.tolist() == [rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_digits_fly_straight_and_bounce(seed: int) -> None:
    """Each coordinate changes by the same in every frame, but where it turns back at a wall."""
    sizes = np.full((4, 2), 20)
    paths = bouncing.flights(sizes, 200, 64, np.random.default_rng(seed))
    assert paths.min() >= 0
    assert paths.max() <= 44
    steps = np.abs(np.diff(paths, axis=0))
    usual = np.median(steps, axis=0)
    turns = ~np.isclose(steps, usual)
    assert np.linalg.norm(usual, axis=1).max() <= bouncing.SPEEDS[1] + 1e-9
    near = np.minimum(paths, 44 - paths) <= usual
    assert (near[:-1] | near[1:])[turns].all()
    assert turns.mean() < 0.1


def test_noise_is_fainter_than_asked_and_hides_no_ink() -> None:
    """The same digits fly, whatever is around them."""
    plain, noisy = bouncing.clip(3, frames=5), bouncing.clip(3, frames=5, noise=60)
    assert noisy.truth.equals(plain.truth)
    bright = plain.frames >= 60
    assert (noisy.frames[bright] == plain.frames[bright]).all()
    assert 50 < noisy.frames[~bright].max() < 60


def test_crossing_digits_show_the_brighter() -> None:
    pictures = [np.full((2, 2), 200, np.uint8), np.full((2, 2), 90, np.uint8)]
    frames = bouncing.composed(pictures, np.array([[[1, 1], [0, 0]]]), 4)
    assert frames.tolist() == [[[90, 90, 0, 0], [90, 200, 200, 0], [0, 200, 200, 0], [0, 0, 0, 0]]]


def test_digits_cross() -> None:
    """Without crossings, to follow them would prove little."""
    for seed in SEEDS:
        table = bouncing.clip(seed).truth
        boxes = table[BOX].to_numpy().reshape(60, 5, 4)
        shared = np.array([average_precision.overlaps(frame, frame)[np.triu_indices(5, 1)] for frame in boxes])
        assert shared.max() > 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_true_boxes_are_followed(seed: int) -> None:
    """Even where nothing tells one digit from another but its place: MOTA of at least .95 is asked for."""
    made = anyone(bouncing.clip(seed))
    found = tracker.track(bouncing.detections(made), Settings(height=128, width=128))
    scores = tracks.compare(made.truth, found)
    assert scores.mota >= 0.99
    assert scores.idf1 >= 0.99
    assert scores.switches == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_missing_and_trembling_boxes_are_followed(seed: int) -> None:
    """With a tenth left out, patience and filled gaps; as it comes, the tracker cannot tell of what it is not shown."""
    made = bouncing.clip(seed)
    found = bouncing.detections(made, seed, dropped=0.1, jitter=0.05)
    online = tracker.track(found, Settings(height=128, width=128))
    assert 0.75 <= tracks.compare(made.truth, online).mota <= 0.92
    patient = tracker.filled(tracker.track(found, Settings(height=128, width=128, max_age=5)), 5)
    scores = tracks.compare(made.truth, patient)
    assert scores.mota >= 0.95
    assert scores.idf1 >= 0.95


def test_detections_are_worn_as_asked() -> None:
    made = bouncing.clip(0, digits=20)
    assert (
        np.concatenate([each["boxes"] for each in bouncing.detections(made)]).tolist()
        == made.truth[BOX].values.tolist()
    )
    worn = bouncing.detections(made, 1, dropped=0.1)
    assert len(worn) == 60
    assert sum(len(each["boxes"]) for each in worn) == pytest.approx(1080, abs=40)
    moved = np.concatenate([each["boxes"] for each in bouncing.detections(made, 1, jitter=0.05)])
    boxes = made.truth[BOX].to_numpy()
    by = (moved - boxes) / np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    assert by.std() == pytest.approx(0.05, abs=0.003)


def test_a_clip_without_digits() -> None:
    made = bouncing.clip(0, digits=0, frames=3)
    assert made.frames.max() == 0
    assert len(made.truth) == 0
    assert [len(each["boxes"]) for each in bouncing.detections(made)] == [0, 0, 0]


@pytest.mark.parametrize(("name", "value"), [("digits", -1), ("frames", 0), ("side", 63)])
def test_bad_numbers_are_named(name: str, value: int) -> None:
    with pytest.raises(BadRequest, match=rf"`{name}` must be at least \d+\. Received: {name}={value}"):
        bouncing.clip(0, **{name: value})
