"""What the life around a model costs: `make run` on a fresh clone, beside a bare Keras script.

Prints a table: wall seconds of each part, and the repeats with nothing to do. `python -m bench --rounds 3`
repeats the whole comparison; the two alternate in one run, because machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

from tasks import places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    rounds = [compare() for _ in range(parser.parse_args().rounds)]
    print(table({name: median(one[name] for one in rounds) for name in rounds[0]}, len(rounds)))


def compare() -> dict[str, float]:
    """One round: a fresh clone's first run, the bare script, then the runs with nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "miar"
        shell("git", "clone", "--quiet", str(places.ROOT), str(clone), folder=Path(folder))
        (clone / ".venv").symlink_to((places.ROOT / ".venv").resolve())
        shell("./miar", "init", folder=clone)
        python = str(clone / ".venv" / "bin" / "python")
        measured = {"flow": timed("sh", "miar", "run", "cnn_digits", folder=clone)}
        measured |= {f"flow: {name}": value for name, value in stages(clone).items()}
        began = time.perf_counter()
        answer = shell(python, "-m", "bench.bare", str(clone), folder=places.ROOT)
        measured["bare"] = time.perf_counter() - began
        bare = json.loads(answer.splitlines()[-1])
        measured |= {f"bare: {name}": value for name, value in bare.items() if name != "accuracy"}
        receipt = json.loads((clone / "data/evaluated/cnn_digits/receipt.json").read_text(encoding="utf-8"))
        measured |= {"accuracy: flow": receipt["scores"]["accuracy"], "accuracy: bare": bare["accuracy"]}
        measured["flow again"] = timed("sh", "miar", "run", "cnn_digits", folder=clone)
        repro = [python, "-m", "dvc", "repro", "explain@cnn_digits"]
        measured["dvc repro again"] = timed(*repro, folder=clone)
    return measured


def stages(clone: Path) -> dict[str, float]:
    """Seconds of each stage and step, from the records of the run in Prefect's database."""
    import sqlite3

    rows = sqlite3.connect(clone / ".prefect" / "prefect.db").execute(
        "SELECT name, (julianday(end_time) - julianday(start_time)) * 86400 FROM task_run ORDER BY start_time"
    )
    total: Counter[str] = Counter()
    for name, seconds in rows:
        total[re.split(r"[@ ]", name)[0]] += seconds
    return dict(total)


def timed(*command: str, folder: Path) -> float:
    began = time.perf_counter()
    shell(*command, folder=folder)
    return time.perf_counter() - began


def shell(*command: str, folder: Path) -> str:
    """Run `command`, and show what it said if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} must work. Received: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def table(measured: dict[str, float], rounds: int) -> str:
    """The comparison as text, part by part."""
    flow = {name.removeprefix("flow: "): value for name, value in measured.items() if name.startswith("flow: ")}
    bare = {name.removeprefix("bare: "): value for name, value in measured.items() if name.startswith("bare: ")}
    flow["rest"] = measured["flow"] - sum(flow.values())
    bare["rest"] = measured["bare"] - sum(bare.values())
    lines = [f"{'part':<18}{'flow s':>9}{'bare s':>9}{'more':>9}"]
    lines += [row(name, flow.get(name, 0), bare.get(name, 0)) for name in dict.fromkeys([*flow, *bare])]
    lines.append(row("all", measured["flow"], measured["bare"]))
    lines.append(f"{'accuracy':<18}{measured['accuracy: flow']:>9.4f}{measured['accuracy: bare']:>9.4f}")
    lines += [f"{name:<18}{measured[name]:>9.1f}" for name in ("flow again", "dvc repro again")]
    return "\n".join([f"median of {rounds} rounds, wall seconds", *lines])


def row(name: str, flow: float, bare: float) -> str:
    return f"{name:<18}{flow:>9.1f}{bare:>9.1f}{flow - bare:>+9.1f}"


if __name__ == "__main__":
    main()
