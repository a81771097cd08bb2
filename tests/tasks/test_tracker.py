"""The tracker: its filter by hand and by another's matrices, and what must hold of any clip."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import tracker
from tasks.problems.boxes import average_precision
from tasks.tracker import BOX, Settings, Tracker, WrongDetections

SQUARE = Settings(height=100, width=100)
EVERY = Settings(height=100, width=100, min_hits=0)
HERE = (0.1, 0.1, 0.3, 0.2)


def frame(*boxes: tuple[float, ...], label: int = 0, score: float = 1.0) -> dict[str, np.ndarray]:
    count = len(boxes)
    return {
        "boxes": np.array(boxes, np.float32).reshape(-1, 4),
        "labels": np.full(count, label),
        "scores": np.full(count, score),
    }


def moved(box: tuple[float, ...], down: float, right: float) -> tuple[float, ...]:
    return (box[0] + down, box[1] + right, box[2] + down, box[3] + right)


def crowd(frames: int, count: int, seed: int) -> list[dict[str, np.ndarray]]:
    """Boxes on straight lines, crossing as they like, of two classes."""
    rng = np.random.default_rng(seed)
    start, speed = rng.uniform(0.1, 0.7, (count, 2)), rng.normal(0, 0.01, (count, 2))
    side, labels, scores = rng.uniform(0.05, 0.2, (count, 2)), rng.integers(0, 2, count), rng.uniform(0, 1, count)
    corners = [start + time * speed for time in range(frames)]
    return [
        {"boxes": np.concatenate([corner, corner + side], axis=1), "labels": labels, "scores": scores}
        for corner in corners
    ]


def test_a_filters_first_steps_by_hand() -> None:
    """x begins at 10 with variance 10, speed 0 with 10,000; then it is seen at 12.

    Predicted: variance 10 + 10,000 + 1 of x, 10,000 of both, 10,000.01 of the speed. Innovation: 10,011 + 1. Gains:
    10,011 / 10,012 and 10,000 / 10,012.
    """
    state, covariance = np.array([[10.0, 0, 100, 1, 0, 0, 0]]), tracker.START[np.newaxis]
    state, covariance = tracker.predict(state, covariance)
    assert state[0].tolist() == [10, 0, 100, 1, 0, 0, 0]
    assert covariance[0][np.ix_([0, 4], [0, 4])] == pytest.approx(np.array([[10011, 10000], [10000, 10000.01]]))
    state, covariance = tracker.correct(state, covariance, np.array([[12.0, 0, 100, 1]]))
    assert state[0, [0, 4]] == pytest.approx([10 + 2 * 10011 / 10012, 2 * 10000 / 10012])
    assert covariance[0, 0, 0] == pytest.approx(10011 / 10012)
    assert covariance[0, 4, 4] == pytest.approx(10000.01 - 1e8 / 10012)
    state, _ = tracker.predict(state, covariance)
    assert state[0, 0] == pytest.approx(10 + 2 * 20011 / 10012)


def test_a_ratio_has_no_speed_and_an_area_is_less_sure() -> None:
    """The ratio's variance is 10 + 1 when it is seen, and the measurement's 10."""
    state, covariance = tracker.predict(np.array([[0, 0, 100.0, 1, 0, 0, 0]]), tracker.START[np.newaxis])
    state, covariance = tracker.correct(state, covariance, np.array([[0.0, 0, 121, 2]]))
    assert state[0, 3] == pytest.approx(1 + 11 / 21)
    assert state[0, 2] == pytest.approx(100 + 21 * 10011 / 10021)
    assert covariance[0, 3, 3] == pytest.approx(11 * 10 / 21)
    assert np.abs(covariance[0, 3, [0, 1, 2, 4, 5, 6]]).max() == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_many_filters_are_as_many_textbooks(count: int, seed: int) -> None:
    """Joseph's form with an inverse, a track at a time, for five frames."""
    rng = np.random.default_rng(seed)
    state, covariance = rng.normal(50, 10, (count, 7)), np.repeat(tracker.START[np.newaxis], count, axis=0)
    alone = [(one.copy(), each.copy()) for one, each in zip(state, covariance, strict=True)]
    for _ in range(5):
        boxes = rng.normal(50, 10, (count, 4))
        state, covariance = tracker.correct(*tracker.predict(state, covariance), boxes)
        alone = [textbook(*one, box) for one, box in zip(alone, boxes, strict=True)]
    np.testing.assert_allclose(state, [one for one, _ in alone], rtol=1e-6)
    np.testing.assert_allclose(covariance, [one for _, one in alone], rtol=1e-6, atol=1e-6)


def textbook(state: np.ndarray, covariance: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    motion, seen = np.eye(7), np.eye(4, 7)
    motion[0, 4] = motion[1, 5] = motion[2, 6] = 1
    state = motion @ state
    covariance = motion @ covariance @ motion.T + np.diag([1, 1, 1, 1, 0.01, 0.01, 0.0001])
    noise = np.diag([1, 1, 10, 10])
    gain = covariance @ seen.T @ np.linalg.inv(seen @ covariance @ seen.T + noise)
    rest = np.eye(7) - gain @ seen
    return state + gain @ (box - seen @ state), rest @ covariance @ rest.T + gain @ noise @ gain.T


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(-50, 50)] * 2, *[st.floats(0.01, 100)] * 2), min_size=1, max_size=5))
def test_states_are_boxes(given_boxes: list[tuple[float, ...]]) -> None:
    low, side = np.split(np.array(given_boxes), 2, axis=1)
    boxes = np.concatenate([low, low + side], axis=1)
    np.testing.assert_allclose(tracker.corners(tracker.measured(boxes)), boxes, atol=1e-9)


def test_a_measured_box_by_hand() -> None:
    """10 wide and 20 high."""
    assert tracker.measured(np.array([[0.0, 5, 20, 15]])).tolist() == [[10, 10, 200, 0.5]]


def test_a_frame_need_not_be_square() -> None:
    """The filter counts pixels, and tells of what is relative."""
    wide = Tracker(Settings(height=100, width=300))
    told = wide.update(*boxes_of((0.1, 0.1, 0.3, 0.2)))
    np.testing.assert_allclose(wide.tracks["state"][0, :4], [45, 20, 600, 1.5])
    np.testing.assert_allclose(told["boxes"], [[0.1, 0.1, 0.3, 0.2]], rtol=1e-6)


def test_overlaps_by_hand() -> None:
    first = np.array([[0.0, 0, 2, 2], [5, 5, 5, 5]])
    second = np.array([[0.0, 0, 2, 2], [1, 1, 3, 3], [0, 2, 2, 4], [5, 5, 5, 5]])
    assert average_precision.overlaps(first, second).tolist() == [[1, 1 / 7, 0, 0], [0, 0, 0, 0]]


def test_one_object_is_one_track() -> None:
    found = tracker.track([frame(moved(HERE, 0.01 * time, 0.02 * time)) for time in range(20)], SQUARE)
    assert found.columns.tolist() == ["frame", "track", *BOX, "score", "label"]
    assert found["frame"].tolist() == list(range(20))
    assert set(found["track"]) == {0}
    np.testing.assert_allclose(found[BOX].iloc[-1], moved(HERE, 0.19, 0.38), atol=0.002)


def test_a_track_survives_one_missed_frame_and_not_two() -> None:
    still = [frame(HERE)] * 6
    assert set(tracker.track([*still, frame(), *still], SQUARE)["track"]) == {0}
    assert set(tracker.track([*still, frame(), frame(), *still], SQUARE)["track"]) == {0, 1}
    patient = Settings(height=100, width=100, max_age=2)
    assert set(tracker.track([*still, frame(), frame(), *still], patient)["track"]) == {0}


def test_a_missed_frame_is_not_told_of_and_brings_no_probation() -> None:
    clip = [frame(HERE)] * 6 + [frame()] + [frame(HERE)] * 3
    assert tracker.track(clip, SQUARE)["frame"].tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_a_track_goes_on_where_it_was_going() -> None:
    """The box is gone for a frame, and then has nothing in common with where it was."""
    fast = [frame(moved(HERE, 0, 0.05 * time)) for time in range(12)]
    fast[8] = frame()
    assert set(tracker.track(fast, SQUARE)["track"]) == {0}
    assert average_precision.overlaps(fast[7]["boxes"], fast[9]["boxes"])[0, 0] < 1e-6


def test_a_new_track_is_on_probation() -> None:
    """Begun in the frame 5, with three detections after its first in the frame 8."""
    found = tracker.track([*[frame()] * 5, *[frame(HERE)] * 6], SQUARE)
    assert found["frame"].tolist() == [8, 9, 10]


def test_the_first_frames_know_no_probation() -> None:
    assert tracker.track([frame(HERE)] * 2, SQUARE)["frame"].tolist() == [0, 1]


@pytest.mark.parametrize(("right", "tracks"), [(0.0538, 1), (0.0539, 2)])
def test_too_little_overlap_is_another_object(right: float, tracks: int) -> None:
    """A box 0.1 wide that moves by d overlaps itself by (0.1 - d) / (0.1 + d): 0.3 at 0.053846."""
    found = tracker.track([frame(HERE), frame(moved(HERE, 0, right))], EVERY)
    assert found["track"].nunique() == tracks


def test_pairs_that_may_not_be_do_not_part_those_that_may() -> None:
    """Boxes of a unit, on a line: tracks at 0 and 1.03, detections at 0.43 and -0.57.

    The first pair shares 0.57 / 1.43, just enough; the two crosswise share 0.40 / 1.60 and 0.43 / 1.57, which is more
    together, and not enough each.
    """
    tracks = tracker.started(tracker.detections(*boxes_of((0, 0, 1, 1), (0, 1.03, 1, 2.03)), EVERY), 0)
    found = tracker.detections(*boxes_of((0, 0.43, 1, 1.43), (0, -0.57, 1, 0.43)), EVERY)
    rows, columns = tracker.matched(tracks, found, 0.3)
    assert tracks["state"][rows, 0].tolist() == [50]
    np.testing.assert_allclose(found["box"][columns, 1], [43])


def test_the_largest_sum_of_overlaps_wins() -> None:
    """The first detection lies nearest to the first track, but the second can only be that one's."""
    tracks = tracker.started(tracker.detections(*boxes_of((0, 0, 1, 1), (0, 0.3, 1, 1.3)), EVERY), 0)
    found = tracker.detections(*boxes_of((0, 0.1, 1, 1.1), (0, -0.4, 1, 0.6)), EVERY)
    rows, columns = tracker.matched(tracks, found, 0.3)
    pairs = zip(tracks["state"][rows, 0], found["box"][columns, 1], strict=True)
    assert sorted(tuple(np.round(pair)) for pair in pairs) == [(50, -40), (80, 10)]


def boxes_of(*boxes: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array(boxes), np.ones(len(boxes)), np.zeros(len(boxes), int)


def test_labels_are_kept_apart() -> None:
    clip = [frame(HERE, label=time // 4) for time in range(8)]
    found = tracker.track(clip, EVERY)
    assert found.groupby("label")["track"].agg(list).to_dict() == {0: [0] * 4, 1: [1] * 4}


def test_scores_and_padding() -> None:
    given_frame = {
        "boxes": np.array([HERE, moved(HERE, 0.5, 0.5), (0, 0, 1, 1), (0.5, 0.5, 0.5, 0.6)], np.float32),
        "labels": np.array([3, 3, -1, 3], np.int32),
        "scores": np.array([0.9, 0.4, 1, 0.8], np.float32),
    }
    found = tracker.track([given_frame], Settings(height=10, width=10, score=0.5))
    assert found[["track", "label"]].values.tolist() == [[0, 3]]
    assert found["score"].tolist() == pytest.approx([0.9])


def test_the_rows_of_a_record_array_are_frames() -> None:
    answers = np.zeros(4, [("boxes", "f4", (3, 4)), ("labels", "i4", (3,)), ("scores", "f4", (3,))])
    answers["labels"] = [0, 1, -1]
    answers["boxes"][:, :2] = [HERE, moved(HERE, 0.5, 0.5)]
    assert tracker.track(answers, SQUARE)["track"].tolist() == [0, 1] * 4


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_order_of_detections_changes_nothing(count: int, seed: int) -> None:
    clip, rng = crowd(8, count, seed), np.random.default_rng(seed)
    mixed = []
    for each in clip:
        order = rng.permutation(count)
        mixed.append({name: part[order] for name, part in each.items()})
    pd.testing.assert_frame_equal(tracker.track(clip, SQUARE), tracker.track(mixed, SQUARE), check_exact=True)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_numbers_are_never_used_again(counts: list[int], seed: int) -> None:
    """Boxes at random, of which few go on: a number that is gone does not come back after its age."""
    rng = np.random.default_rng(seed)
    sides = rng.uniform(0.1, 0.4, (100, 2))
    clip = []
    for count in counts:
        low = rng.uniform(0, 0.6, (count, 2))
        clip.append(frame(*np.concatenate([low, low + sides[:count]], axis=1)))
    found = tracker.track(clip, EVERY)
    assert len(found) == sum(counts)
    assert not found.duplicated(["frame", "track"]).any()
    assert (found.groupby("track")["frame"].diff().dropna() <= 2).all()
    assert sorted(set(found["track"])) == list(range(found["track"].nunique()))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_tracks_do_not_look_ahead(seed: int) -> None:
    clip = crowd(8, 5, seed)
    whole, part = tracker.track(clip, SQUARE), tracker.track(clip[:5], SQUARE)
    pd.testing.assert_frame_equal(whole[whole["frame"] < 5], part, check_exact=True)


def test_an_area_stays_above_zero() -> None:
    """A box that shrinks by a third each frame, to a millionth, and is then gone, while its speed goes on."""
    patient = Tracker(Settings(height=100, width=100, max_age=50, min_hits=0, overlap=0.01))
    sides = [0.5 * (2 / 3) ** time for time in range(15)]
    for side in sides:
        patient.update(*boxes_of((0.5 - side / 2, 0.5 - side / 2, 0.5 + side / 2, 0.5 + side / 2)))
        assert (patient.tracks["state"][:, 2:4] > 0).all()
    for _ in range(50):
        patient.update(np.empty((0, 4)), np.empty(0), np.empty(0, int))
        assert len(patient.tracks)
        assert (patient.tracks["state"][:, 2] > 0).all()
        assert np.isfinite(tracker.corners(patient.tracks["state"])).all()


def test_an_area_that_would_shrink_to_nothing_stays() -> None:
    tracks = np.zeros(2, tracker.TRACK)
    tracks["state"] = [[0, 0, 100, 1, 0, 0, -100], [0, 0, 100, 1, 0, 0, -99]]
    assert tracker.predicted(tracks)["state"][:, [2, 6]].tolist() == [[100, 0], [1, -99]]
    assert tracks["state"][0, 6] == -100


def test_a_long_clip_stays_sound() -> None:
    """Every other frame is empty, so that the filter is unsure again and again."""
    long = Tracker(SQUARE)
    for time in range(1000):
        found = frame(HERE) if time % 2 else frame()
        long.update(found["boxes"], found["scores"], found["labels"])
    covariance = long.tracks["covariance"][0]
    assert len(long.tracks) == 1
    assert np.array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_a_clip_without_frames_or_objects() -> None:
    for clip in ([], [frame()], [frame()] * 5):
        found = tracker.track(clip, SQUARE)
        assert found.columns.tolist() == tracker.COLUMNS
        assert len(found) == 0
        assert len(tracker.filled(found, 3)) == 0


@pytest.mark.parametrize(
    ("box", "rule"),
    [
        ((np.nan, 0, 1, 1), "detection 1 must have finite corners and score. Received: y1=nan"),
        ((0, 0, 1, np.inf), "must have finite corners"),
        ((0.5, 0, 0.4, 1), "must have y1 <= y2 and x1 <= x2"),
        ((0, 0.5, 1, 0.4), "must have y1 <= y2 and x1 <= x2"),
        ((0, 0, 40, 60), r"must be relative, -2\.\.3"),
        ((-2.1, 0, 1, 1), "must be relative"),
    ],
)
def test_bad_boxes_are_named_and_no_frame_passes(box: tuple[float, ...], rule: str) -> None:
    sound = Tracker(SQUARE)
    sound.update(*boxes_of(HERE))
    before = sound.tracks.copy()
    with pytest.raises(WrongDetections, match=rule):
        sound.update(*boxes_of(HERE, box))
    assert sound.frames == 1
    assert sound.tracks.tobytes() == before.tobytes()


def test_bad_shapes_are_told() -> None:
    sound, (boxes, scores, labels) = Tracker(SQUARE), boxes_of(HERE, HERE)
    for wrong in ((boxes[:1], scores, labels), (boxes, scores[:1], labels), (boxes.T, scores, labels)):
        with pytest.raises(WrongDetections, match=r"must be \(N, 4\), \(N,\) and \(N,\)\. Received: "):
            sound.update(*wrong)
    with pytest.raises(WrongDetections, match=r"whole numbers\. Received: float64"):
        sound.update(boxes, scores, labels.astype(float))
    with pytest.raises(WrongDetections, match=r"finite corners and score.*score=nan"):
        sound.update(boxes, scores * np.nan, labels)


@pytest.mark.parametrize(
    ("name", "value"),
    [("height", 0), ("width", -1), ("overlap", 0), ("overlap", 1.1), ("max_age", -1), ("min_hits", -1)],
)
def test_bad_settings_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"`{name}` must be .*\. Received: {name}={value}"):
        Settings(**{"height": 10, "width": 10, name: value})  # type: ignore[arg-type]


def test_gaps_are_filled_by_hand() -> None:
    """A gap of one frame in track 0, and of two, which is too long, in track 1."""
    tracks = pd.DataFrame(
        [(0, 0, 0.0, 0, 0.2, 0.2), (0, 1, 0.5, 0, 0.6, 0.2), (2, 0, 0.2, 0.4, 0.4, 0.6), (3, 1, 0.5, 0, 0.6, 0.2)],
        columns=["frame", "track", *BOX],
    ).assign(score=[1.0, 1, 0.5, 1], label=[7, 8, 7, 8])
    full = tracker.filled(tracks, 1)
    assert full[["frame", "track"]].values.tolist() == [[0, 0], [0, 1], [1, 0], [2, 0], [3, 1]]
    assert full.iloc[2].tolist() == pytest.approx([1, 0, 0.1, 0.2, 0.3, 0.4, 0.75, 7])
    pd.testing.assert_frame_equal(full.drop(index=2).reset_index(drop=True), tracks, check_dtype=False)
    assert len(tracker.filled(tracks, 2)) == 7


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_overlaps_are_those_of_average_precision(seed: int) -> None:
    """The tracker has them of its own, since it is stored where the project is not."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 1, (9, 2))
    boxes = np.concatenate([low, low + rng.uniform(0, 1, (9, 2)) * (rng.random((9, 1)) < 0.9)], axis=1)
    np.testing.assert_array_equal(
        tracker.overlaps(boxes[:4], boxes[4:]), average_precision.overlaps(boxes[:4], boxes[4:])
    )
