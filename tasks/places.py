"""Every path of the project, one line each, and how a folder or file comes to be: whole or not at all.

`ROOT` is the checkout that the code runs in. A run in a git worktree has a root of its own, and shares
what must outlive it (the registry, the scratch folder, the locks) with the checkout that `MIAR_HOME` names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("MIAR_HOME", ROOT)).resolve()

PARAMS = ROOT / "params.yaml"
DVC_LOCK = ROOT / "dvc.lock"
REQUIREMENTS = ROOT / "requirements.lock"
PREFECT_YAML = ROOT / "infra" / "prefect.yaml"

DATA = ROOT / "data"
SCRATCH = HOME / "data" / "scratch"
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


def registered(recipe: str) -> Path:
    return DATA / "registered" / recipe


def exam(digest: str) -> Path:
    """The data of an exam that is no longer the one that lies in `prepared`."""
    return SCRATCH / "exams" / digest


def promoted(recipe: str) -> Path:
    return DATA / "promoted" / recipe


def studied(study: str) -> Path:
    return DATA / "studied" / study


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
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    flush(beside)
    beside.replace(path)


def flush(path: Path) -> None:
    """Wait until the file or folder `path` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
