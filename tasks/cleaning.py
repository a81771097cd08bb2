"""Cleaning: bytes from the web become pictures that can be trusted, each in a process that may die of them.

A picture is decoded once, turned upright, converted to sRGB, laid on white, made no larger than asked, and written
anew without any metadata, so that nothing of the file that came is left but what is seen. What was found of some
bytes is kept, and the same bytes are not decoded again.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import multiprocessing
import os
import resource
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic

import numpy as np
import PIL
from PIL import Image, ImageCms, ImageOps, ImageStat, UnidentifiedImageError

from tasks import places

VERSION = f"2/pillow-{PIL.__version__}"
"""Changes where the same bytes would become another picture; Pillow's encoders are part of that."""

PIXELS = 64_000_000
ASPECT = 20
CONTRAST = 3
QUALITY = 95
SECONDS = 20.0
MEMORY = 1024**3
"""Most that the process of one picture may take: pixels, bytes of address space above its start, seconds."""

REASONS = {
    "animated": "it has more than one frame",
    "aspect": f"it is more than {ASPECT} times as long as wide",
    "blank": "it shows one colour",
    "crashed": "its decoder died of it",
    "decode": "it cannot be decoded to its end",
    "slow": f"decoding it took more than {SECONDS:.0f} s",
    "too_many_pixels": f"it has more than {PIXELS:,} pixels",
    "too_small": "its shorter side is too short",
}


PASSING = ("crashed", "slow")
"""What may be the machine's fault: it is not kept, and the next call tries again."""


@dataclass(frozen=True)
class Rules:
    """What a picture must be, and how it is kept.

    Args:
        smallest: pixels that the shorter side must have.
        largest: pixels that the longer side is reduced to.
    """

    smallest: int
    largest: int

    @functools.cached_property
    def key(self) -> str:
        """Names what is found and made by these rules."""
        return hashlib.sha256(f"{VERSION} {asdict(self)}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Cleaned:
    """What was found of some bytes.

    Args:
        reason: why they are no picture that can be used; empty if they are.
        sha256: of the picture as it is kept.
        phash: 64 bits of its perceptual hash, as 16 hexadecimal digits.
        mode: of the pixels as they came.
        width, height, source_width, source_height: pixels of the kept picture and of the one that came, upright.
    """

    reason: str
    sha256: str = ""
    phash: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    source_width: int = 0
    source_height: int = 0
    bytes: int = 0


class Rejected(Exception):
    """A picture that cannot be used; the message is one of REASONS."""


def stored(folder: Path, rules: Rules, sha256: str) -> Path:
    """Where the picture with that sha256 is kept."""
    return folder / f"{rules.key}/{sha256[:2]}/{sha256}.jpg"


def clean(
    files: Mapping[str, tuple[Path, str]],
    folder: Path,
    rules: Rules,
    *,
    processes: int | None = None,
    say: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Cleaned]:
    """Decode and store every file that has not been before.

    Args:
        files: path and format (`jpeg`, `png`, `webp`) of some bytes, by their sha256.
        folder: where pictures and findings are kept, for every later call.
        processes: that decode at once; None: one for each core.
        say: told how many of how many are done, now and then.
    """
    place = folder / rules.key
    place.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(place / "found.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE IF NOT EXISTS found (source TEXT PRIMARY KEY, what TEXT NOT NULL)")
        known = {source: Cleaned(**json.loads(what)) for source, what in database.execute("SELECT * FROM found")}
        known = {one: found for one, found in known.items() if one in files and is_whole(found, folder, rules)}
        jobs = [(one, str(path), kind) for one, (path, kind) in sorted(files.items()) if one not in known]
        for done, (source, found) in enumerate(results(jobs, folder, rules, processes or os.cpu_count() or 1), 1):
            known[source] = found
            if found.reason not in PASSING:
                database.execute("INSERT OR REPLACE INTO found VALUES (?, ?)", (source, json.dumps(asdict(found))))
            if done % 50 == 0 or done == len(jobs):
                database.commit()
                say(done, len(jobs))
    return known


def is_whole(found: Cleaned, folder: Path, rules: Rules) -> bool:
    """Whether the picture is still there that was found good."""
    return bool(found.reason) or stored(folder, rules, found.sha256).is_file()


Job = tuple[str, str, str]


@dataclass
class Desk:
    """A process that decodes, and what it has in hand."""

    process: multiprocessing.process.BaseProcess
    line: Connection
    job: Job | None = None
    due: float = 0.0


def results(jobs: list[Job], folder: Path, rules: Rules, processes: int) -> Iterator[tuple[str, Cleaned]]:
    """What is found of each job, in the order in which they end; a process that dies or dallies is replaced."""
    if not jobs:
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    start = functools.partial(hire, context, folder, rules)
    waiting, desks = deque(jobs), [start() for _ in range(min(processes, len(jobs)))]
    try:
        while waiting or any(desk.job for desk in desks):
            for place, desk in enumerate(desks):
                if desk.job and (found := ended(desk)):
                    yield desk.job[0], found
                    desk.job = None
                    if found.reason in PASSING:
                        dismiss(desk)
                        desks[place] = desk = start()
                if not desk.job and waiting:
                    desk.job, desk.due = waiting.popleft(), monotonic() + SECONDS
                    desk.line.send(desk.job)
            wait([desk.line for desk in desks if desk.job], timeout=0.5)
    finally:
        for desk in desks:
            dismiss(desk)


def hire(context: multiprocessing.context.ForkServerContext, folder: Path, rules: Rules) -> Desk:
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, folder, rules), daemon=True)
    process.start()
    theirs.close()
    return Desk(process, ours)


def dismiss(desk: Desk) -> None:
    desk.process.kill()
    desk.process.join()
    desk.line.close()


def ended(desk: Desk) -> Cleaned | None:
    """What the process says of its job; None while it is at work."""
    try:
        if desk.line.poll():
            answer: Cleaned = desk.line.recv()
            return answer
    except (EOFError, ConnectionError):
        return Cleaned("crashed")
    if not desk.process.is_alive() and not desk.line.poll():
        return Cleaned("crashed")
    return Cleaned("slow") if monotonic() > desk.due else None


def work(line: Connection, folder: Path, rules: Rules) -> None:
    """Decode what comes until the line is cut, with no more memory than allowed."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if is_linux() else 0
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    while True:
        try:
            _, path, kind = line.recv()
        except EOFError:
            return
        line.send(look(Path(path), kind, folder, rules))


def is_linux() -> bool:
    return Path("/proc/self/statm").exists()


def look(path: Path, kind: str, folder: Path, rules: Rules) -> Cleaned:
    """Decode one file, and store the picture if it is one that can be used."""
    try:
        return keep(path, kind, folder, rules)
    except Rejected as error:
        return Cleaned(str(error))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Cleaned("too_many_pixels")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, MemoryError, OverflowError):
        return Cleaned("decode")


def keep(path: Path, kind: str, folder: Path, rules: Rules) -> Cleaned:
    with Image.open(path, formats=[kind.upper()]) as picture:
        check(picture, rules)
        mode, size = picture.mode, upright_size(picture)
        if kind == "jpeg":
            picture.draft(mode, (rules.largest, rules.largest))
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        shown = flat(picture, rules.largest)
    if max(most - least for least, most in ImageStat.Stat(shown).extrema) < CONTRAST:
        raise Rejected("blank")
    content = encoded(shown)
    sha256 = hashlib.sha256(content).hexdigest()
    write(content, stored(folder, rules, sha256))
    return Cleaned("", sha256, phash(shown), mode, *shown.size, *size, len(content))


def check(picture: Image.Image, rules: Rules) -> None:
    """Judge what the file says of itself, before any pixel is decoded."""
    width, height = picture.size
    if width * height > PIXELS:
        raise Rejected("too_many_pixels")
    if getattr(picture, "n_frames", 1) > 1:
        raise Rejected("animated")
    if max(width, height) > ASPECT * max(1, min(width, height)):
        raise Rejected("aspect")
    if min(width, height) < rules.smallest:
        raise Rejected("too_small")


TURNED = range(5, 9)
"""Values of EXIF's orientation that exchange width and height."""


def upright_size(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    return (height, width) if picture.getexif().get(0x0112) in TURNED else (width, height)


PLAIN = ("RGB", "CMYK", "L")
"""Modes whose pixels can be mixed with their neighbours as they are."""


def flat(picture: Image.Image, largest: int) -> Image.Image:
    """The picture in sRGB, no larger than asked; reduced before the rest where that makes no difference but in time."""
    if picture.mode in PLAIN and "transparency" not in picture.info:
        picture.thumbnail((largest, largest))
    shown = on_white(to_srgb(picture))
    shown.thumbnail((largest, largest))
    return shown


def to_srgb(picture: Image.Image) -> Image.Image:
    """Convert by the picture's own colour profile; one that is broken is as good as none."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in PLAIN:
        try:
            return ImageCms.applyTransform(picture, transform(profile, picture.mode)) or picture
        except (ImageCms.PyCMSError, OSError, ValueError):
            return picture
    return picture


@functools.lru_cache(maxsize=16)
def transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """From a colour profile to sRGB; building it takes longer than applying it, and most pictures have one of a few."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), mode, "RGB")


def on_white(picture: Image.Image) -> Image.Image:
    """The picture in RGB: 16 bits scaled to 8, and what is transparent white."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return eight_bits(picture)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def eight_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture, dtype=np.float64)
    return Image.fromarray((np.clip(values, 0, 65535) / 257).round().astype(np.uint8)).convert("RGB")


def encoded(picture: Image.Image) -> bytes:
    """JPEG of the pixels alone."""
    pixels = Image.new("RGB", picture.size)
    pixels.paste(picture)
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def phash(picture: Image.Image) -> str:
    """Perceptual hash: which of the 64 lowest frequencies of the grey picture are above their median.

    The bits are those of imagehash's `phash`, without SciPy, whose import costs as much as hundreds of pictures.
    """
    small = picture.convert("L").resize((GREY, GREY), Image.Resampling.LANCZOS)
    half = np.einsum("fy,yx->fx", cosines(), np.asarray(small, dtype=np.float64))
    low = np.einsum("fx,gx->fg", half, cosines())
    return np.packbits(low > np.median(low)).tobytes().hex()


GREY = 32
"""Height and width in pixels of the picture that is hashed."""


@functools.cache
def cosines() -> np.ndarray:
    """The 8 lowest waves of the discrete cosine transform: float64 (8, GREY)."""
    waves: np.ndarray = np.cos(np.pi / GREY * np.outer(np.arange(8), np.arange(GREY) + 0.5))
    return waves


def write(content: bytes, path: Path) -> None:
    """Store a picture once; another process may be storing the same."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    beside.write_bytes(content)
    places.flush(beside)
    beside.replace(path)
