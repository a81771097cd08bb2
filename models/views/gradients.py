"""The gradient of a number with respect to an array, which Keras itself has no name for.

The one place that knows the backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def gradient(objective: Callable[[Any], Any], at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `objective` gives at `at`, (B,), and the gradient of its sum, of the shape of `at`.

    Args:
        objective: takes a tensor (B, ...) and gives one number for each sample, (B,), in operations of Keras.

    Raises:
        NotImplementedError: on a backend other than TensorFlow and JAX.
    """
    ways = {"tensorflow": with_tensorflow, "jax": with_jax}
    backend = keras.backend.backend()
    if backend not in ways:
        raise NotImplementedError(f"gradients need the backend {' or '.join(ways)}. Received: {backend}")
    values, found = ways[backend](objective, np.asarray(at, dtype=np.float32))
    return np.asarray(values), np.asarray(found)


def with_tensorflow(objective: Callable[[Any], Any], at: np.ndarray) -> tuple[Any, Any]:
    import tensorflow as tf

    x = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = objective(x)
    return values, tape.gradient(values, x)


def with_jax(objective: Callable[[Any], Any], at: np.ndarray) -> tuple[Any, Any]:
    import jax

    def total(x: Any) -> tuple[Any, Any]:
        values = objective(x)
        return values.sum(), values

    found, values = jax.grad(total, has_aux=True)(at)
    return values, found
