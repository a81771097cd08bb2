"""Where a run works: where you stand, or in a fresh git worktree that shares cache, registry and scratch."""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import yaml
from filelock import FileLock
from ruamel.yaml import YAML

from flows.stages import Graph
from tasks import catalogue, janitor, places
from tasks.errors import BadRequest, Unavailable
from tasks.outside import providers
from tasks.outside.versioning import COMMITTER

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Ten times as fast where PyYAML was built with libyaml; dvc.lock has thousands of lines."""

REFS = "refs/miar/runs"
REMOVED = places.REMOVED.relative_to(places.ROOT).as_posix()


class Changes:
    """Values that replace some of a block of params.yaml for one run; None keeps the block's own.

    `BLOCKS` is where in params.yaml such blocks are, `LAST` the last stage of a run for one.
    """

    BLOCKS: ClassVar[str]
    LAST: ClassVar[str]

    def values(self) -> dict[tuple[str, ...], Any]:
        """Each value by its place in the block."""
        raise NotImplementedError

    def check(self) -> None:
        """Refuse what no block could say, and the catalogue does not know.

        Raises:
            BadRequest: what must hold, and what came.
        """

    def __bool__(self) -> bool:
        return bool(self.values())


@dataclass(frozen=True)
class Overrides(Changes):
    """Of a recipe."""

    BLOCKS, LAST = "recipes", "explain"
    epochs: int | None = None
    trials: int | None = None
    seed: int | None = None

    def values(self) -> dict[tuple[str, ...], Any]:
        given = {("train", "epochs"): self.epochs, ("search", "trials"): self.trials, ("train", "seed"): self.seed}
        return {path: value for path, value in given.items() if value is not None}


@dataclass(frozen=True)
class Wishes(Changes):
    """Of a collection."""

    BLOCKS, LAST = "collections", "collect"
    provider: str | None = None
    classes: dict[str, list[str]] | None = None
    wanted: int | None = None
    licences: Sequence[str] | None = None

    def check(self) -> None:
        if self.provider is not None:
            providers.load(self.provider)

    def values(self) -> dict[tuple[str, ...], Any]:
        return {(field.name,): value for field in fields(self) if (value := getattr(self, field.name)) is not None}


@dataclass(frozen=True)
class AsItIs(Changes):
    """Of a tracker, of which nothing is changed for one run."""

    BLOCKS, LAST = "trackers", "track"

    def values(self) -> dict[tuple[str, ...], Any]:
        return {}


@dataclass(frozen=True)
class Workplace:
    """A checkout that a run works in.

    Args:
        own: whether it was made for this run, and goes when the run ends.
    """

    root: Path
    own: bool
    run: str

    def folder(self, of_home: Path) -> Path:
        """The folder here that corresponds to one of this checkout."""
        return self.root / of_home.relative_to(places.ROOT)

    def environment(self) -> dict[str, str]:
        return {"MIAR_HOME": str(places.HOME), "MIAR_FLOW_RUN": self.run}


def check(name: str, changes: Changes) -> None:
    """Check all that a run needs before it starts.

    Raises:
        BadRequest: if the block, a change or the checkout is not what it must be.
        Unavailable: if nothing can be written here.
    """
    changes.check()
    known = catalogue.load()
    catalogue.pick(name, getattr(known, changes.BLOCKS), changes.BLOCKS.removesuffix("s"))
    if not os.access(places.HOME, os.W_OK):
        raise Unavailable(f"`{places.HOME}` must be a folder that you may write to. Received: a read-only one")
    top = git("rev-parse", "--show-toplevel", folder=places.ROOT)
    if top is None or Path(top).resolve() != places.ROOT or git("rev-parse", "HEAD", folder=places.ROOT) is None:
        raise BadRequest(
            f"`{places.ROOT}` must be a git repository with a commit, so that a version can be traced to its code. "
            "Received: none. Run: git init && git add . && git commit -m Start"
        )
    with tempfile.TemporaryDirectory() as folder:
        override(places.PARAMS, Path(folder) / places.PARAMS.name, name, changes)


def override(source: Path, target: Path, name: str, changes: Changes) -> None:
    """Write the catalogue `source` to `target` with other values in one block; comments stay.

    Raises:
        BadRequest: if the catalogue would not be one any more.
    """
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 4096
    content = writer.load(source.read_text(encoding="utf-8-sig"))
    for (*path, key), value in changes.values().items():
        functools.reduce(operator.getitem, path, content[changes.BLOCKS][name])[key] = value
    with target.open("w", encoding="utf-8") as file:
        writer.dump(content, file)
    catalogue.load(target)


@contextlib.contextmanager
def opened(name: str, changes: Changes, *, run: str, fresh: bool) -> Iterator[Workplace]:
    """The place for a run: this checkout, or for a `fresh` one or other values a worktree of its last commit."""
    if not fresh and not changes:
        yield Workplace(places.ROOT, own=False, run=run)
        return
    prune()
    places.WORKTREES.mkdir(parents=True, exist_ok=True)
    root = places.WORKTREES / run
    with FileLock(lock_of(root)):
        try:
            furnish(root, name, changes)
            yield Workplace(root, own=True, run=run)
        finally:
            remove(root)


@contextlib.contextmanager
def at(commit: str, *, run: str) -> Iterator[Workplace]:
    """A worktree of `commit`, with the params.yaml and dvc.lock that it has."""
    prune()
    places.WORKTREES.mkdir(parents=True, exist_ok=True)
    root = places.WORKTREES / run
    with FileLock(lock_of(root)):
        try:
            lay_out(root, commit)
            yield Workplace(root, own=True, run=run)
        finally:
            remove(root)


def lay_out(root: Path, commit: str) -> None:
    """Make a worktree with this checkout's environment and DVC cache."""
    git_or_raise("worktree", "add", "--quiet", "--detach", str(root), commit, folder=places.ROOT)
    (root / ".venv").symlink_to((places.ROOT / ".venv").resolve())
    home = Graph(places.ROOT)
    (root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {home.cache()}\n", encoding="utf-8")


def furnish(root: Path, name: str, changes: Changes) -> None:
    """Make the worktree: code of the last commit, this checkout's dvc.lock, environment and DVC cache.

    The list of images that must not be kept is this checkout's too, committed or not: it always wins.
    """
    lay_out(root, "HEAD")
    graph = Graph(root)
    wanted = graph.upstream(f"{changes.LAST}@{name}")
    write_lock(root / places.DVC_LOCK.name, [name, *collections(wanted)])
    if places.REMOVED.is_file():
        shutil.copyfile(places.REMOVED, root / REMOVED)
    params = root / places.PARAMS.name
    if changes:
        override(params, params, name, changes)
    graph.reread()
    graph.checkout(wanted)


def collections(stages: Iterable[str]) -> list[str]:
    """The collections among some stages."""
    return [name for step, _, name in (stage.partition("@") for stage in stages) if step == "collect"]


def write_lock(path: Path, names: list[str]) -> None:
    """Give a worktree this checkout's dvc.lock, with what runs of their own have written since, the last one over all.

    Whatever of it is out of date, DVC finds out by itself; what is not, it need not restore stage by stage.
    """
    locked = read_lock(places.DVC_LOCK)
    for name in names:
        locked.setdefault("stages", {}).update(read_lock(places.locked(name)).get("stages", {}))
    if locked["stages"]:
        path.write_text(yaml.dump({"schema": "2.0", **locked}, Dumper=Dumper, sort_keys=False), encoding="utf-8")


def keep_lock(place: Workplace, target: str) -> None:
    """Keep what a run of its own has written into dvc.lock about the stages that lead to one, and about collections."""
    graph, stages = Graph(place.root), read_lock(place.root / places.DVC_LOCK.name).get("stages", {})
    mine = graph.upstream(target)
    for last in dict.fromkeys([target, *(f"collect@{name}" for name in collections(mine))]):
        kept = {name: stages[name] for name in sorted(graph.upstream(last)) if name in stages}
        text = yaml.dump({"schema": "2.0", "stages": kept}, Dumper=Dumper, sort_keys=False)
        places.write_whole(places.locked(last.partition("@")[2]), text)


def read_lock(path: Path) -> dict[str, Any]:
    """What a file like dvc.lock says; nothing where there is none, or half a one."""
    try:
        return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=Loader) or {})  # noqa: S506, a safe one
    except (OSError, yaml.YAMLError):
        return {}


def commit(place: Workplace, message: str) -> str:
    """Record the params.yaml and dvc.lock that a run of its own worked with; returns the commit.

    No branch and no index of this checkout is touched; `refs/miar/runs/<run>` keeps the commit.
    """
    files = [file for file in (places.PARAMS.name, places.DVC_LOCK.name, REMOVED) if (place.root / file).exists()]
    git_or_raise("add", "--force", *files, folder=place.root)
    if git("diff", "--cached", "--quiet", folder=place.root) is None:
        quiet = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false")
        git_or_raise(*quiet, "commit", "--quiet", "--no-verify", "-m", message, folder=place.root)
    made = git_or_raise("rev-parse", "HEAD", folder=place.root)
    git_or_raise("update-ref", f"{REFS}/{place.run}", made, folder=place.root)
    return made


def uncommitted() -> list[str]:
    """Files of this checkout that differ from the last commit, dvc.lock aside."""
    changed = (git("status", "--porcelain", "--untracked-files=no", folder=places.ROOT) or "").splitlines()
    return [line[3:] for line in changed if line[3:] != places.DVC_LOCK.name]


def prune() -> None:
    """Remove the worktrees of runs that are dead: nobody holds their lock any more."""
    if not places.WORKTREES.is_dir():
        return
    for root in sorted(path for path in places.WORKTREES.iterdir() if path.is_dir()):
        if not is_alive(root.name):
            remove(root)


def is_alive(run: str) -> bool:
    """Whether a process of this machine holds the worktree of that run."""
    return janitor.is_held(lock_of(places.WORKTREES / run))


def remove(root: Path) -> None:
    git("worktree", "remove", "--force", "--force", str(root), folder=places.ROOT)
    shutil.rmtree(root, ignore_errors=True)
    git("worktree", "prune", folder=places.ROOT)
    lock_of(root).unlink(missing_ok=True)


def lock_of(root: Path) -> Path:
    return root.with_name(f"{root.name}.lock")


def git_or_raise(*arguments: str, folder: Path) -> str:
    answer = git_process(*arguments, folder=folder)
    if answer.returncode:
        said = " ".join(answer.stderr.split())[:300]
        raise Unavailable(f"`git {' '.join(arguments[:2])}` must work in {folder}. Received: {said}")
    return answer.stdout.rstrip("\n")


def git(*arguments: str, folder: Path) -> str | None:
    """What git answers; None where it refuses."""
    answer = git_process(*arguments, folder=folder)
    return None if answer.returncode else answer.stdout.rstrip("\n")


def git_process(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run git on the checkout `folder`, whatever GIT_DIR a hook that called us has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**kept, **COMMITTER})
