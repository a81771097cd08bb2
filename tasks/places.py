"""Every path of the project, one line each, and how a folder or file comes to be: whole or not at all.

The order of writes is the same everywhere: aside, below a name that nobody reads; the manifest and the receipt after
all that they speak of; to the disk; and then the name. Whatever a kill leaves aside is overwritten by the next start.

`ROOT` is the checkout that the code runs in. A run in a git worktree has a root of its own, and shares
what must outlive it (the registry, the scratch folder, the locks) with the checkout that `MIAR_HOME` names.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("MIAR_HOME", ROOT)).resolve()

PARAMS = ROOT / "params.yaml"
DVC_LOCK = ROOT / "dvc.lock"
REQUIREMENTS = ROOT / "requirements.lock"
DOCS = ROOT / "docs"
PREFECT_YAML = ROOT / "infra" / "prefect.yaml"

DATA = ROOT / "data"
SCRATCH = HOME / "data" / "scratch"
REMOVED = ROOT / "data" / "removed.txt"
LOCKS = SCRATCH / "locks"
WORKTREES = SCRATCH / "worktrees"
MLFLOW_DATABASE = HOME / "mlflow.db"
MLFLOW_ARTIFACTS = HOME / "mlartifacts"
PREFECT_HOME = HOME / ".prefect"


def downloads(source: str) -> Path:
    """Raw files of `source`, kept so that a broken download goes on where it stopped."""
    return SCRATCH / "downloads" / source


def ingested(source: str) -> Path:
    return DATA / "ingested" / source


def searched(collection: str) -> Path:
    """What a provider has named for a collection."""
    return DATA / "searched" / collection


def collected(collection: str) -> Path:
    """The images of a collection, and all that is known of each."""
    return DATA / "collected" / collection


def searching(collection: str) -> Path:
    """Pages of a search that has not ended."""
    return SCRATCH / "searches" / collection


def fetched() -> Path:
    """What the web has given, for all collections: a picture that two of them ask for is fetched once."""
    return SCRATCH / "fetched"


def cleaned() -> Path:
    return SCRATCH / "cleaned"


def validated(dataset: str) -> Path:
    return DATA / "validated" / dataset


def prepared(dataset: str) -> Path:
    return DATA / "prepared" / dataset


def tuned(recipe: str) -> Path:
    return DATA / "tuned" / recipe


def trained(recipe: str) -> Path:
    """Of a recipe, or of a base, which was trained elsewhere."""
    return DATA / "trained" / recipe


def explained(recipe: str) -> Path:
    return DATA / "explained" / recipe


def evaluated(recipe: str) -> Path:
    return DATA / "evaluated" / recipe


def lesson(name: str) -> Path:
    return DATA / "lessons" / name


def tracked(tracker: str) -> Path:
    return DATA / "tracked" / tracker


def enrolled(tracker: str) -> Path:
    return DATA / "enrolled" / tracker


def registered(recipe: str) -> Path:
    return DATA / "registered" / recipe


def exam(digest: str) -> Path:
    """The data of an exam that is no longer the one that lies in `prepared`."""
    return SCRATCH / "exams" / digest


def promoted(recipe: str) -> Path:
    return DATA / "promoted" / recipe


def scored(model: str) -> Path:
    """Answers to files, kept for all checkouts."""
    return HOME / "data" / "scored" / model


def labels(model: str) -> Path:
    """Right answers that came later."""
    return HOME / "data" / "labels" / model


def drifted(model: str) -> Path:
    return HOME / "data" / "drifted" / model


def locked(name: str) -> Path:
    """What a run of its own has written into dvc.lock, about the stages of a recipe or of a collection."""
    return SCRATCH / "locked" / f"{name}.yaml"


def studied(study: str) -> Path:
    return DATA / "studied" / study


def published(table: str) -> Path:
    return DOCS / f"{table}.csv"


@contextlib.contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Yield an empty folder beside `final`, and give it that name only when the block ends well.

    A reader never sees half a folder: after an error or a kill the old one, or none, is there.
    """
    beside = final.with_name(f".{final.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        replace_folder(beside, final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def replace_folder(new: Path, final: Path) -> None:
    """Flush every file of `new` to the disk, then let it take the name `final`."""
    for path in new.rglob("*"):
        if path.is_file():
            flush(path)
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    flush(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Write `text` aside, flush it, and rename it to `path`."""
    write_file(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a file aside, flush it, and rename it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    write(beside)
    flush(beside)
    beside.replace(path)
    flush(path.parent)


def check_space(folder: Path, needed: int) -> None:
    """Fail before half of something is written; some libraries say nothing clear of a full disk.

    Args:
        needed: bytes that are about to be written below `folder`, which is there.

    Raises:
        OSError: if there is no room for them.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        told = f"No space left on device: {needed / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free"
        raise OSError(errno.ENOSPC, told, str(folder))


def flush(path: Path) -> None:
    """Wait until the file or folder `path` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
