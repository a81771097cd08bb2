"""Whether the trainer's batches come as fast as a network takes them.

`python -m bench.feeding` draws scenes of noise as large as the photographs of blood cells, with as many boxes, and
takes turns in one run: an epoch of the trainer's batches that nobody learns from, an epoch that a narrow SSD learns
from, and as many steps of SSD on one batch that is in memory. What the batches cost is what the second takes longer
than the third; were it nothing, the ratio would be 1.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SHAPE, BOXES, BATCH = (240, 320, 3), 30, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scenes", type=int, default=96, help="of an epoch, a multiple of eight")
    asked = parser.parse_args()
    ways = turns(asked.scenes, asked.rounds + 1)
    taken = [{name: timed(way) for name, way in ways.items()} for _ in range(asked.rounds + 1)][
        1:
    ]  # the first compiles
    found = {name: median(one[name] for one in taken) for name in ways}
    for name, seconds in found.items():
        print(f"{name}: {asked.scenes / seconds:,.0f} scenes a second")
    ratio = median(one["learning from the trainer's batches"] / one["learning from memory"] for one in taken)
    print(f"an epoch takes {ratio:.3f} of the time that its steps take in memory")


def turns(scenes: int, epochs: int) -> dict[str, Callable[[], object]]:
    """What is timed, by name; each call goes on with the next epoch."""
    import keras_tuner

    from models import ssd
    from models.spec import Input, Spec
    from tasks import trainer
    from tasks.prepared import Split

    drawn = split(scenes)
    fit = trainer.Fit(epochs=epochs, batch_size=BATCH, seed=0, objective="val_loss")
    steps = scenes // BATCH
    alone, learnt = (iter(trainer.batches(Split(*drawn), fit=fit, start=0)) for _ in range(2))
    spec = Spec({"image": Input(SHAPE, "uint8")}, ("red", "white", "platelet"), boxes=BOXES)
    model = ssd.build(spec, keras_tuner.HyperParameters())
    batch = next(iter(trainer.batches(Split(*drawn), fit=fit, start=0)))
    return {
        "batches alone": lambda: [next(alone) for _ in range(steps)],
        "learning from the trainer's batches": lambda: [model.train_on_batch(*next(learnt)) for _ in range(steps)],
        "learning from memory": lambda: [model.train_on_batch(*batch) for _ in range(steps)],
    }


def split(scenes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, answers and ids of scenes with boxes anywhere."""
    from tasks import records

    rng = np.random.default_rng(0)
    corners = np.sort(rng.random((scenes, BOXES, 2, 2)), axis=2).reshape(scenes, BOXES, 4).astype(np.float32)
    labels = rng.integers(0, 3, (scenes, BOXES)).astype(np.int32)
    images = rng.integers(0, 256, (scenes, *SHAPE), dtype=np.uint8)
    return images, records.packed({"boxes": corners, "labels": labels}), np.arange(scenes)


def timed(way: Callable[[], Any]) -> float:
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
