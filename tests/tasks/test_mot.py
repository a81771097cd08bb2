"""The MOTChallenge's clips: written by hand, by those who mean no good, and the real ones where they are."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks import places
from tasks.errors import BadData, MiarError, Refused
from tasks.sources import contents, mot
from tasks.tracker import BOX

SHARED = Path(os.environ.get("MIAR_MIRROR") or places.ROOT.parent / "shared" / "datasets") / "mot15_tud.zip"
INI = b"[Sequence]\nname=A\nimDir=img1\nframeRate=25\nseqLength=3\nimWidth=100\nimHeight=50\nimExt=.jpg\n"
INFO = mot.Info("A", 3, 25, 100, 50, "img1", ".jpg")


def test_info_by_hand() -> None:
    assert mot.parse_info(INI, "a.ini") == INFO


def test_truth_by_hand() -> None:
    """The first pixel is 1, 1; a box of the whole frame is 0..1, and the one that is marked with 0 does not count."""
    content = b"1,7,1,1,100,50,1,-1,-1,-1\r\n\n3, 8, 11, 6, 20.5, 10, 1, 0, 0, 0\n2,7,1,1,2,2,0,-1,-1,-1\n"
    found = mot.parse_truth(content, "gt.txt", INFO)
    assert found.columns.tolist() == ["frame", "track", "label", *BOX]
    assert found.values.tolist() == [[0, 7, 0, 0, 0, 1, 1], [2, 8, 0, 0.1, 0.1, 0.3, 0.305]]
    assert found["frame"].dtype == np.int64


def test_detections_by_hand() -> None:
    """They reach out of the frame as they like, and are as sure as their detector says."""
    found = mot.parse_detections(b"2,-1,-9,1,20,50,-0.5,-1,-1,-1", "det.txt", INFO)
    assert found.columns.tolist() == ["frame", "label", "score", *BOX]
    assert found.values.tolist() == [[1, 0, -0.5, 0, -0.1, 1, 0.1]]


def test_no_boxes_are_welcome() -> None:
    assert mot.parse_truth(b"\n", "gt.txt", INFO).shape == (0, 7)
    assert mot.parse_detections(b"", "det.txt", INFO).shape == (0, 7)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("1,1,1,1,5,5,1", "must have 10 columns. Received: 7"),
        ("1,1,1,1,5,5,1,0,0,0,0", "must have 10 columns. Received: 11"),
        ("1.5,1,1,1,5,5,1,0,0,0", "must have a whole number for a frame. Received: '1.5'"),
        ("1,x,1,1,5,5,1,0,0,0", "must have a whole number for a track. Received: 'x'"),
        ("1,1,1,nan,5,5,1,0,0,0", "must be a finite number. Received: 'nan'"),
        ("1,1,1,1,1e999,5,1,0,0,0", "must be a finite number"),
        ("1,1,1,1,0x5,5,1,0,0,0", "must be a finite number"),
        ("0,1,1,1,5,5,1,0,0,0", "must have a frame of 1..3. Received: 0"),
        ("4,1,1,1,5,5,1,0,0,0", "must have a frame of 1..3. Received: 4"),
        ("1,1,1,1,0,5,1,0,0,0", "must have a width above 0. Received: 0"),
        ("1,1,1,1,5,-5,1,0,0,0", "must have a height above 0. Received: -5"),
        ("1,0,1,1,5,5,1,0,0,0", "must have a track of at least 1. Received: 0"),
        ("1,1,1,1,5,5,0.5,0,0,0", "must have 0 or 1 in its seventh column. Received: 0.5"),
        ("2,9,1,1,5,5,1,0,0,0", "must be its track's only one in a frame. Received: 9"),
    ],
)
def test_a_bad_line_is_named(line: str, rule: str) -> None:
    content = f"2,9,1,1,5,5,1,0,0,0\n\n{line}\n".encode()
    with pytest.raises(BadData) as caught:
        mot.parse_truth(content, "a/gt.txt", INFO)
    assert "line 3 of `a/gt.txt`" in str(caught.value)
    assert rule in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_detections_have_no_track() -> None:
    with pytest.raises(BadData, match=r"line 1 of `det\.txt` must have -1 for a track\. Received: 4"):
        mot.parse_detections(b"1,4,1,1,5,5,1,0,0,0", "det.txt", INFO)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"[Sequence]", b"[Clip]", "must be a `\\[Sequence\\]`"),
        (b"imExt=.jpg\n", b"", "must be a `\\[Sequence\\]` of this format. Received: 'imExt'"),
        (b"[Sequence]\n", b"", "must be a `\\[Sequence\\]`"),
        (b"=3\n", b"=0\n", "`seqLength` of `a.ini` must be a whole number of 1..1000000. Received: '0'"),
        (b"=3\n", b"=9999999\n", "`seqLength`"),
        (b"=50\n", b"=5.5\n", "a side of a frame"),
        (b"=25\n", b"=0\n", "`frameRate` of `a.ini` must be above 0"),
        (b"=25\n", b"=fast\n", "`frameRate` of `a.ini` must be a finite number"),
        (b"=img1\n", b"=../../etc\n", "must be plain names"),
        (b"=img1\n", b"=..\n", "must be plain names"),
        (b"=.jpg\n", b"=/x\n", "must be plain names"),
        (b"name", b"\xff", "must be UTF-8"),
    ],
)
def test_bad_info_is_told(old: bytes, new: bytes, rule: str) -> None:
    with pytest.raises(MiarError, match=rule) as caught:
        mot.parse_info(INI.replace(old, new, 1), "a.ini")
    assert isinstance(caught.value, Refused if "plain" in rule else BadData)
    assert len(str(caught.value).splitlines()) == 1


def jpeg(colour: int, size: tuple[int, int] = (100, 50)) -> bytes:
    stream = io.BytesIO()
    Image.new("L", size, colour).save(stream, "JPEG")
    return stream.getvalue()


def zipped(path: Path, **changed: bytes) -> Path:
    members = {"seqinfo.ini": INI, "gt/gt.txt": b"1,1,1,1,5,5,1,0,0,0\n", "det/det.txt": b""}
    members |= {f"img1/{number:06}.jpg": jpeg(60 * number) for number in (1, 2, 3)} | changed
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"x/A/{name}", content)
    return path


def test_a_clip_from_an_archive(tmp_path: Path) -> None:
    with contents.opened(zipped(tmp_path / "a.zip")) as archive:
        clip = mot.read(archive, "x/A")
        pictures = list(mot.frames(archive, "x/A", clip.info))
    assert (clip.info, len(clip.truth), len(clip.detections)) == (INFO, 1, 0)
    assert [picture.shape for picture in pictures] == [(50, 100, 3)] * 3
    assert [picture.dtype for picture in pictures] == [np.uint8] * 3
    assert [picture.mean() for picture in pictures] == pytest.approx([60, 120, 180], abs=1)


@pytest.mark.parametrize(
    ("content", "rule"), [(jpeg(0, (50, 100)), "must have 100 x 50 pixels"), (b"no", "must be a whole photograph")]
)
def test_a_bad_picture_is_named(tmp_path: Path, content: bytes, rule: str) -> None:
    with contents.opened(zipped(tmp_path / "a.zip", **{"img1/000002.jpg": content})) as archive:
        pictures = mot.frames(archive, "x/A", INFO)
        next(pictures)
        with pytest.raises(BadData, match=rf"`x/A/img1/000002\.jpg` {rule}"):
            next(pictures)


@pytest.mark.skipif(not SHARED.exists(), reason="the clips of TUD are not here")
@pytest.mark.parametrize(
    ("name", "frames", "tracks", "boxes", "found"), [("Campus", 71, 8, 359, 322), ("Stadtmitte", 179, 10, 1156, 1129)]
)
def test_the_real_clips(name: str, frames: int, tracks: int, boxes: int, found: int) -> None:
    with contents.opened(SHARED) as archive:
        clip = mot.read(archive, f"mot15_tud/TUD-{name}")
        picture = next(mot.frames(archive, f"mot15_tud/TUD-{name}", clip.info))
    assert (clip.info.frames, clip.truth["track"].nunique(), len(clip.truth)) == (frames, tracks, boxes)
    assert len(clip.detections) == found
    assert picture.shape == (480, 640, 3)
