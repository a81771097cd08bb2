"""What a registered network answers, without Keras: this file is stored with each version, and MLflow runs it there.

It knows nothing of the project, so a version can be loaded where the project is not, and two in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

Fed = np.ndarray | Mapping[str, np.ndarray]
"""One array of N samples, or one for each input by its name."""

MOST = 10_000
"""Samples of one request; more belong into a file and the step score."""


class Served(mlflow.pyfunc.PythonModel):
    """Reads the exported network that lies beside this file, and asks it."""

    def load_context(self, context: Any) -> None:
        path = context.artifacts["network"]
        self.ask = by_onnx(path) if path.endswith(".onnx") else by_tensorflow(path)

    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> Any:
        """Answers (N, ...) as the network gives them; of several outputs, one array for each by its name.

        Of several inputs, `model_input` is a dictionary; MLflow knows the hint of an array, and of no other.
        """
        del context, params
        check(model_input)
        return self.ask(model_input)


def by_onnx(path: str) -> Callable[[Fed], Any]:
    """Ask with ONNX Runtime, which many threads may do at once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle, it would burn a processor
    session = onnxruntime.InferenceSession(path, options, providers=onnxruntime.get_available_providers())
    inputs, outputs = ([one.name for one in some()] for some in (session.get_inputs, session.get_outputs))

    def ask(fed: Fed) -> Any:
        given = dict(fed) if isinstance(fed, Mapping) else {inputs[0]: fed}
        answers = session.run(outputs, given)
        return answers[0] if len(outputs) == 1 else dict(zip(outputs, answers, strict=True))

    return ask


def by_tensorflow(path: str) -> Callable[[Fed], Any]:
    """Ask with TensorFlow: for a network that ONNX has no words for."""
    import tensorflow as tf

    loaded = tf.saved_model.load(path)

    def ask(fed: Fed) -> Any:
        return tf.nest.map_structure(lambda answer: answer.numpy(), loaded.serve(fed))

    return ask


def check(fed: Fed) -> None:
    """Refuse what MLflow's signature lets pass and no network can answer.

    Raises:
        MlflowException: INVALID_PARAMETER_VALUE, which a server answers with HTTP status 400.
    """
    for name, array in fed.items() if isinstance(fed, Mapping) else [("the input", fed)]:
        if len(array) > MOST:
            wrong(f"a request must have at most {MOST} samples. Received: {len(array)} in {name}")
        if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
            row = int(np.argwhere(~finite)[0][0])
            wrong(f"{name} must hold finite numbers. Received: NaN or infinity in sample {row}")


def wrong(what: str) -> None:
    raise MlflowException(what, error_code=INVALID_PARAMETER_VALUE)


mlflow.models.set_model(Served())
