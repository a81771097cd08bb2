"""A clip with its tracks drawn, as a GIF: a box, the number and a short trail of each, in a colour of its own."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from tasks import places
from tasks.errors import BadData, BadRequest
from tasks.tracker import BOX

SHADES, HUES = 48, 16
"""Colours of the palette for frames and for tracks: few make a small file."""

TRAIL = 20
"""Frames that a trail goes back."""

LEAST, MOST = 256, 384
"""Pixels of a shown frame's longer side: small ones are enlarged by whole numbers, and large ones made smaller."""

GOLDEN = 0.618034
"""Steps of this share of the circle of hues never come near to one another soon."""


def write(path: Path, frames: Iterable[np.ndarray], tracks: pd.DataFrame, *, rate: float) -> None:
    """Write the GIF, which starts again when it is over.

    Args:
        frames: uint8 (H, W) or (H, W, 3), all of one size.
        tracks: `frame`, `track`, `y1`, `x1`, `y2`, `x2` (relative).
        rate: frames a second, above 0; GIF counts hundredths of seconds, and shows at most 50.

    Raises:
        BadData: if there is no frame, or one is of another size or form.
    """
    if not 0 < rate < float("inf"):
        raise BadRequest(f"`rate` must be above 0. Received: rate={rate}")
    pictures = drawn(frames, tracks)
    first = next(pictures, None)
    if first is None:
        raise BadData("a clip must have frames. Received: none")
    pause = max(2, round(100 / rate)) * 10
    options = {"save_all": True, "append_images": pictures, "duration": pause, "loop": 0, "disposal": 1}
    places.write_file(path, lambda beside: first.save(beside, "GIF", **options))


def drawn(frames: Iterable[np.ndarray], tracks: pd.DataFrame) -> Iterator[Image.Image]:
    """Frames with what has happened by then, one at a time, all with one palette: the first's, and that of tracks."""
    palette: Image.Image | None = None
    size: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        check(frame, number, size)
        size = frame.shape[:2]
        past = tracks[(tracks["frame"] > number - TRAIL) & (tracks["frame"] <= number)]
        picture = sized(frame)
        palette = palette or palette_of(picture)
        yield annotated(picture, past.sort_values("frame"), number).quantize(palette=palette, dither=Image.Dither.NONE)


def check(frame: np.ndarray, number: int, size: tuple[int, ...] | None) -> None:
    colours = frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)
    if frame.dtype != np.uint8 or not colours or 0 in frame.shape:
        raise BadData(f"frame {number} must be uint8 (H, W) or (H, W, 3). Received: {frame.dtype} {frame.shape}")
    if size and frame.shape[:2] != size:
        raise BadData(f"frame {number} must be as large as the one before, {size}. Received: {frame.shape[:2]}")


def sized(frame: np.ndarray) -> Image.Image:
    longer = max(frame.shape[:2])
    times = max(1, -(-LEAST // longer))
    picture = Image.fromarray(frame.repeat(times, axis=0).repeat(times, axis=1)).convert("RGB")
    if longer > MOST:
        picture.thumbnail((MOST, MOST))
    return picture


def annotated(picture: Image.Image, past: pd.DataFrame, number: int) -> Image.Image:
    """The picture with the boxes of its frame, and the way that their middles came."""
    pen = ImageDraw.Draw(picture)
    for _, rows in past.groupby("track"):
        if rows["frame"].iloc[-1] == number:
            corners = rows[BOX].to_numpy(np.float64) * ([picture.height, picture.width] * 2)
            draw(pen, corners, int(rows["track"].iloc[0]))
    return picture


def draw(pen: ImageDraw.ImageDraw, corners: np.ndarray, track: int) -> None:
    """One track: corners (T, 4) in pixels, the last of them those of this frame."""
    ink = colour(track)
    middles = (corners[:, :2] + corners[:, 2:])[:, ::-1] / 2
    if len(middles) > 1:
        pen.line([(x, y) for x, y in middles], fill=ink, width=2)
    top, left, bottom, right = np.rint(corners[-1])
    pen.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=ink, width=2)
    pen.text((left + 4, top + 2), str(track), fill=ink)


def colour(track: int) -> tuple[int, int, int]:
    """Bright, one of as many as there are hues, and unlike those of the tracks before."""
    red, green, blue = colorsys.hsv_to_rgb((track % HUES) * GOLDEN % 1, 0.85, 1)
    return round(255 * red), round(255 * green), round(255 * blue)


def palette_of(picture: Image.Image) -> Image.Image:
    """An image whose palette has the colours of a frame and of every track."""
    shades = (picture.quantize(SHADES).getpalette() or [])[: 3 * SHADES]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*shades, *[part for track in range(HUES) for part in colour(track)]])
    return palette
