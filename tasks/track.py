"""track: follow a detector's boxes through footage, and see how far each object is one track all along."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import models
from tasks import bases, catalogue, footage, pictures, places, records, tracker, tracks
from tasks.catalogue import GIVEN, TRUTH, Footage, Sort, Tracker
from tasks.clip import write as write_gif
from tasks.errors import BadData, BadRequest
from tasks.footage import Clip
from tasks.receipts import Tracked, digest_files
from tasks.tracker import BOX, Detections, Settings, WrongDetections
from tasks.tracks import Scores

METRICS, TRACKS = "metrics.json", "tracks.csv"

ALL = "all"
"""What the scores of all clips together are called."""

Finder = Callable[[Clip], Sequence[Detections]]
"""Finds the boxes of each frame of a clip."""


@dataclass(frozen=True)
class Followed:
    """What came of a clip.

    Args:
        tracks: `frame`, `track`, the corners, `score` and `label`.
        found: seconds that it took to find the boxes.
        followed: seconds that it took to follow them.
    """

    clip: Clip
    tracks: pd.DataFrame
    found: float
    followed: float


def track(name: str) -> Tracked:
    """Follow and score what the tracker called `name` is tried on; writes tracks, clips, scores and report.

    Raises:
        BadRequest: if the detector sees frames of another form.
        BadData: if there is no detector, or what it finds are no boxes.
        Unavailable: if the footage cannot be had.
    """
    known = catalogue.load()
    entry = known.tracker(name)
    find = finder(entry.detector)
    done = [follow(one, find, entry.sort) for one in footage.read(entry.footage)]
    scores = judge([one.clip for one in done], [one.tracks for one in done])
    total = scores[ALL]
    print(f"mota {total.mota:.4f}  idf1 {total.idf1:.4f}  hota {total.hota:.4f}", flush=True)
    with places.whole_folder(places.tracked(name)) as folder:
        write(name, entry, known.footage[entry.footage], done, scores, folder)
        return Tracked(
            name=name,
            digest=digest_files(folder, [METRICS, TRACKS]),
            scores={metric: getattr(total, metric) for metric in ("mota", "idf1", "hota")},
            footage=footage.digest([one.clip for one in done]),
            detector="" if entry.detector in (GIVEN, TRUTH) else bases.digest(entry.detector),
            clips={one.clip.name: one.clip.count for one in done},
            frames_per_second=speeds(done, entry.detector),
        ).write(folder)


def finder(detector: str) -> Finder:
    """What finds the boxes: a recipe's trained network, or who wrote down those that are given, or true."""
    if detector == TRUTH:
        return lambda one: by_frame(one.truth.assign(score=1.0), one.count)
    if detector == GIVEN:
        return lambda one: by_frame(one.given if one.given is not None else one.truth.iloc[:0], one.count)
    models.know_all()
    network = bases.network(detector)

    def find(one: Clip) -> Sequence[Detections]:
        frames = np.stack(list(one.frames()))
        if frames.shape[1:] != network.input_shape[1:]:
            raise BadRequest(
                f"`footage` must have frames of {network.input_shape[1:]}, which are what `{detector}` sees. "
                f"Received: {frames.shape[1:]} in {one.name}"
            )
        return list(records.ask(network, frames))

    return find


def by_frame(table: pd.DataFrame, count: int) -> list[Detections]:
    """The boxes of each of `count` frames, of a table with `frame`, `label`, `score` and the corners."""
    rows = [table[table["frame"] == frame] for frame in range(count)]
    return [
        {"boxes": row[BOX].to_numpy(), "labels": row["label"].to_numpy(np.int64), "scores": row["score"].to_numpy()}
        for row in rows
    ]


def follow(one: Clip, find: Finder, sort: Sort) -> Followed:
    """The tracks of one clip.

    Raises:
        BadData: names the clip, and which detection is none.
    """
    began = time.perf_counter()
    boxes = find(one)
    found = time.perf_counter()
    settings = Settings(one.height, one.width, **sort.model_dump(exclude_none=True, exclude={"longest_gap"}))
    try:
        made = tracker.filled(tracker.track(boxes, settings), sort.longest_gap)
    except WrongDetections as error:
        raise BadData(f"clip {one.name}: {error}") from None
    return Followed(one, made, found - began, time.perf_counter() - found)


def judge(clips: list[Clip], found: list[pd.DataFrame]) -> dict[str, Scores]:
    """Scores of each clip's tracks, and of all as if they were of one clip."""
    each = {clip.name: tracks.compare(clip.truth, one) for clip, one in zip(clips, found, strict=True)}
    return {**each, ALL: tracks.compare(joined([clip.truth for clip in clips]), joined(found))}


def joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Tracks of several clips as those of one, in which no frame and no track is of two of them."""
    apart = 1 + max(int(table[["frame", "track"]].to_numpy().max(initial=0)) for table in tables)
    return pd.concat(
        [
            table.assign(frame=table["frame"] + place * apart, track=table["track"] + place * apart)
            for place, table in enumerate(tables)
        ],
        ignore_index=True,
    )


def speeds(done: list[Followed], detector: str) -> dict[str, float]:
    """Frames a second of the tracker alone, and of the detector, where there is one."""
    frames = sum(one.clip.count for one in done)
    tracker = {"tracker": frames / sum(one.followed for one in done)}
    return tracker if detector in (GIVEN, TRUTH) else {**tracker, detector: frames / sum(one.found for one in done)}


def write(
    name: str, entry: Tracker, shown: Footage, done: list[Followed], scores: dict[str, Scores], folder: Path
) -> None:
    """Write scores, tracks, clips, and the report that shows them all."""
    numbers = {which: plain(one) for which, one in scores.items()}
    content = {**numbers[ALL], "clips": {one.clip.name: numbers[one.clip.name] for one in done}}
    (folder / METRICS).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    told = pd.concat([tracker.told(one.tracks).assign(clip=one.clip.name) for one in done])
    named = told.assign(label=np.array(shown.classes)[told["label"].to_numpy(np.int64)])
    named[["clip", *tracker.TOLD]].to_csv(folder / TRACKS, index=False, float_format="%.6f")
    (folder / "clips").mkdir()
    for one in done:
        frames = (frame.squeeze() for frame in one.clip.frames())
        write_gif(folder / "clips" / f"{one.clip.name}.gif", frames, one.tracks, rate=one.clip.rate)
    (folder / "report.html").write_text(report(name, entry, done, scores, folder), encoding="utf-8")


def plain(scores: Scores) -> dict[str, float | int | None]:
    """Scores as JSON has them, which has no NaN."""
    return {name: None if math.isnan(value) else value for name, value in asdict(scores).items()}


def report(name: str, entry: Tracker, done: list[Followed], scores: dict[str, Scores], folder: Path) -> str:
    """One page of scores, settings and clips that needs no network."""
    judged = pd.DataFrame([{"clip": which, **asdict(one)} for which, one in scores.items()])
    settings = {"detector": entry.detector, "footage": entry.footage, **entry.sort.model_dump()}
    chosen = pd.DataFrame({"setting": list(settings), "value": [str(value) for value in settings.values()]})
    passed = getattr(scores[ALL], entry.gate.metric) >= entry.gate.at_least
    gate = f"{entry.gate.metric} of at least {entry.gate.at_least}: {'reached' if passed else 'not reached'}"
    shown = [pictures.picture(folder / "clips" / f"{one.clip.name}.gif", heading(one)) for one in done]
    return pictures.page(
        f"Tracking by {name}",
        pictures.table(judged),
        f"<p>Gate: {gate}.</p>",
        *shown,
        f"<h2>Settings</h2>{pictures.table(chosen)}",
    )


def heading(one: Followed) -> str:
    true, found = one.clip.truth["track"].nunique(), one.tracks["track"].nunique()
    return f"{one.clip.name}: {one.clip.count} frames, {true} objects, {found} tracks"
