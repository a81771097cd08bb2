"""Where a run works: where you stand, or in a fresh git worktree that shares cache, registry and scratch."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from filelock import FileLock, Timeout
from ruamel.yaml import YAML

from flows.stages import Graph
from tasks import catalogue, places
from tasks.errors import BadRequest, Unavailable
from tasks.outside.versioning import COMMITTER

REFS = "refs/miar/runs"


@dataclass(frozen=True)
class Overrides:
    """Values that replace a recipe's own for one run; None keeps the recipe's."""

    epochs: int | None = None
    trials: int | None = None
    seed: int | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))

    def paths(self) -> dict[tuple[str, str], int]:
        """Where each value belongs in a recipe's block of params.yaml."""
        places_of = {("train", "epochs"): self.epochs, ("search", "trials"): self.trials, ("train", "seed"): self.seed}
        return {path: value for path, value in places_of.items() if value is not None}


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


def check(recipe: str, overrides: Overrides) -> None:
    """Check all that a run needs before it starts.

    Raises:
        BadRequest: if the recipe, an override or the checkout is not what it must be.
        Unavailable: if nothing can be written here.
    """
    catalogue.load().recipe(recipe)
    if not os.access(places.HOME, os.W_OK):
        raise Unavailable(f"`{places.HOME}` must be a folder that you may write to. Received: a read-only one")
    top = git("rev-parse", "--show-toplevel", folder=places.ROOT)
    if top is None or Path(top).resolve() != places.ROOT or git("rev-parse", "HEAD", folder=places.ROOT) is None:
        raise BadRequest(
            f"`{places.ROOT}` must be a git repository with a commit, so that a version can be traced to its code. "
            "Received: none. Run: git init && git add . && git commit -m Start"
        )
    with tempfile.TemporaryDirectory() as folder:
        override(places.PARAMS, Path(folder) / places.PARAMS.name, recipe, overrides)


def override(source: Path, target: Path, recipe: str, overrides: Overrides) -> None:
    """Write the catalogue `source` to `target` with other values for one recipe; comments stay.

    Raises:
        BadRequest: if the catalogue would not be one any more.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    content = yaml.load(source.read_text(encoding="utf-8-sig"))
    for (block, key), value in overrides.paths().items():
        content["recipes"][recipe][block][key] = value
    with target.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    catalogue.load(target)


@contextlib.contextmanager
def opened(recipe: str, overrides: Overrides, *, run: str, fresh: bool) -> Iterator[Workplace]:
    """The place for a run: this checkout, or for a `fresh` one or other values a worktree of its last commit."""
    if not fresh and not overrides:
        yield Workplace(places.ROOT, own=False, run=run)
        return
    prune()
    places.WORKTREES.mkdir(parents=True, exist_ok=True)
    root = places.WORKTREES / run
    with FileLock(lock_of(root)):
        try:
            furnish(root, recipe, overrides)
            yield Workplace(root, own=True, run=run)
        finally:
            remove(root)


def furnish(root: Path, recipe: str, overrides: Overrides) -> None:
    """Make the worktree: code of the last commit, this checkout's dvc.lock, environment and DVC cache."""
    git_or_raise("worktree", "add", "--quiet", "--detach", str(root), "HEAD", folder=places.ROOT)
    (root / ".venv").symlink_to((places.ROOT / ".venv").resolve())
    home = Graph(places.ROOT)
    (root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {home.cache()}\n", encoding="utf-8")
    if places.DVC_LOCK.is_file():
        shutil.copyfile(places.DVC_LOCK, root / places.DVC_LOCK.name)
    params = root / places.PARAMS.name
    if overrides:
        override(params, params, recipe, overrides)
    graph = Graph(root)
    graph.checkout(graph.upstream(f"explain@{recipe}"))


def commit(place: Workplace, message: str) -> str:
    """Record the params.yaml and dvc.lock that a run of its own worked with; returns the commit.

    No branch and no index of this checkout is touched; `refs/miar/runs/<run>` keeps the commit.
    """
    git_or_raise("add", "--force", places.PARAMS.name, places.DVC_LOCK.name, folder=place.root)
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
    lock = lock_of(places.WORKTREES / run)
    if not lock.exists():
        return False
    try:
        with FileLock(lock, blocking=False):
            return False
    except Timeout:
        return True


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
