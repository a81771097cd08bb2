"""Processes that begin in milliseconds and share nothing with the test that starts them.

They are forked from a server that has imported MLflow and has worked on a database of its own, so that what SQLAlchemy
does at first is done; it holds no connection. The test itself is no such process: TensorFlow may run threads in it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.tasks.warm"])

LONGEST = 120.0
"""Seconds after which a process that should have ended is stuck."""


def started(function: Callable[..., None], *args: Any) -> BaseProcess:
    """Begin to call `function` in a process of its own."""
    process = CONTEXT.Process(target=function, args=args)
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    """Wait for a process; returns its exit status, the negative number of a signal that killed it."""
    process.join(LONGEST)
    if process.is_alive():
        process.kill()
        process.join()
        raise TimeoutError(f"process {process.pid} must end within {LONGEST:g} s")
    return process.exitcode
