"""The contract of models/__init__.py, held over every architecture by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

import models
from models.spec import Spec
from tasks import places

SPEC = Spec(input_shape=(28, 28, 1), input_dtype="uint8", classes=tuple("abcd"))


def build(name: str) -> tuple[keras.Model, keras_tuner.HyperParameters]:
    keras.utils.set_random_seed(0)
    hp = keras_tuner.HyperParameters()
    return models.load(name).build(SPEC, hp), hp


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    """Four classes, each a bright quarter of the image under noise; generated."""
    rng = np.random.default_rng(0)
    answers = np.arange(32, dtype=np.int32) % 4
    samples = rng.integers(0, 60, (32, 28, 28, 1), dtype=np.uint8)
    for sample, answer in zip(samples, answers, strict=True):
        row, column = divmod(int(answer), 2)
        sample[14 * row : 14 * row + 14, 14 * column : 14 * column + 14] += 150
    return samples, answers


@pytest.mark.parametrize("name", models.names())
class TestEveryArchitecture:
    def test_answers_with_probabilities(self, name: str, batch: tuple[np.ndarray, np.ndarray]) -> None:
        model, _ = build(name)
        given = model.predict(batch[0], verbose=0)
        assert given.shape == (32, 4)
        assert np.isfinite(given).all()
        np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-5)
        assert [tensor.dtype for tensor in model.inputs] == ["uint8"]

    def test_learns_a_small_set_by_heart(self, name: str, batch: tuple[np.ndarray, np.ndarray]) -> None:
        model, _ = build(name)
        before = model.evaluate(*batch, verbose=0, return_dict=True)
        model.fit(*batch, epochs=40, batch_size=16, verbose=0)
        after = model.evaluate(*batch, verbose=0, return_dict=True)
        assert after["accuracy"] == 1
        assert after["loss"] < before["loss"] / 10

    def test_every_weight_gets_a_gradient(self, name: str, batch: tuple[np.ndarray, np.ndarray]) -> None:
        model, _ = build(name)
        before = [weight.numpy().copy() for weight in model.trainable_weights]
        model.fit(*batch, epochs=1, verbose=0)
        still = [
            weight.path
            for weight, old in zip(model.trainable_weights, before, strict=True)
            if np.array_equal(weight.numpy(), old)
        ]
        assert still == []

    def test_is_the_same_after_saving(self, name: str, batch: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
        model, _ = build(name)
        model.fit(*batch, epochs=1, verbose=0)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
        np.testing.assert_array_equal(again.predict(batch[0], verbose=0), model.predict(batch[0], verbose=0))

    def test_declares_what_can_be_searched(self, name: str) -> None:
        _, hp = build(name)
        assert "learning_rate" in hp.values
        for parameter in hp.space:
            assert parameter.default is not None

    def test_builds_over_its_whole_space(self, name: str) -> None:
        _, hp = build(name)
        for seed in range(5):
            for parameter in hp.space:
                hp.values[parameter.name] = parameter.random_sample(seed)
            assert models.load(name).build(SPEC, hp).output_shape == (None, 4)

    def test_speaks_of_itself(self, name: str) -> None:
        text = models.load(name).__doc__ or ""
        for part in ("Lesson:", "Paper:", "Input shape:", "Output shape:", "Score:"):
            assert part in text, f"models/{name}.py must say `{part}`"


def test_the_listing_is_the_folder() -> None:
    files = {path.stem for path in (places.ROOT / "models").glob("*.py")} - {"__init__", "spec"}
    assert set(models.names()) == files


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(KeyError, match=r"cnn, mlp.*'rnn'"):
        models.load("rnn")


@pytest.mark.parametrize(("name", "parameters"), [("cnn", 93_322), ("mlp", 407_050)])
def test_published_counts(name: str, parameters: int) -> None:
    spec = Spec((28, 28, 1), "uint8", tuple("0123456789"))
    assert models.load(name).build(spec, keras_tuner.HyperParameters()).count_params() == parameters


def test_cnn_layer_by_layer() -> None:
    """The course's table: 320, 18,496, 36,928, then 576 features, 36,928 and 650."""
    from models.cnn import cnn

    model = cnn()
    assert [layer.count_params() for layer in model.layers if layer.count_params()] == [320, 18496, 36928, 36928, 650]
    flat = next(layer for layer in model.layers if isinstance(layer, keras.layers.Flatten))
    assert flat.output.shape == (None, 576)


def test_cnn_says_what_is_too_small() -> None:
    from models.cnn import cnn

    with pytest.raises(ValueError, match=r"18x18.*padding='same'.*\(8, 8, 1\)"):
        cnn(input_shape=(8, 8, 1))


def test_nothing_heavy_happens_at_import() -> None:
    code = (
        "import sys, models; models.names(); print([m for m in ('keras', 'tensorflow', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=places.ROOT)
    assert done.stdout.strip() == "[]"
