"""How a registered version answers: its network exported for ONNX Runtime, as a pyfunc that stands by itself.

`mlflow.models.Model.log` takes this module as a flavour. The folder that it writes has two: `python_function`, the
exported network with `served.py`, for everyone who asks it; and `tensorflow`, the Keras model, for whoever trains,
explains or examines it.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import mlflow.tensorflow
import numpy as np
from mlflow.models import Model

from tasks import objects, records
from tasks.errors import MiarError
from tasks.outside import served

CLOSE = 1e-5
"""Most that an exported network's answer may be apart from Keras's; of numbers above 1, relative to them."""

OPSET = 17
"""ONNX's version of its operations."""

KERAS = "keras"
"""Folder of the Keras model in a version's files."""


def save_model(
    path: str, mlflow_model: Model, *, network: Any, samples: np.ndarray, signature: Any, requirements: list[str]
) -> None:
    """Write a version's folder.

    Args:
        network: the Keras model.
        samples: some of the exam, as stored; the exported network must answer to them as Keras does.
        requirements: what a reader needs installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported = export(network, samples, Path(folder))
        mlflow.pyfunc.save_model(
            path,
            python_model=served.__file__,
            artifacts={"network": str(exported)},
            mlflow_model=mlflow_model,
            signature=signature,
            input_example=records.fed(samples[:2]),
            pip_requirements=requirements,
        )
    stand_alone(mlflow_model)
    add_keras(Path(path), mlflow_model, network, signature)


def stand_alone(model: Model) -> None:
    """Take the paths of this machine out of a pyfunc; MLflow looks beside MLmodel anyway."""
    flavour = model.flavors["python_function"]
    flavour["model_code_path"] = Path(flavour["model_code_path"]).name
    for artifact in flavour["artifacts"].values():
        artifact["uri"] = artifact["path"]


def add_keras(path: Path, model: Model, network: Any, signature: Any) -> None:
    """Add the flavour `tensorflow` to a folder that is a pyfunc already, and write its MLmodel."""
    with tempfile.TemporaryDirectory() as folder:
        alone = Model()
        mlflow.tensorflow.save_model(
            network, f"{folder}/model", mlflow_model=alone, signature=signature, pip_requirements=[]
        )
        options = alone.flavors["tensorflow"]
        shutil.copytree(f"{folder}/model/{options['data']}", path / KERAS)
    model.add_flavor("tensorflow", **{**options, "data": KERAS})
    model.save(str(path / "MLmodel"))


def export(network: Any, samples: np.ndarray, folder: Path) -> Path:
    """Write the network for the fastest runtime that answers as Keras does; returns its file or folder.

    Raises:
        MiarError: if none does.
    """
    wanted = records.ask(network, samples)
    far: dict[str, float | str] = {}
    ways: dict[str, Callable[[Any, np.ndarray, Path], None]] = {"network.onnx": to_onnx, "network": to_tensorflow}
    for name, write in ways.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                write(network, samples, folder / name)
            apart = distance(folder / name, samples, wanted)
        except Exception as error:  # each converter has errors of its own, and there is another way
            far[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
            continue
        if apart <= CLOSE:
            return folder / name
        far[name] = apart
    raise MiarError(f"an exported network must answer within {CLOSE:g} of Keras. Received: {far}")


def distance(exported: Path, samples: np.ndarray, wanted: np.ndarray) -> float:
    """How far the answers of an exported network are from those wanted."""
    way = served.by_onnx if exported.suffix == ".onnx" else served.by_tensorflow
    return objects.apart(records.packed(way(str(exported))(records.fed(samples))), wanted)


def forward(network: Any, samples: np.ndarray) -> tuple[Any, Any]:
    """The network as it answers, with no layer in training, as a function of TensorFlow; and what goes into it.

    That is the step of `predict`, where a detector decodes its answers, and not the bare call.
    """
    import tensorflow as tf

    def described(array: np.ndarray, name: str) -> Any:
        return tf.TensorSpec((None, *array.shape[1:]), array.dtype, name=name)

    fed = records.fed(samples)
    inputs = {name: described(one, name) for name, one in fed.items()} if isinstance(fed, dict) else None
    inputs = inputs or described(np.asarray(fed), "input")
    return tf.function(network.predict_step, input_signature=[inputs]), inputs


def to_onnx(network: Any, samples: np.ndarray, path: Path) -> None:
    import tf2onnx

    function, inputs = forward(network, samples)
    tf2onnx.convert.from_function(function, input_signature=[inputs], opset=OPSET, output_path=str(path))


def to_tensorflow(network: Any, samples: np.ndarray, path: Path) -> None:
    import keras

    _, inputs = forward(network, samples)
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("serve", lambda given: network.predict_step(given), input_signature=[inputs])
    archive.write_out(str(path), verbose=False)
