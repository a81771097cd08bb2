"""How good tracks are: true ones beside those that were found, as the tracking challenges have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tasks.errors import BadData
from tasks.problems.boxes.average_precision import overlaps
from tasks.tracker import BOX

OVERLAP = 0.5
"""Intersection over union from which a found box may be that of a true one, for all but HOTA."""

NEEDED = ["frame", "track", "label", *BOX]


@dataclass(frozen=True)
class Scores:
    """What is said of tracks; all but the counts are 1 where every track is as it should be.

    Args:
        mota: 1 less misses, false boxes and switches, by the number of true boxes; below 0 if these are more.
        motp: mean overlap of matched boxes, NaN without any.
        idf1: of boxes, where each true track may be only one that was found.
        hota: geometric mean of detection and association, mean of 19 thresholds of overlap.
        switches: how often a true track goes on as another than before.
        misses: true boxes that were not found.
        false: found boxes that are none.
        boxes: true ones.
    """

    mota: float
    motp: float
    idf1: float
    hota: float
    switches: int
    misses: int
    false: int
    boxes: int


@dataclass(frozen=True)
class Frame:
    """Numbers of tracks, true (N,) and found (M,), and how much their boxes overlap (N, M), 0 between labels."""

    true: np.ndarray
    found: np.ndarray
    overlap: np.ndarray


def compare(true: pd.DataFrame, found: pd.DataFrame) -> Scores:
    """Score tracks; boxes of unlike labels are never the same object.

    Args:
        true, found: a row for each box: `frame`, `track`, `label`, `y1`, `x1`, `y2`, `x2`, in one unit.

    Raises:
        BadData: if nothing is true, a number is not finite, or a track has two boxes in a frame.

    Source: K. Bernardin, R. Stiefelhagen, The CLEAR MOT Metrics, EURASIP (2008); E. Ristani et al., Performance
        Measures for Multi-Target Multi-Camera Tracking, ECCV workshops (2016); J. Luiten et al., HOTA, IJCV (2021).
    """
    check(true, "true")
    check(found, "found")
    if true.empty:
        raise BadData("there must be true tracks to compare with. Received: none")
    frames = by_frame(true, found)
    return Scores(**clear(frames), hota=hota(frames), boxes=len(true))


def check(tracks: pd.DataFrame, which: str) -> None:
    if missing := [name for name in NEEDED if name not in tracks]:
        raise BadData(f"{which} tracks must have the columns {', '.join(NEEDED)}. Received: no {', '.join(missing)}")
    if not np.isfinite(tracks[NEEDED].to_numpy(np.float64)).all():
        raise BadData(f"{which} tracks must have finite numbers. Received: NaN or an infinity")
    if (again := tracks.duplicated(["frame", "track"])).any():
        frame, track = tracks.loc[again, ["frame", "track"]].iloc[0]
        raise BadData(f"{which} tracks must have one box in a frame. Received: two of track {track} in frame {frame}")


def by_frame(true: pd.DataFrame, found: pd.DataFrame) -> list[Frame]:
    """Every frame that has boxes of either kind, in order; tracks are numbered anew from 0."""
    both = [numbered(tracks) for tracks in (true, found)]
    parts = [dict(iter(tracks.groupby("frame"))) for tracks in both]
    none = [tracks.iloc[:0] for tracks in both]
    keys = np.union1d(true["frame"], found["frame"]).tolist()
    return [frame(*(part.get(key, empty) for part, empty in zip(parts, none, strict=True))) for key in keys]


def numbered(tracks: pd.DataFrame) -> pd.DataFrame:
    return tracks.assign(track=np.unique(tracks["track"], return_inverse=True)[1])


def frame(true: pd.DataFrame, found: pd.DataFrame) -> Frame:
    boxes, others = (each[BOX].to_numpy(np.float64) for each in (true, found))
    same = true["label"].to_numpy()[:, np.newaxis] == found["label"].to_numpy()
    return Frame(true["track"].to_numpy(), found["track"].to_numpy(), np.where(same, overlaps(boxes, others), 0))


def clear(frames: list[Frame]) -> dict[str, Any]:
    """MOTA, MOTP, IDF1 and the counts."""
    import motmetrics

    seen = motmetrics.MOTAccumulator()
    for number, one in enumerate(frames):
        distance = np.where(one.overlap >= OVERLAP, 1 - one.overlap, np.nan)
        seen.update(one.true, one.found, distance, frameid=number)
    counts = {"switches": "num_switches", "misses": "num_misses", "false": "num_false_positives"}
    names = ["mota", "motp", "idf1", *counts.values()]
    row = motmetrics.metrics.create().compute(seen, metrics=names, return_dataframe=False)
    scores = {"mota": float(row["mota"]), "motp": 1 - float(row["motp"]), "idf1": float(row["idf1"])}
    return {**scores, **{name: int(row[theirs]) for name, theirs in counts.items()}}


def hota(frames: list[Frame]) -> float:
    from trackeval.metrics import HOTA

    true, found = ([getattr(one, name) for one in frames] for name in ("true", "found"))
    data = {
        "gt_ids": true,
        "tracker_ids": found,
        "similarity_scores": [one.overlap for one in frames],
        "num_gt_dets": sum(map(len, true)),
        "num_tracker_dets": sum(map(len, found)),
        "num_gt_ids": len(np.unique(np.concatenate(true))),
        "num_tracker_ids": len(np.unique(np.concatenate(found))),
    }
    return float(np.mean(HOTA().eval_sequence(data)["HOTA"]))
