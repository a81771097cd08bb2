"""The same files on Keras's JAX backend: the contract, in a process of its own, since a backend is chosen once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tasks import places

LONG = "heart and (deep_cnn or skip or rcnn or yolo or rnn or lstm or gru or transformer)"
"""What JAX takes minutes for on a CPU; TensorFlow's run has it."""


@pytest.mark.slow
@pytest.mark.parametrize("what", [f"not ({LONG})"])
def test_the_contract_holds_on_jax(what: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", what]
    here = {**os.environ, "KERAS_BACKEND": "jax"}
    files = ["tests/models/test_contract.py", "tests/models/test_views.py"]
    done = subprocess.run([*command, *files], cwd=places.ROOT, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout
