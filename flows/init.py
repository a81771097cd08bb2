"""`./miar init`: the part of the set-up that is not packages."""

from __future__ import annotations

import contextlib
import os
import sys

from flows.processes import leashed
from tasks import places
from tasks.errors import MiarError

DATABASES = {
    "Prefect's database": [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
    "MLflow's database": [sys.executable, "-m", "tasks", "init"],
}


def init() -> int:
    """Make the databases of Prefect and MLflow at once, or bring them up to date, and DVC's local remote.

    Raises:
        MiarError: with what was said last, if one of them cannot be made.
    """
    (places.HOME / "data" / "remote").mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        made = {
            name: stack.enter_context(leashed(command, folder=places.ROOT, environment=os.environ))
            for name, command in DATABASES.items()
        }
        for name, process in made.items():
            said = " ".join(process.communicate()[0].split())[-300:]
            if process.returncode:
                raise MiarError(f"{name} must be usable. Received: exit status {process.returncode}; {said}")
    return 0
