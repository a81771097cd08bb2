"""Tracking by detection: which of the boxes that a detector finds in a clip's frames show the same object.

A Kalman filter for each track predicts where its object is in the next frame, and the Hungarian method gives the
detections there to the tracks that they overlap most. Any detector fits: it is asked for boxes, frame by frame.

This file is stored with every registered tracker, which works where the project is not: it imports nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

BOX = ["y1", "x1", "y2", "x2"]
"""The corners of a box, in their order."""

COLUMNS = ["frame", "track", *BOX, "score", "label"]
TOLD = ["frame", "id", "label", "score", *BOX]
"""Of tracks, for this file's functions and for whoever asked for them."""

TRANSITION = np.eye(7) + np.eye(7, k=4)
"""Middle and area move by their speeds in a frame; the ratio stays."""

PROCESS = np.diag([1, 1, 1, 1, 1e-2, 1e-2, 1e-4])
MEASUREMENT = np.diag([1.0, 1.0, 10.0, 10.0])
START = np.diag([10.0, 10.0, 10.0, 10.0, 1e4, 1e4, 1e4])
"""Covariances of a frame's change, of a measured box, and of a new track, whose speeds nobody knows: pixels."""

REACH = 2.0
"""How far a corner may lie out of its frame, in frames: objects may be seen in part, corners in pixels are refused."""

TRACK = np.dtype(
    [
        ("track", "i8"),
        ("label", "i4"),
        ("score", "f8"),
        ("hits", "i8"),
        ("missed", "i8"),
        ("state", "f8", (7,)),
        ("covariance", "f8", (7, 7)),
    ]
)
DETECTION = np.dtype([("label", "i4"), ("score", "f8"), ("box", "f8", (4,))])
FOUND = np.dtype([("track", "i8"), ("boxes", "f4", (4,)), ("labels", "i4"), ("scores", "f4")])


class WrongDetections(ValueError):
    """Detections that no tracker can use; says which, what must hold and what came."""


Detections = Mapping[str, np.ndarray] | np.void
"""What a detector finds in one frame: `boxes` (N, 4) relative, `labels` (N,), -1 for none, and `scores` (N,)."""


@dataclass(frozen=True)
class Settings:
    """How tracks are made.

    Args:
        height, width: of a frame, pixels, in which the filter's covariances are.
        overlap: intersection over union that a detection must have with a track's predicted box, 0..1, above 0.
        max_age: frames in a row in which a track may find no detection; it ends with one more.
        min_hits: detections that a track must find after its first to be told of; those of a clip's first frames,
            as many, are told of at once.
        score: detections below it are left out.
    """

    height: int
    width: int
    overlap: float = 0.3
    max_age: int = 1
    min_hits: int = 3
    score: float = -math.inf

    def __post_init__(self) -> None:
        """Check every setting.

        Raises:
            ValueError: names the one that is wrong.
        """
        rules = {
            "height": (self.height >= 1, "at least 1"),
            "width": (self.width >= 1, "at least 1"),
            "overlap": (0 < self.overlap <= 1, "above 0 and at most 1"),
            "max_age": (self.max_age >= 0, "at least 0"),
            "min_hits": (self.min_hits >= 0, "at least 0"),
            "score": (not math.isnan(self.score), "a number"),
        }
        for name, (holds, rule) in rules.items():
            if not holds:
                raise ValueError(f"`{name}` must be {rule}. Received: {name}={getattr(self, name)}")


def track(frames: Iterable[Detections], settings: Settings) -> pd.DataFrame:
    """Tracks through a clip: a row for each box, `frame` and `track` from 0, corners relative, `score` and `label`.

    Args:
        frames: what a detector found in each, such as the rows of a detector's record array.
    """
    tracker = Tracker(settings)
    told = [tracker.update(found["boxes"], found["scores"], found["labels"]) for found in frames]
    rows = np.concatenate([np.empty(0, FOUND), *told])
    table = pd.DataFrame(rows["boxes"], columns=BOX).assign(score=rows["scores"], label=rows["labels"])
    frame = np.repeat(np.arange(len(told)), [len(found) for found in told])
    return table.assign(frame=frame, track=rows["track"])[COLUMNS]


class Tracker:
    """SORT, frame by frame.

    Tracks and detections are of one class each, and only those of the same are matched. Detections are taken in an
    order of their own, so that the order in which a detector gives them changes nothing.

    Source: A. Bewley et al., Simple Online and Realtime Tracking, ICIP (2016), sections 3.2 to 3.4; covariances as in
        its authors' program, which the paper does not tell. Departures: pairs that overlap too little are no choice
        at all, where the paper rejects them once they are chosen; and probation is only for new tracks, as in the
        paper, where the program puts one on probation again whenever it finds no detection.
    """

    def __init__(self, settings: Settings) -> None:
        """Begin a clip; another needs a tracker of its own."""
        self.settings = settings
        self.tracks = np.empty(0, TRACK)
        self.started = 0
        self.frames = 0

    def update(self, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The tracks that the next frame shows: a record array by number of track, boxes as the filter has them.

        Args:
            boxes: (N, 4) relative; those without area and those of label -1 are left out.
            scores: (N,) of the detector, in any unit.
            labels: (N,) whole numbers.

        Raises:
            WrongDetections: if shapes do not fit, numbers are not finite, corners are swapped or not relative; no
                frame has passed then.
        """
        found = detections(boxes, scores, labels, self.settings)
        tracks = predicted(self.tracks)
        rows, columns = matched(tracks, found, self.settings.overlap)
        tracks[rows] = corrected(tracks[rows], found[columns])
        new = started(np.delete(found, columns), self.started)
        self.tracks = np.concatenate([tracks[tracks["missed"] <= self.settings.max_age], new])
        self.started += len(new)
        self.frames += 1
        return self.told()

    def told(self) -> np.ndarray:
        """Tracks that the last frame shows, and that are on probation no more."""
        sure = (self.tracks["hits"] >= self.settings.min_hits) | (self.frames <= self.settings.min_hits)
        tracks = self.tracks[sure & (self.tracks["missed"] == 0)]
        found = np.empty(len(tracks), FOUND)
        found["track"], found["labels"], found["scores"] = tracks["track"], tracks["label"], tracks["score"]
        found["boxes"] = corners(tracks["state"]) / pixels(self.settings)
        return found


def detections(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, settings: Settings) -> np.ndarray:
    """Those that count, in pixels, the surest first; equally sure ones by label and corners."""
    boxes, scores, labels = np.asarray(boxes, np.float64), np.asarray(scores, np.float64), np.asarray(labels)
    check_shapes(boxes, scores, labels)
    used = labels >= 0
    boxes, scores, labels = boxes.reshape(-1, 4)[used], scores[used], labels[used]
    check_corners(boxes, scores)
    counts = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (scores >= settings.score)
    found = np.empty(counts.sum(), DETECTION)
    found["box"], found["score"], found["label"] = boxes[counts] * pixels(settings), scores[counts], labels[counts]
    return found[np.lexsort([*found["box"].T, found["label"], -found["score"]])]


def check_shapes(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> None:
    """As many boxes, scores and labels, which are whole numbers.

    Raises:
        WrongDetections: what came instead.
    """
    count = len(labels) if labels.ndim == 1 else -1
    if scores.shape != (count,) or (boxes.shape != (count, 4) and (count or boxes.size)):
        shapes = f"{boxes.shape}, {scores.shape}, {labels.shape}"
        raise WrongDetections(f"boxes, scores and labels must be (N, 4), (N,) and (N,). Received: {shapes}")
    if count and labels.dtype.kind not in "iu":
        raise WrongDetections(f"labels must be whole numbers. Received: {labels.dtype}")


def check_corners(boxes: np.ndarray, scores: np.ndarray) -> None:
    """Finite scores, and boxes that are none but relative.

    Raises:
        WrongDetections: names the first detection that is wrong, counted without those of label -1.
    """
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    rules = {
        "must have finite corners and score": ~finite,
        "must have y1 <= y2 and x1 <= x2": (boxes[:, :2] > boxes[:, 2:]).any(axis=1),
        f"must be relative, {-REACH:g}..{1 + REACH:g}": ((boxes < -REACH) | (boxes > 1 + REACH)).any(axis=1),
    }
    for rule, wrong in rules.items():
        if wrong.any():
            row = int(wrong.argmax())
            received = ", ".join(f"{name}={value:.6g}" for name, value in zip(BOX, boxes[row], strict=True))
            raise WrongDetections(f"detection {row} {rule}. Received: {received}, score={scores[row]:.6g}")


def predicted(tracks: np.ndarray) -> np.ndarray:
    """Tracks a frame later, none of them seen in it; an area that would shrink to nothing stays what it is."""
    later = tracks.copy()
    later["state"][:, 6] *= tracks["state"][:, 2] + tracks["state"][:, 6] > 0
    later["state"], later["covariance"] = predict(later["state"], later["covariance"])
    later["missed"] += 1
    return later


def corrected(tracks: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Tracks with the detections that are theirs, row by row."""
    seen = tracks.copy()
    seen["state"], seen["covariance"] = correct(tracks["state"], tracks["covariance"], measured(found["box"]))
    seen["score"], seen["missed"] = found["score"], 0
    seen["hits"] += 1
    return seen


def started(found: np.ndarray, number: int) -> np.ndarray:
    """A track for each detection, numbered from `number`, without speed."""
    new = np.zeros(len(found), TRACK)
    new["track"] = number + np.arange(len(found))
    new["label"], new["score"] = found["label"], found["score"]
    new["state"][:, :4], new["covariance"] = measured(found["box"]), START
    return new


def predict(state: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Kalman filter's guess of the next frame.

    Args:
        state: (T, 7) middle x and y, area, width by height, and the speeds of the first three.
        covariance: (T, 7, 7).
    """
    return state @ TRANSITION.T, TRANSITION @ covariance @ TRANSITION.T + PROCESS


def correct(state: np.ndarray, covariance: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Kalman filter's guess and what was measured, each weighted by how sure it is.

    Args:
        state, covariance: as in `predict`.
        box: (T, 4) as `measured` has it.
    """
    innovation = covariance[:, :4, :4] + MEASUREMENT
    gain = np.linalg.solve(innovation, covariance[:, :4, :]).swapaxes(1, 2)  # (T, 7, 4)
    better = state + np.einsum("tij,tj->ti", gain, box - state[:, :4])
    surer = covariance - gain @ covariance[:, :4, :]
    return better, (surer + surer.swapaxes(1, 2)) / 2


def matched(tracks: np.ndarray, found: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of tracks and of the detections that are theirs: those of the largest sum of overlaps."""
    overlap = overlaps(corners(tracks["state"]), found["box"])
    allowed = (overlap >= least) & (tracks["label"][:, np.newaxis] == found["label"])
    rows, columns = linear_sum_assignment(np.where(allowed, overlap, 0), maximize=True)
    kept = allowed[rows, columns]
    return rows[kept], columns[kept]


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (R, 4) and (M, 4): (R, M); 0 where neither has an area."""
    low = np.maximum(first[:, np.newaxis, :2], second[:, :2])
    high = np.minimum(first[:, np.newaxis, 2:], second[:, 2:])
    both = np.maximum(high - low, 0).prod(axis=2)
    areas = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second))
    union = np.add.outer(*areas) - both
    return np.asarray(np.divide(both, union, out=np.zeros_like(both), where=union > 0))


def measured(boxes: np.ndarray) -> np.ndarray:
    """Middle x and y, area, and width by height, of corners: (N, 4)."""
    y1, x1, y2, x2 = boxes.T
    return np.stack([(x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) * (y2 - y1), (x2 - x1) / (y2 - y1)], axis=1)


def corners(state: np.ndarray) -> np.ndarray:
    """Corners of the boxes that states (N, 4 or more) are of: (N, 4)."""
    x, y, area, ratio = state.T[:4]
    wide = np.sqrt(area * ratio)
    high = area / wide
    return np.stack([y - high / 2, x - wide / 2, y + high / 2, x + wide / 2], axis=1)


def pixels(settings: Settings) -> np.ndarray:
    """What relative corners are multiplied with."""
    return np.array([settings.height, settings.width] * 2, np.float64)


def filled(tracks: pd.DataFrame, longest: int) -> pd.DataFrame:
    """Tracks whose gaps of at most `longest` frames have boxes too, on straight lines between those around them.

    It looks ahead, so it is for clips that are over.
    """
    rows = tracks.sort_values(["track", "frame"], ignore_index=True)
    gap = rows["frame"].diff().shift(-1).where(rows["track"].eq(rows["track"].shift(-1)), 1).to_numpy(np.float64)
    steps = np.where((gap > 1) & (gap <= longest + 1), gap, 1).astype(np.int64)
    start = np.repeat(np.arange(len(rows)), steps)
    step = np.arange(len(start)) - np.repeat(np.cumsum(steps) - steps, steps)
    weight = (step / steps[start])[:, np.newaxis]
    values = rows[[*BOX, "score"]].to_numpy(np.float64)
    after = np.minimum(start + 1, len(rows) - 1)
    full = rows.iloc[start].assign(frame=rows["frame"].to_numpy()[start] + step)
    full[[*BOX, "score"]] = values[start] * (1 - weight) + values[after] * weight
    return full.sort_values(["frame", "track"], ignore_index=True)


def told(tracks: pd.DataFrame) -> pd.DataFrame:
    """Tracks as TOLD has it, for whoever asked: `id` is the track's number."""
    kinds = {"id": np.int64, "label": np.int64, "score": np.float64}
    return tracks.rename(columns={"track": "id"})[TOLD].astype(kinds).reset_index(drop=True)
