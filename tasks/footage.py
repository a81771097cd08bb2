"""Footage: clips in which every object and its way are known, of whatever kind, in one form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from tasks import bouncing, catalogue, sources
from tasks.catalogue import Bouncing, Challenge
from tasks.sources import contents, mot

RATE = 20.0
"""Frames a second at which generated clips are shown."""


@dataclass(frozen=True)
class Clip:
    """A clip and what is true of it.

    Args:
        rate: frames a second.
        count: how many frames there are.
        height, width: of a frame, pixels.
        frames: gives them in order, uint8 (H, W, C), C 1 or 3, as often as it is asked.
        truth: a row for each object in each frame: `frame`, `track`, `label`, `y1`, `x1`, `y2`, `x2`.
        given: boxes that came with it: `frame`, `label`, `score` and the corners; None where there are none.
    """

    name: str
    rate: float
    count: int
    height: int
    width: int
    frames: Callable[[], Iterator[np.ndarray]]
    truth: pd.DataFrame
    given: pd.DataFrame | None = None


def read(name: str) -> Iterator[Clip]:
    """The clips of the footage called `name`, one at a time.

    Raises:
        Unavailable: if its files cannot be had.
        BadData: if they are not what the catalogue promises.
    """
    entry = catalogue.load().footage[name]
    if entry.bouncing:
        yield from generated(entry.bouncing)
    elif entry.mot:
        yield from taken(name, entry.mot)


def generated(asked: Bouncing) -> Iterator[Clip]:
    for seed in range(asked.seed, asked.seed + asked.clips):
        made = bouncing.clip(seed, digits=asked.digits, frames=asked.frames, side=asked.side, noise=asked.noise)
        shown = partial(iter, made.frames[..., np.newaxis])
        yield Clip(f"seed_{seed}", RATE, asked.frames, asked.side, asked.side, shown, made.truth)


def taken(name: str, asked: Challenge) -> Iterator[Clip]:
    folder, _ = sources.obtain(name, asked.files, asked.origins)
    (file,) = asked.files
    for clip in asked.clips:
        with contents.opened(folder / file) as archive:
            found = mot.read(archive, mot.folder(archive, clip))
        info, shown = found.info, partial(pictures, folder / file, clip, found.info)
        yield Clip(clip, info.rate, info.frames, info.height, info.width, shown, found.truth, found.detections)


def pictures(path: Path, clip: str, info: mot.Info) -> Iterator[np.ndarray]:
    with contents.opened(path) as archive:
        yield from mot.frames(archive, mot.folder(archive, clip), info)


def digest(clips: list[Clip]) -> str:
    """sha256 of all frames, and of what is true of them."""
    total = hashlib.sha256()
    for clip in clips:
        total.update(clip.name.encode())
        total.update(clip.truth.to_csv(index=False).encode())
        for frame in clip.frames():
            total.update(frame.tobytes())
    return total.hexdigest()
