"""The backbones of the course's table: parameters, operations by our own count, and speed on this device.

`python -m bench.backbones` builds each network at the size at which its operations are the table's, with weights that
do not matter here, and asks it for one image and for eight at a time. The ResNets are those of keras.applications. The
networks take turns in one run, because machines are noisy. An answer is Keras's `predict_on_batch`, compiled, from
images in memory to probabilities in memory. The table's FPS are Redmon and Farhadi's, on a Titan X.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

BATCHES = (1, 8)
SIDE = 256


@dataclass(frozen=True)
class Published:
    """A row of the course's table; what is not in it is None.

    Args:
        top1, top5: accuracy on ImageNet, percent.
        billions: operations of one answer, in 1e9.
        rate: operations a second, in 1e9.
        fps: answers a second.
    """

    top1: float
    top5: float
    billions: float
    rate: float | None = None
    fps: float | None = None


PUBLISHED = {
    "Darknet-19": Published(74.1, 91.8, 7.29),
    "ResNet-101": Published(77.1, 93.7, 19.7),
    "ResNet-152": Published(77.6, 93.8, 29.4, rate=1090),
    "Darknet-53": Published(77.2, 93.8, 18.7, rate=1457, fps=78),
}


@dataclass(frozen=True)
class Measured:
    """What was found here: parameters, operations of one answer, and seconds of one call by images in it."""

    parameters: int
    operations: int
    seconds: dict[int, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=3, help="answers of each network in a round")
    asked = parser.parse_args()
    networks = built()
    seconds = {batch: timed(networks, batch, asked.rounds, asked.calls) for batch in BATCHES}
    found = {
        name: measured(network, {batch: seconds[batch][name] for batch in BATCHES})
        for name, network in networks.items()
    }
    print(
        f"{device()}; {SIDE}x{SIDE} pixels, median of {asked.rounds} rounds of {asked.calls} calls after one to warm up"
    )
    print(table(found))


def built() -> dict[str, Any]:
    """The networks of the table before any training."""
    import keras

    from models import darknet19, darknet53

    keras.utils.set_random_seed(0)
    shape = (SIDE, SIDE, 3)
    return {
        "Darknet-19": darknet19.darknet19(input_shape=shape),
        "ResNet-101": keras.applications.ResNet101(weights=None, input_shape=shape),
        "ResNet-152": keras.applications.ResNet152(weights=None, input_shape=shape),
        "Darknet-53": darknet53.darknet53(input_shape=shape),
    }


def timed(networks: dict[str, Any], batch: int, rounds: int, calls: int) -> dict[str, float]:
    """Seconds of a call with so many images: of each network the median of all rounds."""
    images = np.random.default_rng(0).integers(0, 256, (batch, SIDE, SIDE, 3), dtype=np.uint8)
    for network in networks.values():
        network.predict_on_batch(images)
    times = [{name: one(network, images, calls) for name, network in networks.items()} for _ in range(rounds)]
    return {name: median(found[name] for found in times) for name in networks}


def one(network: Any, images: np.ndarray, calls: int) -> float:
    """Median seconds of a call."""
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        network.predict_on_batch(images)
        times.append(time.perf_counter() - began)
    return median(times)


def measured(network: Any, seconds: dict[int, float]) -> Measured:
    from models.views import operations

    return Measured(network.count_params(), operations.operations(network), seconds)


def device() -> str:
    """What the networks run on."""
    import keras

    devices = ", ".join(keras.distribution.list_devices())
    return f"Keras {keras.__version__} on {keras.backend.backend()}, {devices}, {os.cpu_count()} CPU cores"


def table(found: dict[str, Measured]) -> str:
    """The networks as text: the course's columns, and beside them ours."""
    head = f"{'':<12}{'top-1':>7}{'top-5':>7}{'parameters':>12}{'Bn ops':>8}{'course':>8}{'apart':>8}"
    head += "".join(f"{f'FPS at {batch}':>10}{'Bn/s':>7}" for batch in BATCHES) + f"{'course FPS':>12}{'Bn/s':>7}"
    return "\n".join([head, *(row(name, one) for name, one in found.items())])


def row(name: str, found: Measured) -> str:
    course, billions = PUBLISHED[name], found.operations / 1e9
    cells = f"{name:<12}{course.top1:>7}{course.top5:>7}{found.parameters:>12,}{billions:>8.2f}{course.billions:>8}"
    cells += f"{billions / course.billions - 1:>+8.1%}"
    for batch, seconds in found.seconds.items():
        cells += f"{batch / seconds:>10.2f}{batch * billions / seconds:>7.1f}"
    return cells + f"{course.fps or '-':>12}{course.rate or '-':>7}"


if __name__ == "__main__":
    main()
