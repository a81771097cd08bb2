"""How fast the tracker is alone, without a detector and without frames: 10, 50 and 500 objects.

`python -m bench.tracking` lets boxes fly on straight lines over frames of 1920 x 1080 pixels, a tenth of them not
detected and all of them trembling, and times each frame. Its median is told in milliseconds and as frames a second.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from tasks.tracker import Settings, Tracker

OBJECTS = (10, 50, 500)
HEIGHT, WIDTH = 1080, 1920


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200)
    frames = parser.parse_args().frames
    print(f"{frames} frames, {os.cpu_count()} CPU cores")
    print(f"{'objects':>8}{'ms':>9}{'slowest':>9}{'frames/s':>10}{'tracks':>8}")
    for objects in OBJECTS:
        seconds, tracks = timed(objects, frames)
        middle = np.median(seconds)
        print(
            f"{objects:>8}{1000 * middle:>9.2f}{1000 * seconds.max():>9.2f}{1 / middle:>10.0f}{tracks:>8}", flush=True
        )


def timed(objects: int, frames: int) -> tuple[np.ndarray, int]:
    """Seconds of each frame, and how many tracks were begun."""
    rng, tracker = np.random.default_rng(0), Tracker(Settings(height=HEIGHT, width=WIDTH))
    side, speed = rng.uniform(0.02, 0.08, (objects, 2)), rng.normal(0, 0.002, (objects, 2))
    start, labels = rng.uniform(0, 0.9, (objects, 2)), np.zeros(objects, np.int32)
    seconds = np.empty(frames)
    for frame in range(frames):
        low = (start + frame * speed) % 0.9
        boxes = np.concatenate([low, low + side], axis=1) + rng.normal(0, 0.001, (objects, 4))
        seen = rng.random(objects) >= 0.1
        began = time.perf_counter()
        tracker.update(boxes[seen], np.ones(seen.sum()), labels[seen])
        seconds[frame] = time.perf_counter() - began
    return seconds, tracker.started


if __name__ == "__main__":
    main()
