"""GIFs of tracks: what is drawn where, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import bouncing, clip
from tasks.errors import BadData, BadRequest
from tasks.tracker import BOX

BLACK = [np.zeros((256, 256), np.uint8)] * 3
MOVING = pd.DataFrame(
    [(frame, 3, 0.25, 0.25 + 0.125 * frame, 0.5, 0.5 + 0.125 * frame) for frame in range(2)],
    columns=["frame", "track", *BOX],
)
"""A box of 64 pixels that goes 32 to the right, and is not there in the third frame."""


def read(path: Path) -> list[np.ndarray]:
    with Image.open(path) as picture:
        found = []
        for number in range(picture.n_frames):
            picture.seek(number)
            found.append(np.asarray(picture.convert("RGB")))
        return found


def test_boxes_and_trails_are_where_they_should_be(tmp_path: Path) -> None:
    """The box's outermost pixels, its middle now and a frame ago, and nothing outside or where no track is."""
    clip.write(tmp_path / "a.gif", BLACK, MOVING, rate=10)
    first, second, third = read(tmp_path / "a.gif")
    ink = list(clip.colour(3))
    for picture, left in ((first, 64), (second, 96)):
        coloured = picture.any(axis=2)
        rows, columns = (np.flatnonzero(coloured.any(axis=axis)) for axis in (1, 0))
        assert [rows[0], columns[0], rows[-1], columns[-1]] == [64, left, 127, left + 63]
        assert picture[64, left].tolist() == picture[127, left + 63].tolist() == ink
        assert picture[64:80, left + 3 : left + 12].any()
    assert not first[96, 96:120].any()
    assert second[96, 98:128].tolist() == [ink] * 30
    assert not third.any()


def test_a_trail_is_short(tmp_path: Path) -> None:
    """A wide way down; after it, what was more than a trail ago is not drawn any more."""
    down = pd.DataFrame(
        [(frame, 0, 0.02 * frame, 0.4, 0.02 * frame + 0.1, 0.6) for frame in range(40)],
        columns=["frame", "track", *BOX],
    )
    clip.write(tmp_path / "a.gif", BLACK[:1] * 40, down, rate=10)
    last = read(tmp_path / "a.gif")[-1]
    middle = np.flatnonzero(last[:, 128].any(axis=1))
    assert middle[0] == pytest.approx(256 * (0.02 * (40 - clip.TRAIL) + 0.05), abs=2)


def test_the_file_loops_at_its_rate_and_is_small(tmp_path: Path) -> None:
    """Sixty frames of 256 x 256 would be 3.9 million bytes of a byte a pixel."""
    made = bouncing.clip(0)
    clip.write(tmp_path / "a.gif", made.frames, made.truth, rate=25)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
    assert (tmp_path / "a.gif").stat().st_size < 600_000
    with Image.open(tmp_path / "a.gif") as picture:
        assert (picture.format, picture.size, picture.n_frames) == ("GIF", (256, 256), 60)
        assert (picture.info["loop"], picture.info["duration"]) == (0, 40)


def test_the_frames_themselves_are_seen(tmp_path: Path) -> None:
    """Each pixel of a small frame as a square, in nearly its colour."""
    frame = np.random.default_rng(0).integers(0, 256, (8, 16, 3)).astype(np.uint8) // 128 * 255
    clip.write(tmp_path / "a.gif", [frame], MOVING.iloc[:0], rate=10)
    (shown,) = read(tmp_path / "a.gif")
    assert shown.shape == (128, 256, 3)
    assert np.abs(shown.astype(int) - frame.repeat(16, axis=0).repeat(16, axis=1)).max() < 16


def test_a_large_frame_is_made_smaller(tmp_path: Path) -> None:
    """Boxes are drawn where they are then."""
    clip.write(tmp_path / "a.gif", [np.zeros((768, 384), np.uint8)], MOVING[:1], rate=10)
    (shown,) = read(tmp_path / "a.gif")
    assert shown.shape == (384, 192, 3)
    assert [part.tolist()[0] for part in np.nonzero(shown.any(axis=2))] == [96, 48]


def test_tracks_have_their_own_colours() -> None:
    colours = [clip.colour(track) for track in range(clip.HUES)]
    apart = [max(np.abs(np.subtract(one, other))) for one in colours for other in colours if one != other]
    assert len(set(colours)) == clip.HUES
    assert min(apart) > 20
    assert clip.colour(clip.HUES) == colours[0]


@pytest.mark.parametrize(
    ("frames", "rule"),
    [
        ([], r"must have frames\. Received: none"),
        ([BLACK[0], np.zeros((256, 255), np.uint8)], r"frame 1 must be as large .*Received: \(256, 255\)"),
        ([np.zeros((4, 4))], r"frame 0 must be uint8 .*Received: float64"),
        ([np.zeros((4, 4, 4), np.uint8)], r"frame 0 must be uint8 .*Received: uint8 \(4, 4, 4\)"),
        ([np.zeros((0, 4), np.uint8)], "frame 0 must be uint8"),
    ],
)
def test_bad_frames_are_told_and_the_old_file_stays(tmp_path: Path, frames: list[np.ndarray], rule: str) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(b"old")
    with pytest.raises(BadData, match=rule):
        clip.write(path, frames, MOVING, rate=10)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_rate_is_above_0(tmp_path: Path, rate: float) -> None:
    with pytest.raises(BadRequest, match="`rate` must be above 0"):
        clip.write(tmp_path / "a.gif", BLACK, MOVING, rate=rate)
