"""Networks that scikit-learn fits: their answers are scikit-learn's own, also after the one trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from models import logistic_regression, random_forest
from models.parts.fitted import LEARNER
from models.spec import Input, Spec
from tasks import trainer
from tasks.prepared import Split
from tests.models.examples import EXAMPLES, build

WORDS, NAMES = 30, ("logistic_regression", "random_forest")
SPEC = Spec({"words": Input((12,), "int32", sizes=(WORDS,))}, classes=tuple("abcd"))


def texts(answers: np.ndarray) -> np.ndarray:
    """Words of which the class likes some, 0 behind the end of shorter ones."""
    rng = np.random.default_rng(0)
    found = rng.integers(1, WORDS, (len(answers), 12), np.int32)
    found[:, :4] = 2 + 5 * answers[:, np.newaxis] + rng.integers(0, 8, (len(answers), 4))
    found[::2, 9:] = 0
    return found


def counted(words: np.ndarray) -> np.ndarray:
    """How often each word but nothing occurs: (N, V - 1)."""
    return np.stack([np.bincount(row, minlength=WORDS)[1:] for row in words]).astype(np.float32)


def theirs(name: str, x: np.ndarray, answers: np.ndarray, seed: int) -> Any:
    if name == "logistic_regression":
        return LogisticRegression(max_iter=1000).fit(x.astype(float), answers)
    forest = RandomForestClassifier(9, max_leaf_nodes=16, max_depth=6, random_state=seed)
    return forest.fit(x, answers)


def seed_of(model: keras.Model) -> int:
    return int(keras.ops.convert_to_numpy(model.get_layer(LEARNER).seeds.state)[0])


SMALL = {"trees": 9, "leaves": 16, "depth": 6}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("there", [[0, 1, 2, 3], [1, 3], [0, 2, 3]])
def test_probabilities_are_scikit_learns(name: str, there: list[int]) -> None:
    """Also where there are two classes, and where some have no sample: these have the probability 0."""
    answers = np.array(there * 20, np.int32)
    words = texts(answers)
    model, _ = build(name, SPEC, **SMALL)
    model.fit(words, answers, epochs=1, verbose=0)
    found = theirs(name, counted(words), answers, seed_of(model))
    others = texts(answers)[:, ::-1] % WORDS
    wanted = np.zeros((len(answers), 4))
    wanted[:, found.classes_] = found.predict_proba(counted(others))
    np.testing.assert_allclose(model.predict(others, verbose=0), wanted, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_bag_has_no_order_and_nothing_behind_the_end(name: str) -> None:
    answers = np.arange(40, dtype=np.int32) % 4
    model, _ = build(name, SPEC, **SMALL)
    model.fit(texts(answers), answers, verbose=0)
    words = texts(answers)
    mixed = np.random.default_rng(1).permuted(words, axis=1)
    np.testing.assert_allclose(model.predict(mixed, verbose=0), model.predict(words, verbose=0), atol=1e-6)


def test_a_bag_counts_or_only_notes() -> None:
    words = np.array([[2, 2, 1, 0]], np.int32)
    spec = Spec({"words": Input((4,), "int32", sizes=(4,))}, classes=tuple("ab"))
    for bag, wanted in {"count": [[1, 2, 0]], "multi_hot": [[1, 1, 0]]}.items():
        model = logistic_regression.logistic_regression(spec=spec, bag=bag)
        front = keras.Model(model.input, model.get_layer(LEARNER).input)
        assert front.predict(words, verbose=0).tolist() == wanted


def test_a_threshold_parts_float32_as_float64_does() -> None:
    exact = np.array([0.1, 0.5, -0.1, 1 / 3])
    ours = random_forest.at_most(exact)
    x = np.stack([np.nextafter(ours, np.float32(-9)), ours, np.nextafter(ours, np.float32(9))])
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(x <= ours, x.astype(float) <= exact)


def split(answers: np.ndarray) -> Split:
    return Split(texts(answers), answers, np.arange(len(answers)))


@pytest.mark.parametrize("name", NAMES)
def test_the_trainer_goes_on_with_what_was_learnt(name: str, tmp_path: Path) -> None:
    """From a checkpoint, without learning anew; and the whole has the weights that a second run finds."""
    train, validation = split(np.arange(48, dtype=np.int32) % 4), split(np.arange(12, dtype=np.int32) % 4)
    fit = trainer.Fit(epochs=1, batch_size=7, seed=3, objective="val_accuracy", patience=1)

    def run(folder: Path, epochs: int) -> tuple[list[np.ndarray], trainer.History]:
        trainer.start_over(3)
        model, _ = build(name, SPEC, **SMALL)
        longer = trainer.Fit(epochs, fit.batch_size, fit.seed, fit.objective, fit.patience)
        history = trainer.train(
            model, train, validation, fit=longer, checkpoints=trainer.Checkpoints(folder), say=lambda _: None
        )
        return model.get_weights(), history

    first, once = run(tmp_path / "a", 1)
    again, resumed = run(tmp_path / "a", 2)
    whole, both = run(tmp_path / "b", 2)
    assert set(once.epochs[0]) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert once.epochs[0]["accuracy"] > 0.8
    assert len(resumed.epochs) == len(both.epochs) == 2
    for one, two, three in zip(first, again, whole, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


def test_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="Received: image"):
        logistic_regression.logistic_regression(spec=EXAMPLES["image"].spec)
