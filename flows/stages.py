"""DVC's stages, read from dvc.yaml: which lead to a target, which are unchanged, and how one is run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro

from flows.processes import leashed, signal_group
from tasks.errors import BadRequest, MiarError

UNCHANGED, CACHED, RAN = "Unchanged", "Cached", "Ran"

ERROR = re.compile(r"^ERROR (?P<code>\d+) ")
STATUS = re.compile(r"STATUS (?P<code>\d+)")
OUTCOMES = {"didn't change, skipping": UNCHANGED, "is cached - skipping run": CACHED, "Running stage": RAN}
LAST_LINES = 5

NOISE = re.compile(
    r"To track the changes with git|To enable auto staging|\s+git add dvc|\s+dvc config core|Use `dvc push`"
    r"|(Updating|Generating) lock file|> \.venv|WARNING: All log messages before absl"
    r"|[IE]\d{4} .*(cudart_stub|cuInit|oneDNN)"
)
"""Lines that are true of every run and tell nothing about this one."""


class StepFailed(MiarError):
    """A step that ended badly; the message is the one line that it said itself."""

    def __init__(self, line: str, code: int) -> None:
        super().__init__(line)
        self.code = code


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it said that matters; `stopped` where its time was up."""

    status: int
    outcome: str | None
    error: str | None
    last_lines: tuple[str, ...]
    stopped: bool = False


class Graph:
    """The stages of one checkout. DVC alone knows their edges."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repo: Any = self.open()

    def open(self) -> Any:
        try:
            repo = Repo(str(self.root))
            repo.index.graph  # noqa: B018, reads and checks dvc.yaml
        except DvcException as error:
            raise BadRequest(f"dvc.yaml and params.yaml must fit together. Received: {one_line(error)}") from None
        return repo

    def reread(self) -> None:
        """Forget what was read: a stage has run, and dvc.lock is another one."""
        self.repo.close()
        self.repo = self.open()

    def names(self) -> list[str]:
        return [stage.name for stage in self.repo.index.stages]

    def upstream(self, target: str) -> list[str]:
        """`target` and all that it needs, what is needed first coming first."""
        graph = self.repo.index.graph
        stages = {stage.name: stage for stage in graph}
        if target not in stages:
            raise BadRequest(f"dvc.yaml must have the stage {target!r}. Received: {', '.join(sorted(stages))}")
        return [stage.name for stage in plan_repro(graph, [stages[target]])]

    def is_unchanged(self, name: str) -> bool:
        """Whether DVC has nothing to do for the stage; False too where someone else holds DVC's lock."""
        (stage,) = (stage for stage in self.repo.index.stages if stage.name == name)
        try:
            with self.repo.lock:
                return not stage.status()
        except (LockError, DvcException):
            return False

    def cache(self) -> Path:
        """The folder of DVC's cache."""
        return Path(self.repo.cache.local_cache_dir)

    def checkout(self, names: Iterable[str]) -> None:
        """Put into the folder what DVC's cache holds of these stages' outs."""
        self.repo.checkout(targets=targets(self.root, names), allow_missing=True, force=True)

    def fetch(self, names: Iterable[str]) -> None:
        """Put into the folder what DVC's cache or its remote holds of these stages' outs, as far as they do."""
        wanted = targets(self.root, names)
        with contextlib.suppress(DvcException):  # a remote that is not there, or lacks some
            self.repo.fetch(targets=wanted)
        self.repo.checkout(targets=wanted, allow_missing=True, force=True)


class OutOfTime(MiarError):
    """There is no time left. What was computed is kept, and the next run goes on from it."""


def targets(root: Path, names: Iterable[str]) -> list[str]:
    """Stages as DVC's commands want them named."""
    return [f"{root / 'dvc.yaml'}:{name}" for name in names]


def reproduce(
    name: str,
    *,
    root: Path,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    seconds: float | None = None,
    force: bool = False,
) -> str:
    """Let DVC run one stage, or restore it, in a process of its own; returns which of the two it was.

    Args:
        seconds: after which it is stopped; None lets it run.
        force: whether it is run in any case, and nothing restored.

    Raises:
        StepFailed: with the line that the step said.
        OutOfTime: if it was stopped; what it keeps for its next start is kept.
    """
    how = ["--force"] if force else []
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", *how, name]
    ended = follow(command, root=root, environment=environment, say=say, seconds=seconds)
    if ended.stopped:
        raise OutOfTime(f"{name} was stopped after {seconds:.0f} s; its next run goes on from there")
    if ended.status:
        raise failure(ended, name)
    return ended.outcome or RAN


class Steps:
    """The steps that are no stages, because they must never be cached: all in one process, one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def run(self, name: str, of: str, say: Callable[[str], None]) -> None:
        """Run one step to its end.

        Raises:
            StepFailed: with the line that the step said.
        """
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it is gone, and what it said last tells why
                print(name, of, file=self.process.stdin, flush=True)
        ended = listen(self.process, say)
        if ended.status:
            raise failure(ended, f"{name} {of}")


@contextlib.contextmanager
def steps(*, root: Path, environment: Mapping[str, str]) -> Iterator[Steps]:
    """Start the process for the steps; what it imports is ready when the stages are done."""
    command = [sys.executable, "-m", "tasks", "-"]
    with leashed(command, folder=root, environment=whole(environment), stdin=subprocess.PIPE) as process:
        yield Steps(process)


def follow(
    command: list[str],
    *,
    root: Path,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    seconds: float | None = None,
) -> Ended:
    """Run `command` to its end, or until its time is up, and pass on every line it says."""
    with leashed(command, folder=root, environment=whole(environment)) as process, alarm(process, seconds) as rang:
        return replace(listen(process, say), stopped=rang.is_set())


@contextlib.contextmanager
def alarm(process: subprocess.Popen[str], seconds: float | None) -> Iterator[threading.Event]:
    """Stop a program's group after so many seconds, and set the event that is yielded when that happens."""
    rang = threading.Event()

    def ring() -> None:
        rang.set()
        signal_group(process.pid, signal.SIGKILL)  # what it has whole is on the disk, as after any kill

    timer = threading.Timer(seconds, ring) if seconds is not None else None
    if timer:
        timer.start()
    try:
        yield rang
    finally:
        if timer:
            timer.cancel()


def whole(environment: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}


def listen(process: subprocess.Popen[str], say: Callable[[str], None]) -> Ended:
    """Pass on what a program says until it ends, or says how a step has; keep the lines that tell how it went."""
    outcome, error, last_lines = None, None, deque[str](maxlen=LAST_LINES)
    for line in map(str.rstrip, process.stdout or []):
        if status := STATUS.fullmatch(line):
            return Ended(int(status["code"]), outcome, error, tuple(last_lines))
        if not line or NOISE.match(line):
            continue
        say(line)
        last_lines.append(line)
        outcome = next((name for sign, name in OUTCOMES.items() if sign in line), outcome)
        error = error or (line if ERROR.match(line) else None)
    return Ended(process.wait(), outcome, error, tuple(last_lines))


def failure(ended: Ended, what: str) -> StepFailed:
    """The step's own line, or one made from what it said last."""
    if ended.error and (found := ERROR.match(ended.error)):
        return StepFailed(ended.error, int(found["code"]))
    said = " | ".join(ended.last_lines)[-500:]
    return StepFailed(f"ERROR 1 {what}: the step must end well. Received: exit status {ended.status}; {said}", 1)


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())
