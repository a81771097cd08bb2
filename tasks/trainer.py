"""The one trainer: the same fit for a trial and for the final training, on any architecture.

Given equal inputs and an equal number of threads it ends with equal weights, bit for bit on a CPU, also
when it was killed and started again. Four things make that so: deterministic operations; an order of
samples that is a function of (seed, epoch); random generators set anew from (seed, epoch) before every
epoch; and checkpoints that hold weights, optimizer and history, and are written whole or not at all.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from models import Architecture
from models.spec import Spec
from tasks import catalogue, places, records
from tasks.errors import BadRequest, MiarError
from tasks.prepared import Split
from tasks.receipts import digest_file
from tasks.windows import Windows

Epoch = dict[str, float]

OVERHEAD = 200_000
"""Bytes of a network's file that are no weights: names, shapes, settings."""


class Diverged(MiarError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class Fit:
    """How a network is fitted.

    Args:
        epochs: passes over the training samples, counted from the first one ever.
        batch_size: samples in a step.
        seed: of the order of samples and of every random layer.
        objective: metric of the validation samples that says which epoch is best.
        patience: epochs without a better one after which training stops; None trains them all.
    """

    epochs: int
    batch_size: int
    seed: int
    objective: str
    patience: int | None = None


def start_over(seed: int) -> None:
    """Seed Python, NumPy and the backend, and forbid operations whose result may vary.

    Layers are named from the beginning again: TensorFlow adds up the gradients of a network with branches in the order
    of its layers' names, so that else a network would depend on those that its process has built before.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def direction(objective: str) -> str:
    """Whether an objective is better when `min` or `max`."""
    return "min" if objective.endswith(("loss", "error")) else "max"


def build(architecture: Architecture, spec: Spec, values: Mapping[str, Any]) -> tuple[keras.Model, dict[str, Any]]:
    """Build and compile with `values` fixed and every other hyperparameter at its default.

    Returns:
        The model, and all its hyperparameters by name.

    Raises:
        BadRequest: if a name is not declared by the architecture, or a value is out of its range;
            Keras Tuner alone would pass over both in silence.
    """
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    try:
        model = architecture.build(spec, hp)
    except (TypeError, ValueError) as error:
        check_values(values, hp, among_all=False)
        raise BadRequest(f"the network must be buildable with {dict(values)}. Received: {error}") from error
    check_values(values, hp, among_all=True)
    return model, {parameter.name: hp.values[parameter.name] for parameter in hp.space}


def check_values(values: Mapping[str, Any], hp: keras_tuner.HyperParameters, *, among_all: bool) -> None:
    """Raise BadRequest for a value out of its range, or a name that is not declared.

    Args:
        among_all: whether `hp` has seen all declarations; after a build that failed, only a name that looks
            like a declared one is taken for a misspelt one.
    """
    declared = {parameter.name: parameter for parameter in hp.space}
    for name, value in values.items():
        near = catalogue.did_you_mean(name, declared)
        if name in declared and not allowed(declared[name], value):
            raise BadRequest(f"`hyperparameters.{name}` must be {describe(declared[name])}. Received: {value!r}")
        if name not in declared and (among_all or near):
            raise BadRequest(f"`hyperparameters` must be among {', '.join(declared)}. Received: {name!r}{near}")


def allowed(parameter: Any, value: Any) -> bool:
    """Whether `value` lies in what an architecture declared."""
    if isinstance(parameter, keras_tuner.engine.hyperparameters.Boolean):
        return isinstance(value, bool)
    if hasattr(parameter, "values") and not hasattr(parameter, "min_value"):
        return value in parameter.values
    whole = isinstance(parameter, keras_tuner.engine.hyperparameters.Int)
    number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    return number and parameter.min_value <= value <= parameter.max_value


def describe(parameter: Any) -> str:
    if hasattr(parameter, "min_value"):
        kind = "a whole number" if isinstance(parameter, keras_tuner.engine.hyperparameters.Int) else "a number"
        return f"{kind} from {parameter.min_value} to {parameter.max_value}"
    return f"one of {', '.join(map(str, getattr(parameter, 'values', [True, False])))}"


def batches(split: Split, *, fit: Fit, start: int) -> tf.data.Dataset:
    """Shuffled batches of the epochs `start` to the last, each in an order of its own.

    Samples stay as they are stored, uint8 for images, until the model. Keras alone repeats the first
    epoch's order in every epoch once a seed is set.
    """
    taken = takes(split)
    places_of_samples = tf.range(len(split))

    def order(epoch: tf.Tensor) -> tf.data.Dataset:
        seed = tf.stack([tf.constant(fit.seed, tf.int64), epoch])
        shuffled = tf.random.experimental.stateless_shuffle(places_of_samples, seed=seed)
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(fit.batch_size)

    epochs = tf.data.Dataset.range(start, fit.epochs)
    return epochs.flat_map(order).map(taken).prefetch(tf.data.AUTOTUNE)


def takes(split: Split) -> Callable[[tf.Tensor], tuple[Any, Any]]:
    """What takes the samples and the answers of some rows."""
    samples, answers = taker(split.samples), taker(split.answers)
    return lambda rows: (samples(rows), answers(rows))


def taker(held: Any) -> Callable[[tf.Tensor], Any]:
    """What takes some rows of an array, of the fields of records, or of windows, which are cut from their text then."""
    if isinstance(held, Windows):
        text, starts, places_in = map(tf.constant, (held.text, held.starts, np.arange(held.length)))
        return lambda rows: tf.gather(text, tf.gather(starts, rows)[:, tf.newaxis] + places_in)
    arrays = tf.nest.map_structure(tf.constant, records.fed(held))
    return lambda rows: tf.nest.map_structure(lambda array: tf.gather(array, rows), arrays)


def in_order(split: Split, batch_size: int) -> tf.data.Dataset:
    """Batches in the order of the disk, kept in memory."""
    rows = tf.data.Dataset.range(len(split)).batch(batch_size)
    return rows.map(takes(split)).prefetch(tf.data.AUTOTUNE)


class EpochSeeds(keras.callbacks.Callback):
    """Set every random generator of the model from (seed, epoch, its number) before each epoch.

    Keras does not keep the generators' states in a weights file, so a resumed Dropout would differ.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: Epoch | None = None) -> None:
        del logs
        states = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for number, state in enumerate(states):
            state.assign(np.random.SeedSequence([self.seed, epoch, number]).generate_state(2))


@dataclass
class History:
    """What each epoch gave, in order: name of the metric to its value."""

    epochs: list[Epoch] = field(default_factory=list)

    def best(self, objective: str) -> int:
        """Number of the best epoch, from 0; the first one of equals."""
        values = [epoch[objective] for epoch in self.epochs]
        return values.index(min(values) if direction(objective) == "min" else max(values))

    def is_over(self, fit: Fit) -> bool:
        """Whether the last epoch is done, or `patience` has run out."""
        done = len(self.epochs)
        if done == 0:
            return False
        waited = done - 1 - self.best(fit.objective)
        return done >= fit.epochs or (fit.patience is not None and waited >= fit.patience)


class Checkpoints:
    """Folders `epoch-0001`, `epoch-0002` ... of which the last two and the best one are kept.

    Each holds the weights with the optimizer's state, and the history with the weights' sha256. It gets
    its name only when both are on the disk; one that is damaged is passed over for the one before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, epochs: int) -> Path:
        return self.folder / f"epoch-{epochs:04d}"

    def save(self, model: keras.Model, history: History, best: int) -> None:
        done = len(history.epochs)
        self.folder.mkdir(parents=True, exist_ok=True)
        places.check_space(self.folder, stored_bytes(model))
        with places.whole_folder(self.path(done)) as folder:
            weights = folder / "model.weights.h5"
            model.save_weights(weights)
            state = {"history": history.epochs, "sha256": digest_file(weights)}
            (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        keep = {self.path(done), self.path(done - 1), self.path(best + 1)}
        for old in set(self.folder.glob("epoch-*")) - keep:
            shutil.rmtree(old)

    def restore(self, model: keras.Model) -> History:
        """Load the newest sound checkpoint into `model`; an empty history if there is none."""
        for path in sorted(self.folder.glob("epoch-*"), reverse=True):
            try:
                return self.load(model, path)
            except (OSError, ValueError, KeyError) as error:
                print(f"checkpoint {path.name} is damaged and passed over: {error}", file=sys.stderr)
                shutil.rmtree(path)
        return History()

    def load(self, model: keras.Model, path: Path) -> History:
        """Load weights and optimizer from one checkpoint, and return its history.

        Raises:
            ValueError: if the weights are not those that were saved.
        """
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        weights = path / "model.weights.h5"
        if digest_file(weights) != state["sha256"]:
            raise ValueError("its weights have another sha256")
        model.optimizer.build(model.trainable_variables)
        model.load_weights(weights)
        return History(state["history"])


def stored_bytes(model: keras.Model) -> int:
    """Most that a network and its optimizer take on the disk, of float32 numbers."""
    variables = {id(variable): variable for variable in [*model.variables, *model.optimizer.variables]}
    return OVERHEAD + 4 * sum(int(math.prod(variable.shape)) for variable in variables.values())


class Recorder(keras.callbacks.Callback):
    """After each epoch: note it, say it, keep it, and stop when it is over."""

    def __init__(self, fit: Fit, history: History, checkpoints: Checkpoints | None, say: Callable[[str], None]) -> None:
        super().__init__()
        self.fit, self.history, self.checkpoints, self.say = fit, history, checkpoints, say

    def on_epoch_begin(self, epoch: int, logs: Epoch | None = None) -> None:
        del epoch, logs
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Epoch | None = None) -> None:
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        if not all(math.isfinite(value) for value in metrics.values()):
            raise Diverged(
                f"every metric must stay finite; a smaller learning_rate may help. "
                f"Received: {metrics} in epoch {epoch + 1}"
            )
        self.history.epochs.append(metrics)
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        self.say(f"epoch {epoch + 1}/{self.fit.epochs}  {numbers}  {time.monotonic() - self.began:.1f} s")
        if self.checkpoints:
            self.checkpoints.save(self.model, self.history, self.history.best(self.fit.objective))
        self.model.stop_training = self.history.is_over(self.fit)


def train(
    model: keras.Model,
    train_split: Split,
    validation: Split,
    *,
    fit: Fit,
    checkpoints: Checkpoints | None,
    say: Callable[[str], None],
    start: int = 0,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
) -> History:
    """Fit `model`, going on from the newest checkpoint if there is one.

    With `patience` and checkpoints the model ends with the weights of its best epoch, else of its last.

    Args:
        start: first epoch when there is no checkpoint; the epochs before are someone else's.

    Raises:
        BadRequest: if the objective is no metric of the model.
        Diverged: if a metric is no longer finite.
    """
    history = checkpoints.restore(model) if checkpoints else History()
    if history.epochs:
        start = len(history.epochs)
        say(f"going on after epoch {start}")
    if not history.is_over(fit):
        check_objective(model, validation, fit)
        model.fit(
            batches(train_split, fit=fit, start=start),
            initial_epoch=start,
            epochs=fit.epochs,
            shuffle=False,  # the batches are
            steps_per_epoch=math.ceil(len(train_split) / fit.batch_size),
            validation_data=in_order(validation, max(fit.batch_size, 256)),
            callbacks=[EpochSeeds(fit.seed), Recorder(fit, history, checkpoints, say), *callbacks],
            verbose=0,
        )
    if checkpoints and fit.patience is not None:
        checkpoints.load(model, checkpoints.path(history.best(fit.objective) + 1))
    return history


def check_objective(model: keras.Model, validation: Split, fit: Fit) -> None:
    """Ask the model for its metrics on a few samples, before hours are spent.

    Raises:
        BadRequest: if the objective is not one of them.
    """
    few = in_order(Split(validation.samples[:8], validation.answers[:8], validation.ids[:8]), 8)
    names = [f"val_{name}" for name in model.evaluate(few, verbose=0, return_dict=True)]
    if fit.objective not in names:
        raise BadRequest(f"`search.objective` must be one of {', '.join(names)}. Received: {fit.objective!r}")


def threads() -> int:
    """How many processors TensorFlow may use; results are equal only where this number is."""
    asked = tf.config.threading.get_intra_op_parallelism_threads()
    return int(asked or len(os.sched_getaffinity(0)))


def device() -> str:
    """Name of the GPU, or of the processor's kind."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU {os.uname().machine}"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
