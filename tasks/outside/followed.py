"""What a registered tracker answers: this file is stored with each version, and MLflow runs it there.

It knows nothing of the project. The detector's network and the code that asks it, both as they are in the detector's
own version, and the tracker's code lie beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

MOST = 10_000
"""Frames of one request."""

BATCH = 128
"""Frames that the detector sees at once."""

FIELDS = ("boxes", "labels", "scores")


class Followed(mlflow.pyfunc.PythonModel):
    """Reads the detector and the tracker that lie beside this file, and asks them."""

    def load_context(self, context: Any) -> None:
        files = context.artifacts
        served, self.tracker = module(Path(files["served"])), module(Path(files["tracker"]))
        way = served.by_onnx if files["network"].endswith(".onnx") else served.by_tensorflow
        self.ask = way(files["network"])
        self.settings = json.loads(Path(files["settings"]).read_text(encoding="utf-8"))

    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> dict[str, np.ndarray]:
        """The tracks of one clip, frames uint8 (T, H, W, C): arrays (N,), with a place for each box in each frame.

        `frame` from 0, `id` of the track, `label`, the number of its class, `score`, and the box, relative: `y1`, `x1`,
        `y2` and `x2`.
        """
        del context, params
        if not 1 <= len(model_input) <= MOST:
            wrong(f"a clip must have 1 to {MOST} frames. Received: {len(model_input)}")
        settings = self.tracker.Settings(*model_input.shape[1:3], **self.settings["sort"])
        try:
            tracks = self.tracker.track(self.find(model_input), settings)
        except self.tracker.WrongDetections as error:
            wrong(f"the detector's boxes must be some: {error}")
        full = self.tracker.filled(tracks, self.settings["longest_gap"])
        return {name: column.to_numpy() for name, column in self.tracker.told(full).items()}

    def find(self, frames: np.ndarray) -> list[dict[str, np.ndarray]]:
        """What the detector finds in each frame."""
        parts = [self.ask(frames[start : start + BATCH]) for start in range(0, len(frames), BATCH)]
        return [{name: part[name][row] for name in FIELDS} for part in parts for row in range(len(part["labels"]))]


def module(path: Path) -> ModuleType:
    """A file as a module that is called after what it holds: another version's is another module."""
    name = f"{path.stem}_{hashlib.sha256(path.read_bytes()).hexdigest()}"
    if name not in sys.modules:
        spec: Any = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def wrong(what: str) -> None:
    raise MlflowException(what, error_code=INVALID_PARAMETER_VALUE)


mlflow.models.set_model(Followed())
