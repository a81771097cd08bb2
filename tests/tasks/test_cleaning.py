"""Cleaning: what becomes of every kind of picture, and of a process that dies of one."""

from __future__ import annotations

import io
import os
import signal
import struct
import time
import zlib
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageCms
from sklearn.datasets import load_sample_image

from tasks import cleaning
from tasks.cleaning import Cleaned, Rules

RULES = Rules(smallest=32, largest=256)
PHOTO = Image.fromarray(load_sample_image("china.jpg"))  # 640 x 427


def as_bytes(picture: Image.Image, kind: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **settings)
    return buffer.getvalue()


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., tuple[Cleaned, Image.Image | None]]:
    """Clean some bytes; gives what was found, and the stored picture."""

    def look(content: bytes, kind: str, rules: Rules = RULES) -> tuple[Cleaned, Image.Image | None]:
        path = tmp_path / "came"
        path.write_bytes(content)
        found = cleaning.look(path, kind, tmp_path / "kept", rules)
        stored = cleaning.stored(tmp_path / "kept", rules, found.sha256)
        return found, None if found.reason else Image.open(io.BytesIO(stored.read_bytes()))

    return look


Look = Callable[..., tuple[Cleaned, Image.Image]]


def test_a_photograph_is_reduced_and_keeps_what_it_shows(look: Look) -> None:
    found, picture = look(as_bytes(PHOTO, "JPEG", quality=95), "jpeg")
    assert (found.reason, found.mode, found.source_width, found.source_height) == ("", "RGB", 640, 427)
    assert picture.size == (found.width, found.height) == (256, 171)
    wanted = np.asarray(PHOTO.resize((256, 171), Image.Resampling.LANCZOS), dtype=float)
    assert np.abs(np.asarray(picture, dtype=float) - wanted).mean() < 3


def test_orientation_is_applied_and_no_metadata_is_left(look: Look) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    content = as_bytes(PHOTO, "JPEG", exif=exif, comment=b"where I live")
    found, picture = look(content, "jpeg")
    assert (found.source_width, found.source_height) == (427, 640)
    assert picture.size == (171, 256)
    upright = np.asarray(PHOTO.rotate(-90, expand=True).resize((171, 256)), dtype=float)
    assert np.abs(np.asarray(picture, dtype=float) - upright).mean() < 4
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not picture.getexif()


def test_a_tail_that_is_another_file_is_cut_off(look: Look, tmp_path: Path) -> None:
    found, _ = look(as_bytes(PHOTO, "JPEG") + b"PK\x03\x04 a zip archive", "jpeg")
    assert b"PK\x03\x04" not in cleaning.stored(tmp_path / "kept", RULES, found.sha256).read_bytes()


def test_what_is_transparent_becomes_white(look: Look) -> None:
    picture = PHOTO.resize((64, 64)).convert("RGBA")
    picture.paste((255, 0, 0, 0), (0, 0, 32, 64))
    _, kept = look(as_bytes(picture, "PNG"), "png")
    assert np.asarray(kept)[8:56, 4:28].min() > 240
    _, kept = look(as_bytes(picture, "WEBP", lossless=True), "webp")
    assert np.asarray(kept)[8:56, 4:28].min() > 240


def test_sixteen_bits_are_scaled_and_not_clipped(look: Look) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    _, kept = look(as_bytes(Image.fromarray(ramp), "PNG"), "png")
    assert np.abs(np.asarray(kept)[..., 0].astype(float) - ramp / 257).max() < 4


def test_cmyk_becomes_rgb(look: Look) -> None:
    found, kept = look(as_bytes(PHOTO.resize((64, 64)).convert("CMYK"), "JPEG", quality=95), "jpeg")
    assert (found.mode, kept.mode) == ("CMYK", "RGB")
    assert np.abs(np.asarray(kept, dtype=float) - np.asarray(PHOTO.resize((64, 64)), dtype=float)).mean() < 6


def test_a_colour_profile_is_applied_and_a_broken_one_is_none(look: Look) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain, _ = look(as_bytes(PHOTO, "JPEG", quality=95), "jpeg")
    same, kept = look(as_bytes(PHOTO, "JPEG", quality=95, icc_profile=lab), "jpeg")
    assert same.phash == plain.phash
    assert "icc_profile" not in kept.info
    broken, _ = look(as_bytes(PHOTO, "JPEG", quality=95, icc_profile=b"no profile"), "jpeg")
    assert broken.sha256 == plain.sha256


def test_the_perceptual_hash_is_that_of_imagehash() -> None:
    parts = [PHOTO.crop((left, top, left + 120, top + 90)) for left in range(0, 500, 50) for top in range(0, 300, 60)]
    assert [cleaning.phash(part) for part in parts] == [str(imagehash.phash(part)) for part in parts]


def bomb() -> bytes:
    """A PNG that says it has 30,000 x 30,000 pixels."""
    content = bytearray(as_bytes(Image.new("L", (8, 8)), "PNG"))
    content[16:24] = struct.pack(">II", 30_000, 30_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def frames() -> bytes:
    pictures = [PHOTO.resize((64, 64)), PHOTO.rotate(90).resize((64, 64))]
    return as_bytes(pictures[0], "WEBP", save_all=True, append_images=pictures[1:])


JPEG = as_bytes(PHOTO, "JPEG")
BAD = {
    "half a photograph": (JPEG[: len(JPEG) // 2], "jpeg", "decode"),
    "no photograph": (b"\xff\xd8\xff\xe0" + b"x" * 500, "jpeg", "decode"),
    "another format than it seemed": (as_bytes(PHOTO, "PNG"), "jpeg", "decode"),
    "a bomb": (bomb(), "png", "too_many_pixels"),
    "two frames": (frames(), "webp", "animated"),
    "a dot": (as_bytes(Image.new("RGB", (1, 1)), "PNG"), "png", "too_small"),
    "a line": (as_bytes(PHOTO.resize((4000, 40)), "JPEG"), "jpeg", "aspect"),
    "one grey": (as_bytes(Image.new("RGB", (300, 200), (204, 204, 204)), "JPEG"), "jpeg", "blank"),
    "nothing": (b"", "jpeg", "decode"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_says_why_and_leaves_nothing(look: Look, tmp_path: Path, case: str) -> None:
    content, kind, reason = BAD[case]
    assert look(content, kind)[0] == Cleaned(reason)
    assert reason in cleaning.REASONS
    assert not list(tmp_path.glob("kept/**/*.jpg"))


def files(folder: Path, pictures: dict[str, bytes]) -> dict[str, tuple[Path, str]]:
    for name, content in pictures.items():
        (folder / name).write_bytes(content)
    return {name: (folder / name, "jpeg") for name in pictures}


def test_what_was_decoded_is_not_decoded_again(tmp_path: Path) -> None:
    asked = files(tmp_path, {"a": JPEG, "b": BAD["half a photograph"][0]})
    told: list[tuple[int, int]] = []
    first = cleaning.clean(asked, tmp_path / "kept", RULES, say=lambda *done: told.append(done))
    assert told == [(2, 2)]
    for path, _ in asked.values():
        path.unlink()
    assert cleaning.clean(asked, tmp_path / "kept", RULES, say=lambda *done: told.append(done)) == first
    assert told == [(2, 2)]


def test_a_stored_picture_that_is_gone_is_made_again(tmp_path: Path) -> None:
    asked = files(tmp_path, {"a": JPEG})
    found = cleaning.clean(asked, tmp_path / "kept", RULES)["a"]
    stored = cleaning.stored(tmp_path / "kept", RULES, found.sha256)
    stored.unlink()
    assert cleaning.clean(asked, tmp_path / "kept", RULES)["a"] == found
    assert stored.is_file()


def frail(line: Connection, folder: Path, rules: Rules) -> None:
    """A decoder that dies of one picture, and sleeps over another."""
    while True:
        try:
            name, path, kind = line.recv()
        except EOFError:
            return
        if name == "killer":
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "sleeper":
            time.sleep(60)
        line.send(cleaning.look(Path(path), kind, folder, rules))


def test_a_decoder_that_dies_or_sleeps_costs_its_picture_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "work", frail)
    monkeypatch.setattr(cleaning, "SECONDS", 12.0)  # of which a decoder here takes some to start
    asked = files(tmp_path, dict.fromkeys(["a", "b", "killer", "m", "n", "sleeper", "y", "z"], JPEG))
    began = time.monotonic()
    found = cleaning.clean(asked, tmp_path / "kept", RULES, processes=2)
    assert {name: one.reason for name, one in found.items() if one.reason} == {"killer": "crashed", "sleeper": "slow"}
    assert len(found) == 8
    assert time.monotonic() - began < 60
    monkeypatch.setattr(cleaning, "work", WORK)
    assert {one.reason for one in cleaning.clean(asked, tmp_path / "kept", RULES).values()} == {""}


def test_a_decoder_has_no_more_memory_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture within the cap of pixels, 190 MB of them: with 100 MB it is refused, and the next one is decoded."""
    monkeypatch.setattr(cleaning, "work", poor)
    large = as_bytes(Image.new("RGB", (7900, 8000), (9, 200, 30)), "PNG", compress_level=1)
    (tmp_path / "large").write_bytes(large)
    (tmp_path / "small").write_bytes(as_bytes(PHOTO, "PNG"))
    asked = {name: (tmp_path / name, "png") for name in ("large", "small")}
    found = cleaning.clean(asked, tmp_path / "kept", RULES, processes=1)
    assert (found["large"].reason, found["small"].reason) == ("decode", "")


WORK = cleaning.work


def poor(line: Connection, folder: Path, rules: Rules) -> None:
    cleaning.MEMORY = 100 * 1024**2
    WORK(line, folder, rules)
