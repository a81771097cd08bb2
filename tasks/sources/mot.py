"""Clips as the MOTChallenge keeps them, in a zip archive: `seqinfo.ini`, `gt/gt.txt`, `det/det.txt` and the frames.

It counts frames, tracks and pixels from 1; here, frames are counted from 0, and corners are relative to the frame.
"""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from tasks.errors import BadData, Refused
from tasks.sources import contents
from tasks.sources.annotations import BOX, LARGEST_SIDE, check_bytes, number

BYTES = 64 * 1024**2
"""Most bytes of a file of boxes; a clip of MOT15 has at most a thousandth of them."""

FIELDS = ["frame", "track", "left", "top", "width", "height", "score", "x", "y", "z"]
WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
NAME = re.compile(r"[\w.-]+", re.ASCII)
LARGEST_CLIP = 1_000_000


@dataclass(frozen=True)
class Info:
    """What seqinfo.ini says: a clip's name, its number of frames, frames a second, a frame's pixels, and its files.

    Args:
        folder, ending: of the frames' files, which are numbered from 000001.
    """

    name: str
    frames: int
    rate: float
    width: int
    height: int
    folder: str
    ending: str


@dataclass(frozen=True)
class Sequence:
    """A clip's boxes.

    Args:
        truth: `frame`, `track`, `label` (0, a person), `y1`, `x1`, `y2`, `x2`: those that count.
        detections: the same with `score`, in the detector's unit, and no `track`.
    """

    info: Info
    truth: pd.DataFrame
    detections: pd.DataFrame


def read(archive: contents.Archive, folder: str) -> Sequence:
    """The clip in `folder` of an archive that `contents.opened` gave; boxes may reach out of their frame.

    Raises:
        BadData: if a file is missing or not of this format; names file and line, what must hold and what came.

    Source: L. Leal-Taixé et al., MOTChallenge 2015: Towards a Benchmark for Multi-Target Tracking (2015), section 3.4.
    """
    files = {name: f"{folder}/{name}" for name in ("seqinfo.ini", "gt/gt.txt", "det/det.txt")}
    info = parse_info(contents.content(archive, files["seqinfo.ini"]), files["seqinfo.ini"])
    truth = parse_truth(contents.content(archive, files["gt/gt.txt"]), files["gt/gt.txt"], info)
    found = parse_detections(contents.content(archive, files["det/det.txt"]), files["det/det.txt"], info)
    return Sequence(info, truth, found)


def folder(archive: contents.Archive, clip: str) -> str:
    """Where in an archive the clip of that name lies, which may be packed below any folder.

    Raises:
        BadData: if it is not there once.
    """
    ends = (clip, "seqinfo.ini")
    found = [path.parent for path in map(PurePosixPath, archive.namelist()) if path.parts[-2:] == ends]
    if len(found) != 1:
        raise BadData(f"the archive must hold one `{'/'.join(ends)}`. Received: {len(found)}")
    return str(found[0])


def frames(archive: contents.Archive, folder: str, info: Info) -> Iterator[np.ndarray]:
    """The clip's pictures in order, one at a time: uint8 (H, W, 3)."""
    for index in range(info.frames):
        name = str(PurePosixPath(folder) / info.folder / f"{index + 1:06}{info.ending}")
        yield decoded(contents.content(archive, name), name, info)


def decoded(content: bytes, name: str, info: Info) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as picture:
            if picture.size != (info.width, info.height):
                wanted = f"{info.width} x {info.height}"
                raise BadData(f"`{name}` must have {wanted} pixels. Received: {picture.width} x {picture.height}")
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadData(f"`{name}` must be a whole photograph. Received: {error}") from None


def parse_info(content: bytes, file: str) -> Info:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text(content, file))
        section = parser["Sequence"]
        values = [section[key] for key in ("name", "seqLength", "frameRate", "imWidth", "imHeight", "imDir", "imExt")]
    except (configparser.Error, KeyError) as error:
        raise BadData(
            f"`{file}` must be a `[Sequence]` of this format. Received: {' '.join(str(error).split())}"
        ) from None
    name, length, rate, width, height, folder, ending = values
    for part in (folder, ending):
        if not NAME.fullmatch(part) or part == "..":
            raise Refused(f"`imDir` and `imExt` of `{file}` must be plain names. Received: {part[:40]!a}")
    wide, high = (ranged(side, f"a side of a frame in `{file}`", LARGEST_SIDE) for side in (width, height))
    count = ranged(length, f"`seqLength` of `{file}`", LARGEST_CLIP)
    if (speed := number(rate, f"`frameRate` of `{file}`")) <= 0:
        raise BadData(f"`frameRate` of `{file}` must be above 0. Received: {rate}")
    return Info(name, count, speed, wide, high, folder, ending)


def ranged(value: str, where: str, most: int) -> int:
    """The whole number from 1 to `most` that a text is."""
    if not WHOLE.fullmatch(value) or not 1 <= int(value) <= most:
        raise BadData(f"{where} must be a whole number of 1..{most}. Received: {value[:40]!a}")
    return int(value)


def parse_truth(content: bytes, file: str, info: Info) -> pd.DataFrame:
    """True boxes, without those that the format says to ignore: their seventh column is 0."""
    rows = parse_rows(content, file, info)
    refuse(rows, rows["track"] < 1, file, "must have a track of at least 1", "track")
    refuse(rows, ~rows["score"].isin([0, 1]), file, "must have 0 or 1 in its seventh column", "score")
    refuse(rows, rows.duplicated(["frame", "track"]), file, "must be its track's only one in a frame", "track")
    return relative(rows[rows["score"] == 1], info)[["frame", "track", "label", *BOX]]


def parse_detections(content: bytes, file: str, info: Info) -> pd.DataFrame:
    """A detector's boxes, which belong to no track."""
    rows = parse_rows(content, file, info)
    refuse(rows, rows["track"] != -1, file, "must have -1 for a track", "track")
    return relative(rows, info)[["frame", "label", "score", *BOX]]


def parse_rows(content: bytes, file: str, info: Info) -> pd.DataFrame:
    """FIELDS as they stand there, and `line`, counted from 1; empty lines are passed over."""
    check_bytes(content, file, BYTES)
    lines = [(place, line) for place, line in enumerate(text(content, file).split("\n"), 1) if line.strip()]
    values = [parse_row(line, f"line {place} of `{file}`") for place, line in lines]
    rows = pd.DataFrame(np.array(values, np.float64).reshape(-1, len(FIELDS)), columns=FIELDS)
    rows = rows.assign(line=[place for place, _ in lines])
    outside = (rows["frame"] < 1) | (rows["frame"] > info.frames)
    refuse(rows, outside, file, f"must have a frame of 1..{info.frames}", "frame")
    for side in ("width", "height"):
        refuse(rows, rows[side] <= 0, file, f"must have a {side} above 0", side)
    return rows.astype({"frame": np.int64, "track": np.int64})


def parse_row(line: str, where: str) -> list[float]:
    values = [value.strip() for value in line.split(",")]
    if len(values) != len(FIELDS):
        raise BadData(f"{where} must have {len(FIELDS)} columns. Received: {len(values)}")
    for name, value in zip(FIELDS[:2], values, strict=False):
        if not WHOLE.fullmatch(value):
            raise BadData(f"{where} must have a whole number for a {name}. Received: {value[:40]!a}")
    return [number(value, f"`{name}` in {where}") for name, value in zip(FIELDS, values, strict=True)]


def refuse(rows: pd.DataFrame, wrong: pd.Series, file: str, rule: str, column: str) -> None:
    """Raise BadData for the first row that is wrong."""
    if wrong.any():
        row = rows[wrong].iloc[0]
        raise BadData(f"line {row['line']:.0f} of `{file}` {rule}. Received: {row[column]:g}")


def relative(rows: pd.DataFrame, info: Info) -> pd.DataFrame:
    """Rows with corners, and the label 0; the first pixel is 1, so that a frame's corner is 1, 1."""
    left, top = rows["left"] - 1, rows["top"] - 1
    right, bottom = left + rows["width"], top + rows["height"]
    corners = {"y1": top / info.height, "x1": left / info.width, "y2": bottom / info.height, "x2": right / info.width}
    return rows.assign(frame=rows["frame"] - 1, label=0, **corners).reset_index(drop=True)


def text(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadData(f"`{file}` must be UTF-8. Received: {error.reason} at {error.start}") from None
