"""How many images a second the published detectors answer, decoding and suppression included, on this device.

`python -m bench.detectors` builds each network at the course's size, with weights that do not matter here, and asks it
for one image and for eight at a time: `predict_on_batch`, compiled, from images in memory to boxes in memory. The
networks take turns in one run, because machines are noisy. Beside them stand the course's columns, measured on a Titan
X (docs/detectors.csv); their mAP is that of VOC2007 and of the published weights, and says nothing of ours.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

BATCHES = (1, 8)
REFERENCE = Path(__file__).parent.parent / "docs" / "detectors.csv"


def networks() -> dict[str, Callable[[], Any]]:
    """By the course's names, what builds each network."""
    from models import ssd

    return {"SSD300": ssd.ssd300, "SSD512": ssd.ssd512}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of networks; all if left out")
    asked = parser.parse_args()
    ways = networks()
    built = {name: ways[name]() for name in asked.only or ways}
    rows = {(name, batch): [] for name in built for batch in BATCHES}  # type: dict[tuple[str, int], list[float]]
    for batch in BATCHES:
        for network in built.values():
            timed(network, batch)  # compiles
        for _ in range(asked.rounds):
            for name, network in built.items():
                rows[name, batch].append(timed(network, batch))
    print(f"{device()}; median of {asked.rounds} rounds")
    print(table(built, {key: median(times) for key, times in rows.items()}).to_string(index=False))


def timed(network: Any, batch: int) -> float:
    """Seconds of one call."""
    images = np.random.default_rng(0).integers(0, 256, (batch, *network.input_shape[1:]), dtype=np.uint8)
    began = time.perf_counter()
    network.predict_on_batch(images)
    return time.perf_counter() - began


def table(built: dict[str, Any], seconds: dict[tuple[str, int], float]) -> pd.DataFrame:
    """A row for each network and batch: ours, then the course's columns where it has them."""
    course = pd.read_csv(REFERENCE)
    ours = pd.DataFrame(
        {
            "method": name,
            "batch": batch,
            "parameters": f"{built[name].count_params():,}",
            "fps": round(batch / one, 2),
            "ms": round(1000 * one / batch, 1),
        }
        for (name, batch), one in seconds.items()
    )
    theirs = course[["method", "batch", "fps", "map"]].fillna({"batch": 1}).astype({"batch": int})
    return ours.merge(theirs, on=["method", "batch"], how="left", suffixes=("", " course")).rename(
        columns={"map": "VOC mAP course"}
    )


def device() -> str:
    """What the networks run on."""
    import keras

    devices = ", ".join(keras.distribution.list_devices())
    return f"Keras {keras.__version__} on {keras.backend.backend()}, {devices}, {os.cpu_count()} CPU cores"


if __name__ == "__main__":
    main()
