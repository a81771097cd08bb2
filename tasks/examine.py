"""Registered versions, each read and asked in a process that has never seen them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks import objects, places, records
from tasks.errors import Refused
from tasks.outside import registry, tracking

TOLERANCE = 1e-5
"""How far an answer may be from the recorded one: float32's rounding on another machine."""

REPEATS = 30


@dataclass(frozen=True)
class Examined:
    """What was found about a version.

    Args:
        trouble: why it could not be read or asked, or is broken; empty if it is sound.
        distance: largest difference from its recorded answers, as `objects.apart` tells it.
        milliseconds: median time of the answer to one sample.
        megabytes: of its files.
        signature: what goes in and comes out, as MLflow has it.
        answers: file of its answers to the exam; none were asked for if empty.
    """

    number: int
    trouble: str
    distance: float = float("nan")
    milliseconds: float = float("nan")
    megabytes: float = float("nan")
    signature: str = ""
    answers: str = ""


def check(model: str, number: int) -> None:
    """Raise Refused unless the version can be read, and answers as it did when it was registered."""
    with tempfile.TemporaryDirectory() as folder:
        found = apart(model, [number], samples=None, folder=Path(folder))[number]
    if found.trouble:
        raise Refused(f"version {number} of `{model}` must be sound. Received: {found.trouble}")


def apart(model: str, numbers: list[int], *, samples: Path | None, folder: Path) -> dict[int, Examined]:
    """Examine versions in a fresh process.

    Args:
        samples: file of the exam's samples to be answered, if any.
        folder: where the answers go.

    Raises:
        Refused: if the process dies.
    """
    request = {"model": model, "numbers": numbers, "samples": str(samples or ""), "folder": str(folder)}
    here = {**os.environ, "MLFLOW_TRACKING_URI": tracking.address(), "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-m", "tasks.examine", json.dumps(request)]
    done = subprocess.run(command, cwd=places.ROOT, env=here, capture_output=True, text=True, check=False)
    try:
        return read(folder)
    except (OSError, ValueError):
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise Refused(
            f"versions {numbers} of `{model}` must be readable in a fresh process. "
            f"Received: exit status {done.returncode}; {said}"
        ) from None


def here(model: str, numbers: list[int], *, samples: Path | None, folder: Path) -> dict[int, Examined]:
    """Examine versions in this process."""
    client = tracking.connect()
    exam = np.load(samples, mmap_mode="r", allow_pickle=False) if samples else None
    found = [one(client, model, number, exam, folder) for number in numbers]
    (folder / "examined.json").write_text(json.dumps([asdict(each) for each in found]), encoding="utf-8")
    return read(folder)


def read(folder: Path) -> dict[int, Examined]:
    content = json.loads((folder / "examined.json").read_text(encoding="utf-8"))
    return {each["number"]: Examined(**each) for each in content}


def one(client: Any, model: str, number: int, exam: np.ndarray | None, folder: Path) -> Examined:
    """Examine one version; whatever stops that is its trouble."""
    try:
        return sound(client, model, number, exam, folder)
    except Exception as error:  # whatever stops it from being read stops it from being champion
        told = " ".join(str(error).split())[:300] or type(error).__name__
        return Examined(number, trouble=told)


def sound(client: Any, model: str, number: int, exam: np.ndarray | None, folder: Path) -> Examined:
    path = registry.fetch(client, model, number)
    network = registry.read(path) if registry.is_network(path) else None
    served = registry.served(path)
    recorded = registry.recorded(client, model, number)
    distance, trouble = repeat(network, served, recorded)
    file = ""
    if exam is not None and not trouble:
        file = str(folder / f"{number}.npy")
        np.save(file, records.ask(network, exam))
    return Examined(
        number,
        trouble=trouble,
        distance=distance,
        milliseconds=latency(served, recorded["samples"][:1]) if not trouble else float("nan"),
        megabytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6,
        signature=registry.signature(path),
        answers=file,
    )


def repeat(network: Any, served: Any, recorded: dict[str, np.ndarray]) -> tuple[float, str]:
    """How far its answers are from the recorded ones, and what is wrong with it if anything is.

    Args:
        network: the Keras model; None of what is none, such as a tracker.
        served: the same as users ask it.
    """
    if network is not None and not all(np.isfinite(weight).all() for weight in network.get_weights()):
        return float("nan"), "its weights hold NaN or infinity"
    samples, wanted = recorded["samples"], recorded["answers"]
    ways = {"what it serves": answers(served, samples)}
    if network is not None:
        ways["it"] = records.ask(network, samples)
    for name, given in ways.items():
        if (given.dtype, given.shape) != (wanted.dtype, wanted.shape):
            return float("nan"), f"{name} answers in the shape {shape(given)}, recorded is {shape(wanted)}"
    far = {name: objects.apart(given, wanted) for name, given in ways.items()}
    name = max(far, key=far.__getitem__)
    if far[name] <= TOLERANCE:
        return far[name], ""
    return far[name], f"answers of {name} differ from the recorded ones by {far[name]:.2g}; {TOLERANCE:g} is rounding"


def answers(served: Any, samples: np.ndarray) -> np.ndarray:
    """What a version's pyfunc answers."""
    return records.packed(served.predict(records.fed(samples)))


def shape(array: np.ndarray) -> str:
    return str(array.shape if array.dtype.names is None else {name: array[name].shape for name in array.dtype.names})


def latency(served: Any, samples: np.ndarray) -> float:
    """Median time in milliseconds of an answer to one sample, after the first."""
    sample = records.fed(samples)
    served.predict(sample)
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        served.predict(sample)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    exam_file = Path(asked["samples"]) if asked["samples"] else None
    here(asked["model"], asked["numbers"], samples=exam_file, folder=Path(asked["folder"]))
