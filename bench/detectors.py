"""How many images a second the published detectors answer, decoding and suppression included, on this device.

`python -m bench.detectors` builds each network at the course's size, with weights that do not matter here, and asks it
for one image and for eight at a time: `predict_on_batch`, compiled, from images in memory to boxes in memory. R-CNN and
Fast R-CNN have 2,000 proposals of an image, whose search is not in their time, and are asked for one image alone: eight
times as many regions would want tens of gigabytes. The networks take turns in one run, because machines are noisy.
Beside them stand the course's columns, measured on a Titan X (docs/detectors.csv); their mAP is that of VOC2007 and of
the published weights, and says nothing of ours.
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
OF_REGIONS = ("R-CNN", "Fast R-CNN")
"""Networks that come with proposals."""

REFERENCE = Path(__file__).parent.parent / "docs" / "detectors.csv"


def networks() -> dict[str, Callable[[], Any]]:
    """By the course's names, where it has one, what builds each network."""
    from models import fast_rcnn, faster_rcnn, rcnn, ssd, yolo_v1, yolo_v2, yolo_v3

    return {
        "R-CNN": rcnn.rcnn_alexnet,
        "Fast R-CNN": fast_rcnn.fast_rcnn,
        "Faster R-CNN VGG16": faster_rcnn.faster_rcnn_vgg16,
        "Faster R-CNN ZF": faster_rcnn.faster_rcnn_zf,
        "YOLO": yolo_v1.yolo_v1,
        "Fast YOLO": yolo_v1.fast_yolo,
        "SSD300": ssd.ssd300,
        "SSD512": ssd.ssd512,
        "YOLOv2": yolo_v2.yolo_v2_voc,
        "YOLOv3": yolo_v3.yolo_v3_coco,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of networks; all if left out")
    asked = parser.parse_args()
    ways = networks()
    built = {name: ways[name]() for name in asked.only or ways}
    pairs = [(name, batch) for batch in BATCHES for name in built if batch == 1 or name not in OF_REGIONS]
    for name, batch in pairs:
        timed(built[name], batch)  # compiles
    rounds = [{pair: timed(built[pair[0]], pair[1]) for pair in pairs} for _ in range(asked.rounds)]
    print(f"{device()}; median of {asked.rounds} rounds")
    print(table(built, {pair: median(one[pair] for one in rounds) for pair in pairs}).to_string(index=False))


def timed(network: Any, batch: int) -> float:
    """Seconds of one call."""
    samples = {tensor.name: drawn(tensor.shape[1:], tensor.dtype, batch) for tensor in network.inputs}
    fed = samples if len(samples) > 1 else next(iter(samples.values()))
    began = time.perf_counter()
    network.predict_on_batch(fed)
    return time.perf_counter() - began


def drawn(shape: tuple[int, ...], dtype: str, batch: int) -> np.ndarray:
    """Images of noise, or proposals anywhere."""
    rng = np.random.default_rng(0)
    if dtype == "uint8":
        return rng.integers(0, 256, (batch, *shape), dtype=np.uint8)
    corners = np.sort(rng.random((batch, shape[0], 2, 2)), axis=2)
    return corners.reshape(batch, shape[0], 4).astype(np.float32)


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
