"""How long a scheduled retraining takes that finds nothing changed: from its slot of the schedule to its end.

`python -m bench.unattended` copies the project, starts Prefect, MLflow and a worker there as `make ui` does, lets the
deployment retrain train a small recipe once, and then run again, several times, with nothing to do.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

RECIPE = "cnn_digits"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    from tests.flows.conftest import Servers, free_port, make, until

    with tempfile.TemporaryDirectory(prefix="miar-unattended-") as folder:
        root = Path(folder) / "project"
        root.mkdir()
        project = make(root, Path(folder) / "cache")
        ports = {"MIAR_PREFECT_PORT": str(free_port()), "MIAR_MLFLOW_PORT": str(free_port())}
        log = Path(folder) / "ui.log"
        process = project.start("ui", log=log, **ports)
        try:
            until(lambda: "Ctrl-C" in log.read_text(), "the servers are up", 180)
            addresses = [f"http://127.0.0.1:{port}" for port in ports.values()]
            servers = Servers(project, process, addresses[0], addresses[1], ports, log)
            print(f"first run: {timed(servers, 'Completed'):.1f} s", flush=True)
            again = [timed(servers, "NoChange") for _ in range(asked.rounds)]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    told = ", ".join(f"{seconds:.1f}" for seconds in again)
    print(f"nothing changed: {median(again):.1f} s, median of {asked.rounds} ({told})")


def timed(servers: object, wanted: str) -> float:
    """Seconds from asking for a run until it has ended in the state that is wanted."""
    began = time.monotonic()
    state = servers.ended(servers.start("retrain", recipe=RECIPE), seconds=600)  # type: ignore[attr-defined]
    if state["name"] != wanted:
        sys.exit(f"the run must end as {wanted}. Received: {state['name']}: {state['message']}")
    return time.monotonic() - began


if __name__ == "__main__":
    main()
