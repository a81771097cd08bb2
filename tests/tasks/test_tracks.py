"""Scores of tracks, against what a hand finds for small clips."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import places, tracks
from tasks.errors import BadData
from tasks.tracker import BOX


def clip(*rows: tuple[float, ...], label: int = 0) -> pd.DataFrame:
    """Boxes of frame, track and left side, ten high and wide."""
    table = pd.DataFrame(rows, columns=["frame", "track", "x1"]).assign(label=label, y1=0.0, y2=10.0)
    return table.assign(x2=table["x1"] + 10)


TRUE = clip(*[(frame, track, 100 * track) for frame in range(5) for track in (1, 2)])
"""Two objects for five frames, far apart."""


def test_perfect_tracks_have_ones() -> None:
    found = tracks.compare(TRUE, TRUE.assign(track=TRUE["track"] + 40).sample(frac=1, random_state=0))
    assert found == tracks.Scores(mota=1, motp=1, idf1=1, hota=1, switches=0, misses=0, false=0, boxes=10)


def test_one_miss() -> None:
    """IDF1 is 2 * 9 / (10 + 9). Of HOTA: 9 / 10 found; associated (4 * 4/5 + 5 * 1) / 9."""
    found = tracks.compare(TRUE, TRUE.drop(index=3))
    assert (found.switches, found.misses, found.false) == (0, 1, 0)
    assert (found.mota, found.motp) == pytest.approx((0.9, 1))
    assert found.idf1 == pytest.approx(18 / 19)
    assert found.hota == pytest.approx(np.sqrt(9 / 10 * (4 * 4 / 5 + 5) / 9))


def test_one_false_box() -> None:
    """It is a track of its own, near nothing."""
    found = tracks.compare(TRUE, pd.concat([TRUE, clip((2, 9, 500))]))
    assert (found.switches, found.misses, found.false) == (0, 0, 1)
    assert (found.mota, found.motp) == pytest.approx((0.9, 1))
    assert found.idf1 == pytest.approx(20 / 21)
    assert found.hota == pytest.approx(np.sqrt(10 / 11))


def test_one_switch() -> None:
    """From the frame 3 on, object 2 is track 7: of its boxes only three are those of one track.

    IDF1 is 2 * 8 / (10 + 10). Associated: 5 * 1, 3 * 3/5 and 2 * 2/5, of 10.
    """
    switched = TRUE.assign(track=np.where((TRUE["track"] == 2) & (TRUE["frame"] >= 3), 7, TRUE["track"]))
    found = tracks.compare(TRUE, switched)
    assert (found.switches, found.misses, found.false) == (1, 0, 0)
    assert (found.mota, found.motp) == pytest.approx((0.9, 1))
    assert found.idf1 == pytest.approx(0.8)
    assert found.hota == pytest.approx(np.sqrt((5 + 9 / 5 + 4 / 5) / 10))


@pytest.mark.parametrize(("right", "mota"), [(3.3, 1), (3.4, -1)])
def test_half_of_the_union_is_needed(right: float, mota: float) -> None:
    """Ten wide and moved by d, boxes overlap by (10 - d) / (10 + d): .5 at 10 / 3; HOTA asks for .05 to .95."""
    found = tracks.compare(TRUE, TRUE.assign(x1=TRUE["x1"] + right, x2=TRUE["x2"] + right))
    overlap = (10 - right) / (10 + right)
    assert found.mota == mota
    assert found.motp == pytest.approx(overlap) if mota == 1 else np.isnan(found.motp)
    assert found.hota == pytest.approx(np.mean(np.arange(1, 20) * 0.05 <= overlap))


def test_another_label_is_another_object() -> None:
    found = tracks.compare(TRUE, TRUE.assign(label=1))
    assert (found.mota, found.idf1, found.hota, found.misses, found.false) == (-1, 0, 0, 10, 10)


def test_nothing_found() -> None:
    found = tracks.compare(TRUE, TRUE.iloc[:0])
    assert (found.mota, found.idf1, found.hota, found.misses, found.false) == (0, 0, 0, 10, 0)
    assert np.isnan(found.motp)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_names_of_tracks_and_order_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = TRUE[rng.random(len(TRUE)) < 0.8].assign(x1=lambda table: table["x1"] + rng.uniform(0, 4))
    names = rng.permutation(50)
    other = found.assign(track=names[found["track"]]).sample(frac=1, random_state=seed % 1000)
    assert tracks.compare(TRUE, found) == tracks.compare(TRUE, other)


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        (TRUE.assign(x1=np.nan), "found tracks must have finite numbers"),
        (
            pd.concat([TRUE, TRUE.iloc[3:4]]),
            r"found tracks must have one box in a frame\. Received: two of track 2 in f",
        ),
        (TRUE.drop(columns=[BOX[0], "label"]), r"must have the columns .*\. Received: no label, y1"),
    ],
)
def test_bad_tracks_are_told(table: pd.DataFrame, rule: str) -> None:
    with pytest.raises(BadData, match=rule):
        tracks.compare(TRUE, table)


def test_there_must_be_something_to_find() -> None:
    with pytest.raises(BadData, match="there must be true tracks"):
        tracks.compare(TRUE.iloc[:0], TRUE)


def test_scores_need_no_cameras() -> None:
    """OpenCV is not installed here, and the libraries of scores must do without."""
    code = "import sys, trackeval.metrics, motmetrics, tasks.tracks; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=places.ROOT, check=False).returncode == 0
