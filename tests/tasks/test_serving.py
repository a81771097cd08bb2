"""What a registered version answers with: as Keras, without the project, and only to what it can answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import pytest

from bench.serving import served
from tasks import objects, records
from tasks.errors import MiarError
from tasks.outside import registry, serving
from tasks.outside import served as served_by
from tests.models.examples import EXAMPLES, build
from tests.models.test_contract import PAIRS, PRETRAINED

REQUIREMENTS = ["numpy", "onnxruntime"]


def store(network: Any, samples: records.Fed, path: Path) -> Path:
    """The network's folder as register writes it."""
    packed = records.packed(samples)
    signature = mlflow.models.infer_signature(records.fed(packed[:2]), network.predict(samples, verbose=0))
    serving.save_model(
        str(path),
        mlflow.models.Model(),
        network=network,
        samples=packed,
        signature=signature,
        requirements=REQUIREMENTS,
    )
    return path


SERVED = [(name, kind) for name, kind in PAIRS if name not in PRETRAINED]


@pytest.mark.parametrize(("name", "kind"), [pair for pair in SERVED if not EXAMPLES[pair[1]].spec.boxes])
def test_every_architecture_is_served_as_keras_answers(name: str, kind: str, tmp_path: Path) -> None:
    example = EXAMPLES[kind]
    network, _ = build(name, example.spec)
    samples = records.packed(example.samples)
    exported = serving.export(network, samples, tmp_path)
    assert exported.name == "network.onnx", "all of them can be said in ONNX"
    assert serving.distance(exported, samples, records.ask(network, samples)) <= 1e-5


@pytest.mark.parametrize(("name", "kind"), [pair for pair in SERVED if EXAMPLES[pair[1]].spec.boxes])
def test_every_detector_is_served_as_keras_answers(name: str, kind: str, tmp_path: Path) -> None:
    """Untrained, its scores are nearly equal, and what suppression keeps of some images hangs on the last digits."""
    example = EXAMPLES[kind]
    network, _ = build(name, example.spec)
    samples = records.packed(example.samples)
    wanted = records.ask(network, samples)
    serving.to_onnx(network, samples, tmp_path / "said.onnx")
    given = records.packed(served_by.by_onnx(str(tmp_path / "said.onnx"))(example.samples))
    assert given.dtype == wanted.dtype
    assert np.isfinite(objects.apart(given, wanted))
    assert serving.distance(serving.export(network, samples, tmp_path), samples, wanted) <= 1e-5


def test_a_detector_that_knows_something_is_served_by_onnx(tmp_path: Path) -> None:
    example = EXAMPLES["scenes and proposals"]
    network, _ = build("fast_rcnn", example.spec)
    network.fit(example.samples, example.answers, epochs=20, batch_size=8, verbose=0)
    samples = records.packed(example.samples)
    assert (records.ask(network, samples)["scores"] > 0.5).any()
    assert serving.export(network, samples, tmp_path).name == "network.onnx"


@pytest.mark.parametrize("kind", ["image", "image, attributes and words"])
def test_where_onnx_has_no_words_tensorflow_serves(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def speechless(*_: Any) -> None:
        raise ValueError("no such operation")

    monkeypatch.setattr(serving, "to_onnx", speechless)
    name = next(name for name, other in PAIRS if other == kind)
    network, _ = build(name, EXAMPLES[kind].spec)
    path = store(network, EXAMPLES[kind].samples, tmp_path / "version")
    given = registry.served(path).predict(EXAMPLES[kind].samples)
    assert records.apart(np.asarray(given), records.ask(network, records.packed(EXAMPLES[kind].samples))) <= 1e-5


def test_an_export_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = build("mlp", EXAMPLES["image"].spec)
    monkeypatch.setattr(serving, "distance", lambda *_: 0.1)
    with pytest.raises(MiarError, match=r"must answer within 1e-05 of Keras. Received: .*0\.1.*0\.1"):
        serving.export(network, records.packed(EXAMPLES["image"].samples), tmp_path)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network, _ = build("cnn", EXAMPLES["image"].spec)
    return store(network, EXAMPLES["image"].samples, tmp_path_factory.mktemp("served") / "version")


def test_it_can_be_trained_on_and_names_no_place_of_this_machine(version: Path) -> None:
    network = registry.read(version)
    samples = EXAMPLES["image"].samples
    assert records.apart(np.asarray(registry.served(version).predict(samples)), network.predict(samples)) <= 1e-5
    told = "".join(path.read_text() for path in version.iterdir() if path.name in {"MLmodel", "served.py"})
    assert str(Path(serving.__file__).parent) not in told
    assert "/tmp" not in told


def test_two_versions_answer_in_one_process_where_the_project_is_not(version: Path, tmp_path: Path) -> None:
    network, _ = build("mlp", EXAMPLES["numbers"].spec)
    other = store(network, EXAMPLES["numbers"].samples, tmp_path / "other")
    np.savez(tmp_path / "samples.npz", one=EXAMPLES["image"].samples, other=EXAMPLES["numbers"].samples)
    code = (
        "import mlflow, numpy as np, sys, json\n"
        "samples = np.load('samples.npz')\n"
        f"one, other = mlflow.pyfunc.load_model({str(version)!r}), mlflow.pyfunc.load_model({str(other)!r})\n"
        "given = [one.predict(samples['one']), other.predict(samples['other']), one.predict(samples['one'])]\n"
        "strange = [name for name in sys.modules if name.split('.')[0] in ('tasks', 'models', 'flows', 'keras')]\n"
        "print(json.dumps([[answer.tolist() for answer in given], strange]))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    given, strange = json.loads(done.stdout)
    np.testing.assert_allclose(given[0], registry.read(version).predict(EXAMPLES["image"].samples), atol=1e-5)
    np.testing.assert_allclose(given[1], network.predict(EXAMPLES["numbers"].samples), atol=1e-5)
    assert given[0] == given[2]
    assert strange == []


@pytest.fixture(scope="module")
def address(version: Path) -> Iterator[str]:
    """MLflow's own server of the version."""
    with served(version) as port:
        yield f"http://127.0.0.1:{port}/invocations"


def ask(address: str, inputs: Any) -> httpx.Response:
    body = json.dumps({"inputs": inputs})
    return httpx.post(address, content=body, headers={"Content-Type": "application/json"}, timeout=60)


def test_the_server_answers_as_keras(version: Path, address: str) -> None:
    samples = np.asarray(EXAMPLES["image"].samples)[:3]
    answer = ask(address, samples.tolist())
    assert answer.status_code == 200, answer.text
    np.testing.assert_allclose(answer.json()["predictions"], registry.read(version).predict(samples), atol=1e-5)


IMAGE = np.zeros((1, 20, 20, 1), int)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (IMAGE[:, :19].tolist(), "Shape of input (1, 19, 20, 1) does not match expected shape (-1, 20, 20, 1)"),
        (IMAGE[0].tolist(), "Shape of input (20, 20, 1)"),
        (np.full_like(IMAGE, 300).tolist(), "300 out of bounds for uint8"),
        (np.full_like(IMAGE, -1).tolist(), "-1 out of bounds for uint8"),
        (np.full(IMAGE.shape, np.nan).tolist(), "cannot convert float NaN to integer"),
        (np.full(IMAGE.shape, "seven").tolist(), "invalid literal"),
        ("seven", "Failed to convert data"),
        ([], "Failed to enforce schema"),
        ({"picture": IMAGE.tolist()}, ""),
    ],
    ids=["shape", "no batch", "too bright", "negative", "NaN", "text", "a word", "nothing", "name"],
)
def test_a_wrong_request_is_told_what_is_wrong(address: str, inputs: Any, told: str) -> None:
    answer = ask(address, inputs)
    assert answer.status_code == 400, answer.text[:300]
    assert told in answer.json()["message"]


def test_fifty_megabytes_of_nonsense_are_refused_and_the_server_goes_on(address: str) -> None:
    body = b'{"inputs": [7' + b",7" * 25_000_000 + b"]}"
    answer = httpx.post(address, content=body, headers={"Content-Type": "application/json"}, timeout=60)
    assert answer.status_code == 400
    assert len(answer.content) < 10_000, "what was sent is not sent back"
    assert ask(address, IMAGE.tolist()).status_code == 200


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_numbers_must_be_finite_and_few_enough(strange: float, tmp_path: Path) -> None:
    network, _ = build("mlp", EXAMPLES["numbers"].spec)
    served_here = registry.served(store(network, EXAMPLES["numbers"].samples, tmp_path / "version"))
    samples = np.array(EXAMPLES["numbers"].samples)
    samples[5, 1] = strange
    with pytest.raises(mlflow.MlflowException, match=r"finite numbers\. Received: NaN or infinity in sample 5"):
        served_here.predict(samples)
    with pytest.raises(mlflow.MlflowException, match=r"at most 10000 samples\. Received: 10001"):
        served_here.predict(np.zeros((10_001, 2), np.float32))
