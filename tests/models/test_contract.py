"""The contract of models/__init__.py, held over every architecture by itself, with samples that it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import models
from tasks import places
from tests.models.examples import COUNT, EXAMPLES, Example, accepts, build, hits, together

TAKEN = {name: [kind for kind, example in EXAMPLES.items() if accepts(name, example.spec)] for name in models.names()}
PAIRS = [
    (name, kind) for name, kinds in TAKEN.items() for kind in kinds if kind != "large image" or "image" not in kinds
]
"""Every architecture with every kind of samples that it takes; large images only where it takes no small ones."""

PRETRAINED = {"resnet50", "vgg16"}
"""Deep networks that are only meant to start from weights; tests/tasks/test_imagenet.py sees one learn."""


def flat(given: Any) -> dict[str, np.ndarray]:
    return (
        {name: np.asarray(one) for name, one in given.items()} if isinstance(given, dict) else {"": np.asarray(given)}
    )


def wanted(example: Example) -> dict[str, tuple[int, ...]]:
    """Shapes of the answers, by name; nameless where there is one."""
    spec = example.spec
    shapes = {"label": (COUNT, len(spec.classes))} if spec.classes else {}
    if spec.number:
        shapes[spec.number.name] = (COUNT, spec.steps or 1)
    return shapes if len(shapes) > 1 else {"": next(iter(shapes.values()))}


def learn_boxes(name: str, example: Example) -> None:
    """Until nine of ten boxes are found; what is dropped at random cannot be learnt by heart."""
    model, _ = build(name, example.spec, dropout=0.0)
    before = model.evaluate(example.samples, example.answers, verbose=0)
    for _ in range(20):
        model.fit(example.samples, example.answers, epochs=10, batch_size=8, verbose=0)
        found = hits(model.predict(example.samples, verbose=0), flat(example.answers))
        if found > 0.9:
            break
    assert found > 0.9
    assert model.evaluate(example.samples, example.answers, verbose=0) < before / 2


def check_boxes(given: dict[str, np.ndarray], example: Example) -> None:
    """Boxes in the image, the surest first, and -1 where there is none."""
    assert set(given) == {"boxes", "labels", "scores"}
    shape = given["labels"].shape
    assert (given["boxes"].shape, given["scores"].shape) == ((*shape, 4), shape)
    assert shape[0] == COUNT
    assert shape[1] >= 1
    assert given["boxes"].min() >= 0
    assert given["boxes"].max() <= 1
    assert (np.diff(given["scores"], axis=1) <= 0).all()
    assert ((given["labels"] >= -1) & (given["labels"] < len(example.spec.classes))).all()
    assert ((given["labels"] == -1) == (given["scores"] == 0)).all()


def check_symbols(given: np.ndarray, example: Example) -> None:
    """Class numbers up to the end, and -1 from there on."""
    assert (given.shape, given.dtype) == ((COUNT, example.spec.steps), np.int32)
    assert ((given >= -1) & (given < len(example.spec.classes))).all()
    assert (np.diff((given == -1).astype(int), axis=1) >= 0).all()


def check_vectors(given: np.ndarray, example: Example) -> None:
    """One for each word, the same for the same word; zeros where there is none."""
    samples = np.asarray(example.samples)
    assert (given.shape[:2], given.dtype) == (samples.shape, np.float32)
    assert not given[samples == 0].any()
    for word in np.unique(samples[samples > 0]):
        assert np.unique(given[samples == word], axis=0).shape[0] == 1
        assert given[samples == word].any()


def learn_vectors(name: str, example: Example) -> None:
    """Until all words of one company are more alike than any of two."""
    model, _ = build(name, example.spec, subsample=0.0)
    before = model.evaluate(example.samples, example.answers, verbose=0)
    for _ in range(20):
        model.fit(example.samples, example.answers, epochs=10, batch_size=8, verbose=0)
        inside, between = together(model.predict(example.samples, verbose=0), example)
        if inside > between:
            break
    assert inside > between
    assert model.evaluate(example.samples, example.answers, verbose=0) < before


def test_every_architecture_takes_something() -> None:
    assert {name for name, _ in PAIRS} == set(models.names())


@pytest.mark.parametrize(("name", "kind"), PAIRS)
class TestEveryArchitecture:
    def test_answers_in_the_form_that_is_asked_for(self, name: str, kind: str) -> None:
        example = EXAMPLES[kind]
        model, _ = build(name, example.spec)
        given = flat(model.predict(example.samples, verbose=0))
        if example.spec.boxes:
            check_boxes(given, example)
        elif example.spec.vectors:
            check_vectors(given[""], example)
        elif example.spec.steps and example.spec.classes:
            check_symbols(given[""], example)
        else:
            assert {key: one.shape for key, one in given.items()} == wanted(example)
        assert all(np.isfinite(one).all() for one in given.values())
        for key, one in given.items():
            if example.spec.label and key in ("", "label"):
                np.testing.assert_allclose(one.sum(axis=1), 1, atol=1e-5)
        assert sorted(tensor.dtype for tensor in model.inputs) == sorted(
            one.dtype for one in example.spec.inputs.values()
        )

    def test_learns_a_small_set_by_heart(self, name: str, kind: str) -> None:
        if name in PRETRAINED:
            pytest.skip("meant to start from weights, and 32 samples teach 20 million weights nothing from scratch")
        example = EXAMPLES[kind]
        if example.spec.boxes:
            learn_boxes(name, example)
            return
        if example.spec.vectors:
            learn_vectors(name, example)
            return
        rate = {"learning_rate": 0.01} if example.spec.number or kind in ("numbers", "words", "characters") else {}
        model, _ = build(name, example.spec, penalty=1e-4, **rate)  # what keeps weights small forbids it
        before = model.evaluate(example.samples, example.answers, verbose=0, return_dict=True)
        for _ in range(40):
            model.fit(example.samples, example.answers, epochs=10, batch_size=8, verbose=0)
            after = model.evaluate(example.samples, example.answers, verbose=0, return_dict=True)
            sure = all(value == 1 for metric, value in after.items() if metric.endswith(("accuracy", "exact")))
            if sure and after["loss"] < before["loss"] / 10:
                break
        assert sure
        assert after["loss"] < before["loss"] / (4 if example.spec.number else 10)

    def test_every_weight_learns(self, name: str, kind: str) -> None:
        """But for units that are silent for all samples, of which a narrow network has some at the start.

        Of a network without trainable weights, which learns without gradients, these are all weights.
        """
        example = EXAMPLES[kind]
        model, _ = build(name, example.spec, subsample=0.0)  # where there are ten words, each is too frequent
        weights = model.trainable_weights or model.weights
        before = [keras.ops.convert_to_numpy(weight).copy() for weight in weights]
        model.fit(example.samples, example.answers, epochs=2, verbose=0)
        pairs = zip(weights, before, strict=True)
        still = [weight.path for weight, old in pairs if np.array_equal(keras.ops.convert_to_numpy(weight), old)]
        assert still == []

    def test_is_the_same_after_saving(self, name: str, kind: str, tmp_path: Path) -> None:
        example = EXAMPLES[kind]
        model, _ = build(name, example.spec)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
        first, second = (flat(one.predict(example.samples, verbose=0)) for one in (model, again))
        for key, one in first.items():
            np.testing.assert_array_equal(second[key], one)

    def test_builds_over_its_whole_space(self, name: str, kind: str) -> None:
        spec = EXAMPLES[kind].spec
        model, hp = build(name, spec)
        assert ("learning_rate" in hp.values) == bool(model.trainable_weights)
        assert hp.space
        assert all(parameter.default is not None for parameter in hp.space)
        for seed in range(1 if name in PRETRAINED else 3):
            values = {parameter.name: parameter.random_sample(seed) for parameter in hp.space}
            assert build(name, spec, **values)[0].outputs


@pytest.mark.parametrize("name", models.names())
def test_speaks_of_itself(name: str) -> None:
    text = models.load(name).__doc__ or ""
    for part in ("Lesson:", "Paper", "Input shape:", "Output shape:", "Score:"):
        assert part in text, f"models/{name}.py must say `{part}`"


def test_the_listing_is_the_folder() -> None:
    files = {path.stem for path in (places.ROOT / "models").glob("*.py")} - {"__init__", "spec"}
    assert set(models.names()) == files


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(KeyError, match=r"cnn, .*mlp.*'rnn'"):
        models.load("rnn")


def test_nothing_heavy_happens_at_import() -> None:
    code = (
        "import sys, models; models.names(); print([m for m in ('keras', 'tensorflow', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=places.ROOT)
    assert done.stdout.strip() == "[]"
