"""The one trainer: orders and generators from (seed, epoch), and a kill that changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from models.spec import Input, Spec
from tasks import places, trainer
from tasks.errors import BadRequest
from tasks.prepared import Split

SPEC = Spec({"image": Input((8, 8, 1), "uint8")}, ("a", "b", "c"))
CNN = models.load("cnn")
PINS = {"padding": "same", "filters": 8, "dropout": 0.3}


def split(count: int, seed: int = 0) -> Split:
    """Three classes, each a bright row; generated."""
    rng = np.random.default_rng(seed)
    answers = (np.arange(count) % 3).astype(np.int32)
    samples = rng.integers(0, 100, (count, 8, 8, 1), dtype=np.uint8)
    samples[np.arange(count), 2 * answers] += 120
    return Split(samples, answers, np.arange(count))


def order_of(count: int, *, seed: int, batch: int = 7, start: int = 0, epochs: int = 3) -> list[int]:
    numbered = Split(np.arange(count, dtype=np.int32), np.zeros(count, np.int32), np.arange(count))
    fit = trainer.Fit(epochs, batch, seed, "val_loss")
    return [int(one) for samples, _ in trainer.batches(numbered, fit=fit, start=start) for one in samples.numpy()]


class TestOrder:
    @settings(max_examples=15, deadline=None)
    @given(count=st.integers(1, 50), seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 60))
    def test_every_epoch_has_every_sample_once(self, count: int, seed: int, batch: int) -> None:
        order = order_of(count, seed=seed, batch=batch)
        assert [sorted(order[one * count : (one + 1) * count]) for one in range(3)] == [list(range(count))] * 3

    def test_epochs_and_seeds_differ(self) -> None:
        order = order_of(30, seed=1)
        assert order[:30] != order[30:60] != order[60:]
        assert order != order_of(30, seed=2)

    def test_an_epoch_has_its_order_wherever_one_starts(self) -> None:
        assert order_of(30, seed=1)[30:] == order_of(30, seed=1, start=1)

    def test_samples_stay_bytes(self) -> None:
        samples, _ = next(iter(trainer.batches(split(9), fit=trainer.Fit(1, 4, 0, "val_loss"), start=0)))
        assert samples.dtype == "uint8"


def fitted(folder: Path | None, **changes: int) -> tuple[keras.Model, trainer.History]:
    fit = trainer.Fit(**{"epochs": 3, "batch_size": 16, "seed": 5, "objective": "val_loss", **changes})
    trainer.start_over(fit.seed)
    model, _ = trainer.build(CNN, SPEC, PINS)
    checkpoints = trainer.Checkpoints(folder) if folder else None
    history = trainer.train(model, split(60), split(30, 1), fit=fit, checkpoints=checkpoints, say=unheard)
    return model, history


def branched() -> keras.Model:
    """Three epochs of a network whose gradients are sums over branches."""
    fit = trainer.Fit(epochs=3, batch_size=8, seed=0, objective="val_loss")
    trainer.start_over(fit.seed)
    model, _ = trainer.build(models.load("inception"), SPEC, {})
    trainer.train(model, split(48), split(16, 1), fit=fit, checkpoints=None, say=unheard)
    return model


def test_a_network_does_not_depend_on_those_that_its_process_has_built_before() -> None:
    first = branched()
    assert_equal(first, branched())


def unheard(line: str) -> None:
    assert line


def assert_equal(one: keras.Model, other: keras.Model) -> None:
    for weight, twin in zip(one.trainable_weights, other.trainable_weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), twin.numpy(), err_msg=weight.path)


class TestTraining:
    def test_twice_is_the_same_bit_for_bit(self) -> None:
        assert_equal(fitted(None)[0], fitted(None)[0])

    def test_another_seed_is_another_network(self) -> None:
        with pytest.raises(AssertionError):
            assert_equal(fitted(None)[0], fitted(None, seed=6)[0])

    def test_stopped_after_an_epoch_goes_on_the_same(self, tmp_path: Path) -> None:
        fitted(tmp_path, epochs=1)
        model, history = fitted(tmp_path)
        whole, uncut = fitted(None)
        assert history.epochs == uncut.epochs
        assert_equal(model, whole)

    def test_a_damaged_checkpoint_gives_way_to_the_one_before(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fitted(tmp_path, epochs=2)
        newest = tmp_path / "epoch-0002" / "model.weights.h5"
        newest.write_bytes(newest.read_bytes()[:-100])
        model, _ = fitted(tmp_path)
        assert "epoch-0002 is damaged and passed over" in capsys.readouterr().err
        assert_equal(model, fitted(None)[0])

    def test_patience_keeps_the_best_epochs_weights(self, tmp_path: Path) -> None:
        model, history = fitted(tmp_path, epochs=30, patience=2)
        best = history.best("val_loss")
        assert len(history.epochs) == 30 or len(history.epochs) == best + 3
        measured = model.evaluate(trainer.in_order(split(30, 1), 30), verbose=0, return_dict=True)
        assert measured["loss"] == pytest.approx(history.epochs[best]["val_loss"], abs=1e-6)

    def test_only_the_last_two_and_the_best_checkpoints_stay(self, tmp_path: Path) -> None:
        _, history = fitted(tmp_path, epochs=5)
        best = history.best("val_loss") + 1
        assert {path.name for path in tmp_path.iterdir()} == {f"epoch-{one:04d}" for one in {4, 5, best}}

    def test_a_loss_that_is_no_number_stops_it(self) -> None:
        trainer.start_over(0)
        model, _ = trainer.build(CNN, SPEC, PINS)
        model.optimizer.learning_rate = 1e30
        fit = trainer.Fit(5, 16, 0, "val_loss")
        with pytest.raises(trainer.Diverged, match=r"smaller learning_rate.*nan.*in epoch \d"):
            trainer.train(model, split(60), split(30), fit=fit, checkpoints=None, say=unheard)

    def test_a_misspelt_objective_is_told_before_an_epoch_is_spent(self) -> None:
        model, _ = trainer.build(CNN, SPEC, PINS)
        fit, said = trainer.Fit(5, 16, 0, "val_los"), []
        with pytest.raises(BadRequest, match=r"one of val_accuracy, val_loss\. Received: 'val_los'"):
            trainer.train(model, split(60), split(30), fit=fit, checkpoints=None, say=said.append)
        assert said == []


class TestPins:
    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"filterz": 8}, "'filterz'; did you mean 'filters'"),
            ({"padding": "same", "colour": 1}, "among filters, dense, padding, dropout, learning_rate.*'colour'"),
            ({"padding": "same", "filters": 4}, "`hyperparameters.filters` must be a whole number from 8 to 64.*4"),
            ({"padding": "same", "filters": 16.0}, "`hyperparameters.filters` must be a whole number.*16.0"),
            ({"padding": "same", "filters": True}, "`hyperparameters.filters` must be a whole number.*True"),
            ({"padding": "none"}, "`hyperparameters.padding` must be one of valid, same.*'none'"),
            ({"padding": "same", "dropout": float("nan")}, "`hyperparameters.dropout`.*nan"),
        ],
    )
    def test_are_names_and_values_that_the_architecture_declares(self, values: dict[str, object], words: str) -> None:
        with pytest.raises(BadRequest, match=words):
            trainer.build(CNN, SPEC, values)

    def test_hold_and_the_rest_keep_their_defaults(self) -> None:
        _, chosen = trainer.build(CNN, SPEC, {"padding": "same", "filters": 16})
        assert chosen == {"filters": 16, "dense": 64, "padding": "same", "dropout": 0.0, "learning_rate": 1e-3}


def test_history_knows_when_it_is_over() -> None:
    fit = trainer.Fit(10, 1, 0, "val_accuracy", patience=2)
    scores = [0.5, 0.9, 0.9, 0.8]
    over = [trainer.History([{"val_accuracy": one} for one in scores[:count]]).is_over(fit) for count in range(5)]
    assert over == [False, False, False, False, True]
    assert trainer.direction("val_loss") == "min"
    assert trainer.direction("val_mean_absolute_error") == "min"


SCRIPT = """
import json, sys, time
from pathlib import Path
from tasks import trainer
from tests.tasks.test_trainer import CNN, PINS, SPEC, split
import keras

class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(float(sys.argv[2]))

fit = trainer.Fit(4, 8, 5, "val_loss")
trainer.start_over(fit.seed)
model, _ = trainer.build(CNN, SPEC, PINS)
trainer.train(model, split(60), split(30, 1), fit=fit, checkpoints=trainer.Checkpoints(Path(sys.argv[1])),
    say=lambda line: print(line, flush=True), callbacks=(Slow(),))
model.save(sys.argv[1] + ".keras")
"""


@pytest.mark.slow
def test_killed_in_mid_epoch_and_started_again_ends_with_the_same_bits(tmp_path: Path) -> None:
    start = [sys.executable, "-c", SCRIPT]
    environment = {**os.environ, "PYTHONPATH": str(places.ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    cut = subprocess.Popen([*start, str(tmp_path / "cut"), "0.1"], stdout=subprocess.PIPE, text=True, env=environment)
    assert cut.stdout is not None
    for line in cut.stdout:
        if line.startswith("epoch 2/4"):
            break
    time.sleep(0.3)  # in the third epoch, which lasts 0.8 s
    cut.send_signal(signal.SIGKILL)
    assert cut.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut.keras").exists()
    again = subprocess.run([*start, str(tmp_path / "cut"), "0"], capture_output=True, text=True, env=environment)
    assert again.stdout.splitlines()[0] == "going on after epoch 2", again.stderr
    subprocess.run([*start, str(tmp_path / "whole"), "0"], check=True, env=environment)
    cut_model, whole = (keras.models.load_model(tmp_path / f"{name}.keras") for name in ("cut", "whole"))
    assert_equal(cut_model, whole)
    states = [json.loads((tmp_path / name / "epoch-0004" / "state.json").read_text()) for name in ("cut", "whole")]
    assert states[0]["history"] == states[1]["history"]
