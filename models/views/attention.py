"""Where a translating network with attention looks in the text, at each symbol that it answers with.

Source: Bahdanau, Cho, Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015,
figure 3. A large weight says what was read, and not yet that the answer rests on it.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from models.parts.translators import HEAD, lesson


def has(network: keras.Model) -> bool:
    """Whether the network tells where it looks."""
    return any(layer.name == HEAD and hasattr(layer, "looks") for layer in network.layers)


def looks(network: keras.Model, symbols: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Weights of each head of each decoder layer, where the answers are those: float32 (B, L, h, T, S).

    Args:
        network: one of which `has` is true.
        symbols: of the texts, int32 (B, S).
        answers: int32 (B, T), -1 from the end on; the place behind the last symbol is the end.
    """
    head = network.get_layer(HEAD)
    found = head.looks(lesson(answers, head.classes).previous, network(symbols, training=False))
    return np.asarray(ops.convert_to_numpy(found))
