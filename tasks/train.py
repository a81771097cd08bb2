"""train: one fit of the chosen network, which a kill can stop but not change."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from filelock import FileLock

import models
from tasks import bases, catalogue, places, prepared, trainer
from tasks.catalogue import Recipe
from tasks.receipts import Trained, digest_file


def train(name: str) -> Trained:
    """Train the recipe called `name` with the hyperparameters that tune chose, and save the network.

    Killed and started again, it goes on after the last whole epoch, and ends with the same weights.
    """
    recipe = catalogue.load().recipe(name)
    data = prepared.receipt(recipe.dataset)
    hyperparameters = chosen(name)
    scratch = places.SCRATCH / "training" / fingerprint(recipe, hyperparameters, data.digest)
    scratch.mkdir(parents=True, exist_ok=True)
    with FileLock(scratch.with_suffix(".lock")):
        receipt = fit_and_save(name, recipe, hyperparameters, data.digest, scratch)
        shutil.rmtree(scratch)
    return receipt


def chosen(name: str) -> dict[str, Any]:
    """The hyperparameters that tune chose for the recipe called `name`."""
    text = (places.tuned(name) / "hyperparameters.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def fingerprint(recipe: Recipe, hyperparameters: dict[str, Any], data: str) -> str:
    """Hash of all that the weights depend on, so that a changed input never resumes a stale run."""
    folder = Path(models.__file__).parent
    code = [folder / f"{recipe.model}.py", *sorted(folder.glob("parts/*.py")), Path(trainer.__file__)]
    start = bases.digest(recipe.base)
    facts = [recipe.train.model_dump(), recipe.search.objective, hyperparameters, data, start, *map(digest_file, code)]
    versions = [keras.__version__, keras.backend.backend(), trainer.threads(), trainer.device()]
    return hashlib.sha256(json.dumps([facts, versions], sort_keys=True).encode()).hexdigest()[:24]


def fit_and_save(name: str, recipe: Recipe, hyperparameters: dict[str, Any], data: str, scratch: Path) -> Trained:
    """Fit, and write the step's folder: model.keras, history.csv and the receipt."""
    began = time.monotonic()
    trainer.start_over(recipe.train.seed)
    model, _ = trainer.build(models.load(recipe.model), prepared.read_spec(recipe.dataset), hyperparameters)
    print(f"{name}: {model.count_params():,} parameters on {trainer.device()}", flush=True)
    carried = bases.start(model, recipe.base, prepared.vocabulary(recipe.dataset))
    history = trainer.train(
        model,
        prepared.read(recipe.dataset, "train"),
        prepared.read(recipe.dataset, "validation"),
        fit=trainer.Fit(
            recipe.train.epochs,
            recipe.train.batch_size,
            recipe.train.seed,
            recipe.search.objective,
            recipe.train.patience,
        ),
        checkpoints=trainer.Checkpoints(scratch),
        say=lambda line: print(line, flush=True),
    )
    with places.whole_folder(places.trained(name)) as folder:
        places.check_space(folder, trainer.stored_bytes(model))
        model.save(folder / "model.keras")
        table = pd.DataFrame(history.epochs)
        table.insert(0, "epoch", np.arange(1, len(table) + 1))
        table.to_csv(folder / "history.csv", index=False)
        kept = history.best(recipe.search.objective) if recipe.train.patience is not None else len(table) - 1
        return Trained(
            name=name,
            digest=bases.digest_weights(model),
            data=data,
            base=bases.digest(recipe.base),
            carried=carried,
            parameters=model.count_params(),
            epochs=len(table),
            best_epoch=kept + 1,
            seed=recipe.train.seed,
            device=trainer.device(),
            threads=trainer.threads(),
            seconds=round(time.monotonic() - began, 1),
        ).write(folder)
