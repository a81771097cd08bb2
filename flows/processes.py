"""Start other programs so that none of them outlives the process that needs them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

WATCHDOG = 'read -r never; kill -s KILL -- "-$0"'
"""The pipe that it reads ends when the process that holds the other end is gone, however it went."""


@contextlib.contextmanager
def leashed(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    output: IO[str] | int = subprocess.PIPE,
    stdin: int = subprocess.DEVNULL,
    grace: float = 10,
) -> Iterator[subprocess.Popen[str]]:
    """Run `command` in a process group of its own, which ends with the block, or with this very process.

    Args:
        output: where stdout and stderr go together; a pipe to be read line by line if left out.
        stdin: a pipe to write to, or nothing if left out.
        grace: seconds between asking the group to stop and killing it.
    """
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        bufsize=1,
        start_new_session=True,
    )
    watchdog = subprocess.Popen(
        ["/bin/sh", "-c", WATCHDOG, str(child.pid)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield child
    finally:
        watchdog.kill()
        watchdog.communicate()
        stop(child, grace)


def stop(child: subprocess.Popen[str], grace: float) -> None:
    """End what is left of a process group: ask twice (Prefect's worker survives the first), then kill."""
    for patience in (grace / 2, grace / 2):
        if not signal_group(child.pid, signal.SIGTERM):
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience)
            break
    signal_group(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def signal_group(group: int, number: int) -> bool:
    """Send a signal to every process of a group; False if there is none."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
