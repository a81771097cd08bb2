"""`python -m tasks <step> <name>`: the one command line that DVC's stages and the flows call.

Every error that has a meaning ends as one line on stderr, `ERROR <code> <step> <name>: <what>`, and that
code as exit status: 2 a wrong request, 3 wrong data, 4 refused, 5 something needed is not there.

`python -m tasks -` takes steps from stdin, a line each, and ends each with a line `STATUS <code>`: a caller that
has several quick ones starts it early and pays for its imports once.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time

from tasks import catalogue
from tasks.errors import BadRequest, MiarError, Unavailable

STEPS = {
    "ingest": "source",
    "search": "collection",
    "collect": "collection",
    "validate": "dataset",
    "prepare": "dataset",
    "base": "base",
    "tune": "recipe",
    "train": "recipe",
    "evaluate": "recipe",
    "explain": "recipe",
    "study": "study",
    "lesson": "lesson",
    "track": "tracker",
    "enrol": "tracker",
    "register": "recipe",
    "promote": "recipe",
}

LOOK = 0.5
"""Seconds between looks whether DVC is still there."""

NAMELESS = ("check", "init")
"""What concerns all of the catalogue, or none of it."""


def main(arguments: list[str]) -> int:
    """Run one step, or those on stdin."""
    if "DVC_STAGE" in os.environ:
        end_with_dvc()
    return serve() if arguments == ["-"] else attempt(arguments)


def end_with_dvc() -> None:
    """Let this process be killed when DVC is: left alone, it would go on writing what the next run writes too.

    Between the two there may be a shell, so the parent's parent is watched as well.
    """
    import psutil

    above = psutil.Process().parents()[:2]

    def watch() -> None:
        while all(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in above):
            time.sleep(LOOK)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def serve() -> int:
    """Get ready for the steps that speak to MLflow, then run those that stdin names."""
    for step in ("register", "promote"):
        importlib.import_module(f"tasks.{step}")
    for line in sys.stdin:
        print(f"STATUS {attempt(line.split())}", flush=True)
    return 0


def attempt(arguments: list[str]) -> int:
    """Run one step, and turn its errors into a line and an exit code."""
    where = " ".join(argument[:80] for argument in arguments[:2])
    try:
        run(arguments)
    except MiarError as error:
        return complain(error, where)
    except OSError as error:
        return complain(Unavailable(f"files and disk must be usable. Received: {error}"), where)
    except KeyboardInterrupt:
        return 130
    return 0


def run(arguments: list[str]) -> None:
    """Import the step's module, and no other, and call the function of the same name.

    Raises:
        BadRequest: if `arguments` are not a step and a name of the catalogue, before anything heavy is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if len(arguments) == 1 and arguments[0] in NAMELESS:
        getattr(importlib.import_module(f"tasks.{arguments[0]}"), arguments[0])()
        return
    if len(arguments) != 2 or arguments[0] not in STEPS:
        usage = "; ".join(f"{step} <{kind}>" for step, kind in STEPS.items()) + "; " + "; ".join(NAMELESS)
        raise BadRequest(f"the arguments must be one of: {usage}. Received: {' '.join(arguments)[:80]!r}")
    step, name = arguments
    getattr(catalogue.load(), STEPS[step])(name)
    getattr(importlib.import_module(f"tasks.{step}"), step)(name)


def complain(error: MiarError, where: str) -> int:
    print(f"ERROR {error.code} {where}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return error.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
