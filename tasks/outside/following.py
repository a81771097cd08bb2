"""How a registered tracker answers: a detector's network, as it is served, and the tracker, in a pyfunc of their own.

`mlflow.models.Model.log` takes this module as a flavour.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
from mlflow.models import Model
from mlflow.types import Schema, TensorSpec

from tasks import tracker
from tasks.errors import BadData
from tasks.outside import followed
from tasks.outside.serving import stand_alone


def save_model(
    path: str,
    mlflow_model: Model,
    *,
    detector: Path,
    settings: dict[str, Any],
    example: np.ndarray,
    signature: Any,
    requirements: list[str],
) -> None:
    """Write a version's folder.

    Args:
        detector: folder of the detector's own version.
        settings: `sort`, of `tracker.Settings` but for the frame's size, and `longest_gap`.
        example: frames, which MLflow shows.
        requirements: what a reader needs installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.json"
        file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        mlflow.pyfunc.save_model(
            path,
            python_model=followed.__file__,
            artifacts={**parts(detector), "tracker": tracker.__file__, "settings": str(file)},
            mlflow_model=mlflow_model,
            signature=signature,
            input_example=example,
            pip_requirements=requirements,
        )
    stand_alone(mlflow_model)
    mlflow_model.save(str(Path(path) / "MLmodel"))


def answers() -> Schema:
    """What comes out: arrays (N,), with a place for each box in each frame."""
    whole = ("frame", "id", "label")
    kinds = {name: np.dtype(np.int64 if name in whole else np.float64) for name in tracker.TOLD}
    return Schema([TensorSpec(kind, (-1,), name) for name, kind in kinds.items()])


def parts(detector: Path) -> dict[str, str]:
    """The network that a detector's version serves, and the code that asks it, in that version's folder.

    Raises:
        BadData: if they are not there.
    """
    flavour = Model.load(str(detector)).flavors.get("python_function", {})
    try:
        found = {
            "network": detector / flavour["artifacts"]["network"]["path"],
            "served": detector / flavour["model_code_path"],
        }
    except KeyError as error:
        raise BadData(f"`{detector}` must serve a network. Received: no {error}") from None
    return {name: str(place) for name, place in found.items()}
