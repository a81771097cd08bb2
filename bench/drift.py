"""How long the step drift takes, and what it finds: real digits, as they were, turned, noisy, skewed.

`python -m bench.drift` trains the recipe mlp_digits in a registry of its own, lets the champion answer held-out
digits as they are and changed, and tells after how many windows which shift is found and by which measures; windows
without any shift tell how often it is found where there is none. Then it times the step over 100,000 answered rows.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 100_000
WINDOW = 200
DOSES: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]] = {
    "as they are": lambda images, _, __: images,
    "turned by 15 degrees": lambda images, _, __: turned(images, 15),
    "turned by 90 degrees": lambda images, _, __: np.rot90(images, axes=(1, 2)),
    "noise of 20 grey levels": lambda images, _, rng: noisy(images, 20, rng),
    "noise of 60 grey levels": lambda images, _, rng: noisy(images, 60, rng),
    "ones twice as often": lambda images, answers, rng: skewed(images, answers, 2, rng),
    "ones five times as often": lambda images, answers, rng: skewed(images, answers, 5, rng),
    "one pixel to the right": lambda images, _, __: np.roll(images, 1, axis=2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=int, default=50, help="of windows without a shift")
    parser.add_argument("--picture", type=Path, help="where the picture of the digits turned by 90 degrees goes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="miar-drift-") as folder:
        reference, network, spec, images, answers = champion()
        print(shifts(reference, network, spec, images, answers, asked.resamples), flush=True)
        print(timed(reference, network, spec, images, Path(folder), asked.picture), flush=True)


def champion() -> tuple[Any, Any, Any, np.ndarray, np.ndarray]:
    """A network trained on the digits that lie here, its reference, and the digits that it has not learnt from."""
    import models
    from tasks import bases, catalogue, measures, prepared, problems, records, trainer

    recipe = catalogue.load().recipe("mlp_digits")
    train, exam = (prepared.read(recipe.dataset, part) for part in ("train", "test"))
    spec = prepared.read_spec(recipe.dataset)
    trainer.start_over(0)
    network, _ = trainer.build(models.load(recipe.model), spec, recipe.hyperparameters)
    bases.start(network, recipe.base)
    fit = trainer.Fit(20, 32, 0, "val_loss")
    validation = prepared.read(recipe.dataset, "validation")
    trainer.train(network, train, validation, fit=fit, checkpoints=None, say=lambda _: None)
    given = records.ask(network, np.asarray(exam.samples))
    quality = problems.load(prepared.problem(recipe.dataset)).quality(np.asarray(exam.answers), given, spec)
    print(f"accuracy {quality.mean():.4f} on {len(exam)} digits; windows of {WINDOW}\n", flush=True)
    reference = measures.refer(np.asarray(train.samples), given, spec, quality)
    return reference, network, spec, np.asarray(exam.samples), np.asarray(exam.answers)


def turned(images: np.ndarray, degrees: float) -> np.ndarray:
    from scipy import ndimage

    return np.asarray(ndimage.rotate(images, degrees, axes=(1, 2), reshape=False, order=1), np.uint8)


def noisy(images: np.ndarray, levels: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(images + rng.normal(0, levels, images.shape), 0, 255).astype(np.uint8)


def skewed(images: np.ndarray, answers: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """As many images, among them that many times as many ones."""
    weights = np.where(answers == 1, times, 1).astype(float)
    return images[rng.choice(len(images), len(images), p=weights / weights.sum())]


def window(reference: Any, network: Any, spec: Any, images: np.ndarray) -> Any:
    """A tasks.drift.Window of images that the network answers."""
    import pandas as pd

    from tasks import drift, measures, records, score
    from tasks.catalogue import Monitoring

    given = records.ask(network, np.ascontiguousarray(images))
    watched = {**measures.of_samples(images, reference.projection), **measures.of_answers(given, spec)}
    table = pd.DataFrame({f"{score.WATCHED}{name}": value for name, value in watched.items()}).assign(at="now")
    return drift.compare(table, reference, Monitoring(window=max(50, len(images))))


def shifts(reference: Any, network: Any, spec: Any, images: np.ndarray, answers: np.ndarray, resamples: int) -> str:
    """Of each shift: in how many of the resampled windows it is found, and by which measures most often."""
    lines = [f"{'shift':<28}{'windows over the limit':>24}  most often by"]
    for name, change in DOSES.items():
        rng = np.random.default_rng(0)
        found: dict[str, int] = {}
        over = 0
        for _ in range(resamples):
            rows = rng.integers(0, len(images), WINDOW)
            seen = window(reference, network, spec, np.ascontiguousarray(change(images[rows], answers[rows], rng)))
            over += bool(seen.over)
            for measure in seen.over[:3]:
                found[measure] = found.get(measure, 0) + 1
        often = ", ".join(sorted(found, key=lambda one: -found[one])[:3]) or "none"
        lines.append(f"{name:<28}{f'{over} of {resamples}':>24}  {often}")
    return "\n".join(lines) + "\n"


def timed(reference: Any, network: Any, spec: Any, images: np.ndarray, folder: Path, picture: Path | None) -> str:
    """Seconds of measuring and of the step's work over many answered rows, read from files as the step reads them."""
    import pandas as pd

    from tasks import drift, measures, places, records, score
    from tasks.catalogue import Monitoring

    places.scored = lambda model: folder / "scored" / model
    rows = np.random.default_rng(0).integers(0, len(images), ROWS)
    many = np.ascontiguousarray(np.rot90(images, axes=(1, 2)))[rows]
    given = records.ask(network, many)
    began = time.perf_counter()
    watched = {**measures.of_samples(many, reference.projection), **measures.of_answers(given, spec)}
    measured = time.perf_counter() - began
    columns = {f"{score.WATCHED}{name}": value.astype(np.float32) for name, value in watched.items()}
    table = pd.DataFrame(columns).assign(version=1, at="2026-01-01T00:00:00+00:00")
    places.scored("bench").mkdir(parents=True)
    for number, part in enumerate(np.array_split(np.arange(ROWS), 50)):
        table.iloc[part].to_parquet(places.scored("bench") / f"{number:03}.parquet", index=False)
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        read = drift.of_version("bench", 1, reference)
        wanted = Monitoring(window=ROWS // 5, windows=5)
        windows = [drift.compare(part, reference, wanted) for part in drift.last_windows(read, wanted)]
        figure = drift.picture(windows, reference, read.tail(wanted.window), "digits turned by 90 degrees")
        figure.savefig(picture or folder / "drift.png")
    took = time.perf_counter() - began
    if sum(bool(one.over) for one in windows) != 5:
        sys.exit("digits turned by 90 degrees must be found in each window")
    return f"{ROWS:,} rows in 50 files: measured in {measured:.2f} s, compared and drawn in {took:.2f} s"


if __name__ == "__main__":
    main()
