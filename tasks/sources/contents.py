"""What a source's files hold: archives unpacked and photographs decoded, and never more than may be."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tasks.errors import BadData, Refused

MEMBERS, BYTES, PIXELS = 200_000, 64 * 1024**2, 100_000_000
"""Most members of an archive, bytes of a member, and pixels of a photograph."""


def unpack(packed: Path, file: str, to: Path, most: int) -> None:
    """Write `file`, which lies in `packed` plainly, gzipped, in a tarball or in a wheel, to `to`.

    Args:
        most: bytes that `packed` may hold.

    Raises:
        BadData: if `packed` is damaged or does not hold the file.
        Refused: if it unpacks to more than the cap, or the member is not a plain file.
    """
    try:
        if packed.suffix == ".tgz":
            with gzip.open(packed) as stream:
                unpack_member(Capped(stream, most), file, to)
        elif packed.suffix == ".whl":
            unpack_from_wheel(packed, file, to, most)
        elif packed.suffix == ".gz":
            with gzip.open(packed) as stream:
                copy(Capped(stream, most), to)
        else:
            with packed.open("rb") as stream:
                copy(Capped(stream, most), to)
    except (gzip.BadGzipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise BadData(f"`{packed.name}` must be a whole archive, received {type(error).__name__}: {error}") from None


class Capped(io.RawIOBase):
    """A stream that ends in an error when it gives more than `most` bytes: no archive fills the disk."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, most: int) -> None:
        super().__init__()
        self.stream = stream
        self.most = most
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        part = self.stream.read(size)
        self.given += len(part)
        if self.given > self.most:
            raise Refused(f"an archive must unpack to at most {self.most} bytes. Received: more")
        return part


def copy(stream: Capped, to: Path) -> None:
    with to.open("wb") as file:
        shutil.copyfileobj(stream, file, 1024**2)


def unpack_member(stream: Capped, file: str, to: Path) -> None:
    """Copy the member whose last name is `file`; the paths and links of an archive are never followed."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if PurePosixPath(member.name).name == file:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise Refused(f"`{file}` must be a plain file in its archive. Received: a link or a device")
                with content, to.open("wb") as target:
                    shutil.copyfileobj(content, target, 1024**2)
                return
    raise BadData(f"the archive must hold `{file}`, received none")


def unpack_from_wheel(packed: Path, file: str, to: Path, most: int) -> None:
    """Write the member whose last name is `file`."""
    with opened(packed) as archive:
        named = [name for name in archive.namelist() if PurePosixPath(name).name == file]
        to.write_bytes(content(archive, named[0] if named else file, most))


class Archive(Protocol):
    """Members by name, as zipfile has them; nothing is ever unpacked to a path that an archive names."""

    def namelist(self) -> list[str]: ...

    def getinfo(self, name: str) -> zipfile.ZipInfo: ...

    def read(self, name: str) -> bytes: ...


class Tarball:
    """The plain files of a tar archive; links and devices in it are no members."""

    def __init__(self, archive: tarfile.TarFile, file: str) -> None:
        self.archive = archive
        self.members: dict[str, tarfile.TarInfo] = {}
        for count, member in enumerate(archive, 1):
            check_members(count, file)
            if member.isreg():
                self.members[member.name] = member

    def namelist(self) -> list[str]:
        return list(self.members)

    def getinfo(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name)
        info.file_size = self.members[name].size
        return info

    def read(self, name: str) -> bytes:
        stream = self.archive.extractfile(self.members[name])
        return stream.read() if stream else b""


class Joined:
    """Several archives as one; where two have a member of one name, that of the first counts."""

    def __init__(self, archives: dict[Path, Archive]) -> None:
        self.homes: dict[str, tuple[Path, Archive]] = {}
        for path, archive in archives.items():
            for name in archive.namelist():
                self.homes.setdefault(name, (path, archive))

    def namelist(self) -> list[str]:
        return list(self.homes)

    def getinfo(self, name: str) -> zipfile.ZipInfo:
        return self.homes[name][1].getinfo(name)

    def read(self, name: str) -> bytes:
        path, archive = self.homes[name]
        with whole(path):
            return archive.read(name)


@contextmanager
def joined(paths: Iterable[Path]) -> Iterator[Archive]:
    """The archives `paths` as one; errors are those of `opened`, and name the archive that is damaged."""
    with ExitStack() as stack:
        yield Joined({path: stack.enter_context(opened(path)) for path in paths})


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive `path`, a tar if that is its ending and else a zip.

    Raises:
        BadData: if it is none, or a member is damaged.
        Refused: if it has more members than may be.
    """
    with whole(path):
        if path.suffix == ".tar":
            with tarfile.open(path, "r:") as tar:
                yield Tarball(tar, path.name)
        else:
            with zipfile.ZipFile(path) as archive:
                check_members(len(archive.infolist()), path.name)
                yield archive


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Tell what is wrong with the archive `path` as BadData."""
    broken = (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, NotImplementedError, RuntimeError)
    try:
        yield
    except broken as error:
        kind = "tar" if path.suffix == ".tar" else "zip"
        raise BadData(f"`{path.name}` must be a whole {kind} archive. Received: {error}") from None


def check_members(count: int, file: str) -> None:
    if count > MEMBERS:
        raise Refused(f"`{file}` must have at most {MEMBERS} members. Received: {count} or more")


def content(archive: Archive, member: str, most: int | None = None) -> bytes:
    """The bytes of one member.

    Args:
        most: bytes that it may have, if not as many as any other.

    Raises:
        BadData: if there is none of that name.
        Refused: if it is larger than may be.
    """
    try:
        size = archive.getinfo(member).file_size
    except KeyError:
        raise BadData(f"the archive must hold `{member}`. Received: no such member") from None
    if size > (most or BYTES):
        raise Refused(f"`{member}` must have at most {most or BYTES} bytes. Received: {size}")
    return archive.read(member)


def plain(path: Path) -> bytes:
    """The bytes of a file that is no archive.

    Raises:
        Refused: if it is larger than a member may be.
    """
    if (size := path.stat().st_size) > BYTES:
        raise Refused(f"`{path.name}` must have at most {BYTES} bytes. Received: {size}")
    return path.read_bytes()


def text(content: bytes, name: str) -> str:
    """Text in UTF-8, without a byte order mark, whose lines end in one new line.

    Args:
        name: for errors.

    Raises:
        BadData: if it is not UTF-8, or has a NUL; the line is told.
    """
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = content.count(b"\n", 0, error.start) + 1, error.object[error.start]
        raise BadData(f"`{name}` must be UTF-8. Received: byte {byte:#04x} in line {line}") from None
    if "\0" in decoded:
        line = decoded.count("\n", 0, decoded.index("\0")) + 1
        raise BadData(f"`{name}` must be text. Received: a NUL in line {line}")
    return decoded.replace("\r\n", "\n").replace("\r", "\n")


def photograph(content: bytes, name: str, size: int) -> np.ndarray:
    """A photograph upright, its middle square as `size` x `size` pixels: uint8 (size, size, 3).

    Args:
        name: for errors.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as picture:
            if picture.width * picture.height > PIXELS:
                raise Refused(f"`{name}` must have at most {PIXELS} pixels. Received: {picture.size}")
            picture.draft("RGB", (2 * size, 2 * size))  # JPEG decodes to a half, a quarter or an eighth at no cost
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            return np.asarray(ImageOps.fit(upright, (size, size), method=Image.Resampling.LANCZOS))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadData(f"`{name}` must be a whole photograph. Received: {error}") from None


def rows(path: Path, columns: int) -> np.ndarray:
    """The numbers of a CSV file, float64 (N, columns), all finite and whole."""
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8")
    except (ValueError, UnicodeDecodeError) as error:
        raise BadData(f"`{path.name}` must hold rows of {columns} numbers. Received: {error}") from None
    if table.shape[0] == 0 or table.shape[1] != columns:
        raise BadData(
            f"`{path.name}` must hold rows of {columns} numbers. Received: {table.shape[0]} x {table.shape[1]}"
        )
    if not np.array_equal(table, np.trunc(table)) or not np.isfinite(table).all():
        raise BadData(f"`{path.name}` must hold whole numbers. Received: fractions, infinities or gaps")
    return table
