"""register: give the evaluated network a version number, and everything that made it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks import catalogue, measures, news, places, prepared, problems, records, score
from tasks.catalogue import Recipe
from tasks.champions import locked
from tasks.collected import ATTRIBUTION, METADATA
from tasks.errors import Refused
from tasks.outside import registry, tracking, versioning
from tasks.receipts import (
    Collected,
    Evaluated,
    Prepared,
    Registered,
    Searched,
    Trained,
    Tuned,
    Validated,
    digest_file,
)

PACKAGES = ("numpy", "onnxruntime", "keras", "tensorflow")
"""What a stored network needs: the first two to be asked, all of them to be trained on or explained."""

ANSWERED = 32
"""To how many samples of the exam the network's answers are kept with it."""


def register(name: str) -> Registered:
    """Register the evaluated network of the recipe called `name`; its model in the registry has that name.

    The same weights, data and exam are the same version: asked again, it answers with the number they have.

    Raises:
        Refused: if what lies here was not evaluated as it is now.
        Unavailable: if MLflow does not answer.
    """
    recipe = catalogue.load().recipe(name)
    identity = identify(name, recipe)
    client = tracking.connect()
    with locked("register", name), tracking.answering():
        known = registry.find(client, name, identity)
        number, run = (int(known.version), str(known.run_id)) if known else record(client, name, recipe, identity)
    print(f"{name} version {number} {'was registered before' if known else 'registered'}", flush=True)
    places.registered(name).mkdir(parents=True, exist_ok=True)
    return Registered(name=name, digest=identity, version=number, run_id=run, new=known is None).write(
        places.registered(name)
    )


def identify(name: str, recipe: Recipe) -> str:
    """sha256 of weights, data and exam.

    Raises:
        Refused: if the evaluation or the training is of other data than lies here.
    """
    data, exam = Prepared.read(places.prepared(recipe.dataset)), Evaluated.read(places.evaluated(name))
    if exam.exam != data.exam:
        raise Refused(
            f"the evaluation of `{name}` must be on the exam that lies here, {data.exam[:12]}. "
            f"Received: {exam.exam[:12]}. Run: .venv/bin/dvc repro evaluate@{name}"
        )
    trained = Trained.read(places.trained(name))
    if trained.data != data.digest:
        raise Refused(
            f"`{name}` must have been trained on the data that lies here, {data.digest[:12]}. "
            f"Received: on {trained.data[:12]}. Run: .venv/bin/dvc repro evaluate@{name}"
        )
    parts = [trained.digest, data.digest, exam.digest]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def record(client: Any, name: str, recipe: Recipe, identity: str) -> tuple[int, str]:
    """Store run, files and network in MLflow, then the version; returns its number and the run's id."""
    from tasks import bases  # loads Keras, which is not needed where the version is there already

    tags = {**lineage(name, recipe), registry.IDENTITY: identity}
    with tracking.run(client, name) as run:
        history = pd.read_csv(places.trained(name) / "history.csv")
        tracking.log(client, run, params=params(name, recipe), history=history, tags=tags)
        tracking.log_files(client, run, files(name, recipe))
        tracking.delete_trials(client, name, registry.IDENTITY, identity)  # of runs that never became this version
        tracking.log_trials(client, run, trials(name))
        where = places.prepared(recipe.dataset).relative_to(places.DATA.parent).as_posix()
        digest = tags[f"dvc.data.{recipe.dataset}"]
        tracking.log_data(client, run, name=recipe.dataset, digest=digest, where=where)
        network = bases.network(name)
        example = np.asarray(prepared.read(recipe.dataset, "test").samples[:ANSWERED])
        record_answers(client, run, network, example)
        record_reference(client, run, network, recipe)
        requirements = [f"{package}=={version(package)}" for package in PACKAGES]
        scores = Evaluated.read(places.evaluated(name)).scores
        model_id = tracking.log_network(network, example, scores, requirements)
        tags[registry.MODEL_DIGEST] = registry.digest(registry.logged(model_id))
    return registry.create(client, name, run=run, model_id=model_id, tags=tags, text=described(name, tags)), run


def described(name: str, tags: dict[str, str]) -> str:
    """The version's description in MLflow: where it came from, for a reader who knows nothing of this project."""
    scores = ", ".join(
        f"{key.removeprefix('score.')} {float(tags[key]):.4f}" for key in tags if key.startswith("score.")
    )
    return (
        f"{name}, trained by miar: {scores} on {tags['exam.samples']} samples.\n\n"
        f"- code: commit `{tags['git.commit'][:12]}`, seed {tags['seed']}, on {tags['hw.device']}\n"
        f"- data: {', '.join(f'`{key}` {tags[key]}' for key in tags if key.startswith('dvc.data.'))}\n"
        f"- validation: {tags['gx.success']}, search: {tags['tuner.kind']} with {tags['tuner.n_trials']} trials\n\n"
        f"The whole lineage: `./miar explain {name}@<version>`\n"
    )


def record_answers(client: Any, run: str, network: Any, samples: np.ndarray) -> None:
    """Keep what the network answers to a few samples, so that it can be seen later to be the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{registry.RECORDED}.npz"
        np.savez_compressed(path, samples=samples, answers=records.ask(network, samples))
        tracking.log_files(client, run, {registry.RECORDED: [path]})


def record_reference(client: Any, run: str, network: Any, recipe: Recipe) -> None:
    """Keep what is normal for the network's samples and answers, so that it can be seen later when it no longer is."""
    train, exam = (prepared.read(recipe.dataset, part) for part in ("train", "test"))
    spec, problem = prepared.read_spec(recipe.dataset), problems.load(prepared.problem(recipe.dataset))
    given = records.ask(network, np.asarray(exam.samples))
    quality = problem.quality(np.asarray(exam.answers), given, spec)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / score.REFERENCE
        measures.refer(np.asarray(train.samples), given, spec, quality).write(path)
        facts = places.prepared(recipe.dataset) / prepared.SPEC
        tracking.log_files(client, run, {score.MONITORING: [path, facts]})


def lineage(name: str, recipe: Recipe) -> dict[str, str]:
    """Where the network came from, as tags: code, data, settings, judgements, machine, and who asked."""
    trained, tuned = Trained.read(places.trained(name)), Tuned.read(places.tuned(name))
    evaluated, validated = Evaluated.read(places.evaluated(name)), Validated.read(places.validated(recipe.dataset))
    settings = json.dumps(recipe.model_dump(mode="json"), sort_keys=True)
    return {
        registry.MODEL: name,
        news.SETTINGS: news.settings(catalogue.load(), name),
        "data.sha256": trained.data,
        "data.validated": validated.ingested,
        "data.digests": digests(recipe),
        **({registry.COLLECTION_OF: source} if (source := collection(recipe)) else {}),
        "data.samples": json.dumps(Prepared.read(places.prepared(recipe.dataset)).samples),
        **versioning.lineage(data={recipe.dataset: f"prepare@{recipe.dataset}"}, stage=f"train@{name}"),
        "recipe": settings,
        "params.sha256": hashlib.sha256(settings.encode()).hexdigest(),
        "seed": str(recipe.train.seed),
        "base": recipe.base,
        "base.sha256": trained.base,
        "env.lock_sha256": digest_file(places.REQUIREMENTS),
        "gx.result_id": validated.result_id,
        "gx.success": str(validated.success).lower(),
        "tuner.kind": tuned.tuner,
        "tuner.n_trials": str(tuned.trials),
        "tuner.best_trial": tuned.best_trial or versioning.UNKNOWN,
        "prefect.flow_run_id": os.environ.get("MIAR_FLOW_RUN", versioning.UNKNOWN),
        "started.by": os.environ.get("MIAR_CAUSE", "hand"),
        "prefect.deployment": os.environ.get("MIAR_DEPLOYMENT", versioning.UNKNOWN),
        "hw.device": trained.device,
        "hw.threads": str(trained.threads),
        "exam.sha256": evaluated.exam,
        "exam.samples": str(evaluated.samples),
        **{f"score.{score}": repr(value) for score, value in evaluated.scores.items()},
    }


def digests(recipe: Recipe) -> str:
    """Every digest that the data has had on its way, between blanks: raw files, samples, prepared, exam, DVC's md5."""
    data, validated = Prepared.read(places.prepared(recipe.dataset)), Validated.read(places.validated(recipe.dataset))
    source = catalogue.load().dataset(recipe.dataset).source
    found = [*raw(source), validated.ingested, data.digest, data.exam, *versioning.digests(source, recipe.dataset)]
    return f" {' '.join(dict.fromkeys(found))} "


def raw(source: str) -> list[str]:
    """Digests of what a source's samples were made of: its files, or what a search has found and what came of it."""
    known = catalogue.load()
    if source not in known.collections:
        return list(known.source(source).files.values())
    return [Searched.read(places.searched(source)).digest, Collected.read(places.collected(source)).digest]


def collection(recipe: Recipe) -> str | None:
    """The collection that a recipe's images are of, if they are of one."""
    known = catalogue.load()
    source = known.dataset(recipe.dataset).source
    return source if source in known.collections else None


def params(name: str, recipe: Recipe) -> dict[str, Any]:
    """What was chosen, by name, for MLflow's table of runs."""
    chosen = Tuned.read(places.tuned(name)).hyperparameters
    settings = {f"train.{key}": value for key, value in recipe.train.model_dump().items()}
    return {"dataset": recipe.dataset, "model": recipe.model, "base": recipe.base, **settings, **chosen}


def trials(name: str) -> Iterator[tracking.Trial]:
    """The search's trials, every value as trials.csv has it; a cell without one is no param."""
    table = pd.read_csv(places.tuned(name) / "trials.csv", dtype=str, keep_default_na=False)
    for row in table.to_dict("records"):
        known = {str(key): value for key, value in row.items() if value}
        number, score, status = int(known.pop("trial")), known.pop("score", None), known.pop("status")
        tags = {"defaults": known.pop("defaults")}
        done = score is not None and status == "COMPLETED"
        yield tracking.Trial(number, float(str(score)) if done else None, known, tags)


def files(name: str, recipe: Recipe) -> dict[str, list[Path]]:
    """What is kept beside the network, by folder."""
    evaluated, tuned, explained = places.evaluated(name), places.tuned(name), places.explained(name)
    source = collection(recipe)
    images = [places.collected(source) / one for one in (METADATA, ATTRIBUTION)] if source else []
    return {
        registry.COLLECTION: images,
        "evaluation": [
            *(evaluated / one for one in ("report.html", "metrics.json", "predictions.parquet")),
            *sorted(evaluated.glob("tables/*.csv")),
        ],
        "pictures": [*sorted(evaluated.glob("pictures/*.png")), tuned / "trials.png", tuned / "space.png"],
        "explained": sorted(explained.glob("pictures/*.png")),
        "search": [tuned / "trials.csv", tuned / "hyperparameters.json"],
        "training": [places.trained(name) / "history.csv"],
        "validation": [places.validated(recipe.dataset) / "report.html"],
        "reproduce": [path for path in (places.PARAMS, places.DVC_LOCK, places.REQUIREMENTS) if path.is_file()],
    }
