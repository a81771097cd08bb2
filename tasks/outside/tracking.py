"""MLflow tracking: one run for each trained network, with everything that made it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("DO_NOT_TRACK", "true")

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from tasks import places, records
from tasks.errors import Unavailable

BATCH = 1000
"""How many metrics MLflow takes at once."""

HOST = "miar.host"
"""Tag of a run: the machine whose process writes it."""

PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a child run; its pages show the child below the run that it names."""


@dataclass(frozen=True)
class Trial:
    """A trial of a search, as a run shows it; without a score it failed.

    Args:
        tags: what else is known of it.
    """

    number: int
    score: float | None
    params: Mapping[str, str]
    tags: Mapping[str, str]


def address() -> str:
    """The tracking server, or the database file of this checkout."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{places.MLFLOW_DATABASE}"


def connect() -> mlflow.MlflowClient:
    """A client of tracking and registry.

    Raises:
        Unavailable: if the server or the database does not answer.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(address())
    mlflow.set_registry_uri(address())
    client = mlflow.MlflowClient()
    try:
        client.search_registered_models(max_results=1)
    except MlflowException as error:
        reason = str(error).splitlines()[0][:200]
        raise Unavailable(f"MLflow must answer at MLFLOW_TRACKING_URI ({address()}). Received: {reason}") from error
    return client


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """What MLflow answers in the block and nobody there expects is one line.

    Raises:
        Unavailable: with what MLflow said.
    """
    try:
        yield
    except MlflowException as error:
        said = " ".join(str(error).split())[:300]
        raise Unavailable(f"MLflow must do what it is asked ({address()}). Received: {said}") from error


def experiment(client: mlflow.MlflowClient, name: str) -> str:
    """Id of the experiment called `name`, made if need be.

    With a database file alone, MLflow would put artifacts into ./mlruns of whatever folder it is called in.
    """
    found = client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    local = address().startswith("sqlite:")
    return str(client.create_experiment(name, (places.MLFLOW_ARTIFACTS / name).as_uri() if local else None))


@contextlib.contextmanager
def run(client: mlflow.MlflowClient, name: str) -> Iterator[str]:
    """Open a run in the experiment called `name`, and yield its id; it ends with the block, failed if that raises.

    One process of this machine at a time may do so, for the runs that others have left open are ended.
    """
    bury(client, name)
    with mlflow.start_run(experiment_id=experiment(client, name), tags={HOST: socket.gethostname()}) as active:
        yield str(active.info.run_id)


def log(
    client: mlflow.MlflowClient,
    run: str,
    *,
    params: Mapping[str, Any],
    history: pd.DataFrame,
    tags: Mapping[str, str],
) -> None:
    """Log params, tags and every epoch's metrics, in as few calls as MLflow allows.

    Args:
        history: the column epoch, and one for each metric.
    """
    now = int(time.time() * 1000)
    metrics = [
        Metric(name, float(value), now, int(epoch))
        for name in history.columns.drop("epoch")
        for epoch, value in zip(history["epoch"], history[name], strict=True)
    ]
    client.log_batch(
        run,
        metrics=metrics[:BATCH],
        params=[Param(name, str(value)) for name, value in params.items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    for start in range(BATCH, len(metrics), BATCH):
        client.log_batch(run, metrics=metrics[start : start + BATCH])


def log_trials(client: mlflow.MlflowClient, run: str, trials: Iterable[Trial]) -> None:
    """Make each trial a child of `run`, in three calls, which is as few as MLflow allows.

    A child has the tag of this machine from its first moment, so that `bury` ends one that a kill has left behind.
    """
    place = client.get_run(run).info.experiment_id
    tags = {PARENT: run, HOST: socket.gethostname()}
    for trial in trials:
        mine = {**tags, **trial.tags, "trial": str(trial.number)}
        child = client.create_run(place, tags=mine, run_name=f"trial {trial.number}").info.run_id
        scores = [] if trial.score is None else [Metric("score", trial.score, int(time.time() * 1000), 0)]
        client.log_batch(child, metrics=scores, params=[Param(*one) for one in trial.params.items()])
        with contextlib.redirect_stdout(io.StringIO()):  # MLflow prints where a server shows it
            client.set_terminated(child, "FINISHED" if scores else "FAILED")


def delete_trials(client: mlflow.MlflowClient, name: str, tag: str, value: str) -> None:
    """Delete the children of those ended runs of the experiment called `name` whose tag has that value.

    MLflow keeps deleted runs until `mlflow gc`.
    """
    place = [experiment(client, name)]
    for run in client.search_runs(place, f"tags.`{tag}` = '{value}' and attributes.status != 'RUNNING'"):
        for child in client.search_runs(place, f"tags.`{PARENT}` = '{run.info.run_id}'"):
            client.delete_run(child.info.run_id)


def log_files(client: mlflow.MlflowClient, run: str, files: Mapping[str, list[Path]]) -> None:
    """Store files as artifacts, in folders by name."""
    for folder, paths in files.items():
        for path in paths:
            client.log_artifact(run, str(path), folder)


def fetch_files(run: str, place: str, folder: Path) -> bool:
    """Put the artifacts that a run keeps in the folder `place` into `folder`; False where it has none of that name."""
    with tempfile.TemporaryDirectory() as scratch:
        found = downloaded(run, place, scratch)
        for path in found.iterdir() if found else ():
            shutil.copyfile(path, folder / path.name)
    return found is not None


def text(run: str, place: str) -> str | None:
    """The text of an artifact; None where a run has none of that name."""
    with tempfile.TemporaryDirectory() as scratch:
        found = downloaded(run, place, scratch)
        return found.read_text(encoding="utf-8") if found else None


def downloaded(run: str, place: str, folder: str) -> Path | None:
    """Where in `folder` an artifact lies now; None where the run has none of that name."""
    try:
        return Path(mlflow.artifacts.download_artifacts(run_id=run, artifact_path=place, dst_path=folder))
    except (MlflowException, OSError):
        return None


def log_data(client: mlflow.MlflowClient, run: str, *, name: str, digest: str, where: str) -> None:
    """Note which data a run learnt from; MLflow shows it on the run's page.

    Args:
        digest: DVC's md5 of the data.
        where: the path that DVC keeps it under.
    """
    source = json.dumps({"path": where, "dvc": digest})
    data = Dataset(name=name, digest=digest[:36], source_type="dvc", source=source)
    client.log_inputs(run, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])


def bury(client: mlflow.MlflowClient, name: str) -> None:
    """End the runs of the experiment called `name` that a kill on this machine has left behind.

    The caller holds the lock that such runs are opened under, so none of them goes on.
    """
    for dead in running(client, name):
        client.set_terminated(dead, "KILLED")


def running(client: mlflow.MlflowClient, name: str) -> list[str]:
    """Ids of the runs of the experiment called `name` that this machine has begun and not ended."""
    found = client.get_experiment_by_name(name)
    if not found:
        return []
    query = f"attributes.status = 'RUNNING' and tags.`{HOST}` = '{socket.gethostname()}'"
    return [str(run.info.run_id) for run in client.search_runs([found.experiment_id], query)]


def log_network(network: Any, samples: np.ndarray, scores: Mapping[str, float], requirements: list[str]) -> str:
    """Store a Keras model and its exported form in the active run; returns its model id.

    Args:
        samples: some of the exam, as stored; the first are the example that MLflow shows.
        scores: of the exam, tied to the model as the metrics `test_<score>`.
        requirements: what a reader needs installed; given, because MLflow's own guess takes seconds.
    """
    from tasks.outside import serving

    answers = network.predict(records.fed(samples[:2]), verbose=0)
    signature = mlflow.models.infer_signature(records.fed(samples[:2]), answers)
    with quiet():
        info = mlflow.models.Model.log(
            None,
            serving,
            name="model",
            network=network,
            samples=samples,
            signature=signature,
            requirements=requirements,
        )
    mlflow.log_metrics({f"test_{name}": value for name, value in scores.items()}, model_id=info.model_id)
    return str(info.model_id)


def log_tracker(detector: Path, settings: Mapping[str, Any], example: np.ndarray, requirements: list[str]) -> str:
    """Store a tracker in the active run; returns its model id.

    Args:
        detector: folder of the version whose network finds the boxes.
        settings: as `following.save_model` has them.
        example: frames, uint8 (T, H, W, C).
        requirements: what a reader needs installed.
    """
    from mlflow.types import Schema, TensorSpec

    from tasks.outside import following

    inputs = Schema([TensorSpec(example.dtype, (-1, *example.shape[1:]))])
    signature = mlflow.models.ModelSignature(inputs, following.answers())
    with quiet():
        info = mlflow.models.Model.log(
            None,
            following,
            name="model",
            detector=detector,
            settings=settings,
            example=example[:2],
            signature=signature,
            requirements=requirements,
        )
    return str(info.model_id)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let MLflow say nothing in the block but what has gone wrong: it tries the example, and tells of it."""
    log = logging.getLogger("mlflow")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(level)
