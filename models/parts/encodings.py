"""Numbers of characters as rows of one 1 among zeros, inside the network, so that outside each takes a byte."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="miar")
class OneHot(layers.Layer):
    """Whole numbers (B, T), 0 to size - 1, as float32 (B, T, size).

    Args:
        size: of the vocabulary.

    Source: lesson on text to numbers.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, numbers: Any) -> Any:
        return ops.one_hot(ops.cast(numbers, "int32"), self.size, dtype=self.compute_dtype)

    def compute_output_spec(self, numbers: Any) -> keras.KerasTensor:
        return keras.KerasTensor((*numbers.shape, self.size), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
