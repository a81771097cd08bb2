"""Recurrent cells, step by step: the simple one, the LSTM and the GRU, forward over a sequence and back through time.

The arrays and the order of the gates are those of Keras's layers, and so are the results.

Lesson: recurrent neural networks; LSTM and GRU cells and their gates; why a simple network forgets over a long gap.
Papers: Hochreiter, Schmidhuber, "Long short-term memory", Neural Computation 1997; Gers et al., "Learning to forget",
2000; Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014; Jozefowicz et al., "An
empirical exploration of recurrent network architectures", ICML 2015, for the forget gate's bias of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.fundamentals.activations import sigmoid

Kept = tuple[np.ndarray, ...]
"""What the way back needs of a step."""


class Weights(NamedTuple):
    """What a cell has learnt, its gates side by side in the last axis.

    Args:
        kernel: W, of what comes in: (D, gates u).
        recurrent: U, of the state: (u, gates u).
        bias: b, (gates u,); of the GRU (2, gates u), as `h U` has one of its own.
    """

    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray


Step = Callable[[np.ndarray, np.ndarray, Weights], tuple[np.ndarray, Kept]]
Back = Callable[[np.ndarray, Kept, Weights], tuple[np.ndarray, Weights]]


@dataclass(frozen=True)
class Cell:
    """One kind of recurrent network.

    Args:
        gates: how many times `u` sums a step works out.
        states: arrays (B, u) that go from step to step: 1, or 2 where there is a memory besides the output.
        biases: rows of biases, 1 or 2.
        step: the next states (states, B, u) of an input (B, D) and the states before it; the first is the output.
        back: of what the error would gain if the next states grew: the same of the states before, and dE/dweights.
    """

    gates: int
    states: int
    biases: int
    step: Step
    back: Back


def simple_step(x: np.ndarray, state: np.ndarray, weights: Weights) -> tuple[np.ndarray, Kept]:
    """h' = tanh(x W + h U + b)."""
    (h,) = state
    after = np.tanh(x @ weights.kernel + h @ weights.recurrent + weights.bias)
    return after[None], (x, h, after)


def simple_back(blame: np.ndarray, kept: Kept, weights: Weights) -> tuple[np.ndarray, Weights]:
    """Each step back multiplies by the slope of tanh, at most 1, and by U."""
    x, h, after = kept
    sums = blame[0] * (1 - after**2)
    return (sums @ weights.recurrent.T)[None], slopes(x, h, sums)


def slopes(x: np.ndarray, h: np.ndarray, sums: np.ndarray) -> Weights:
    """dE/dweights of dE/dsums (B, gates u)."""
    return Weights(x.T @ sums, h.T @ sums, sums.sum(axis=0))


def lstm_step(x: np.ndarray, state: np.ndarray, weights: Weights) -> tuple[np.ndarray, Kept]:
    """i, f, o = sigmoid(...), c~ = tanh(...); c' = f c + i c~, h' = o tanh(c'). The gates' order is i, f, c~, o."""
    h, c = state
    sums = np.split(x @ weights.kernel + h @ weights.recurrent + weights.bias, 4, axis=1)
    i, f, new, o = sigmoid(sums[0]), sigmoid(sums[1]), np.tanh(sums[2]), sigmoid(sums[3])
    memory = f * c + i * new
    return np.stack([o * np.tanh(memory), memory]), (x, h, c, i, f, new, o, memory)


def lstm_back(blame: np.ndarray, kept: Kept, weights: Weights) -> tuple[np.ndarray, Weights]:
    """From memory to memory there is the forget gate alone: where it is open, nothing is lost on the way back."""
    x, h, c, i, f, new, o, memory = kept
    shown = np.tanh(memory)
    of_memory = blame[1] + blame[0] * o * (1 - shown**2)
    of_gates = (of_memory * new * i * (1 - i), of_memory * c * f * (1 - f))
    of_new, of_output = of_memory * i * (1 - new**2), blame[0] * shown * o * (1 - o)
    sums = np.concatenate([*of_gates, of_new, of_output], axis=1)
    return np.stack([sums @ weights.recurrent.T, of_memory * f]), slopes(x, h, sums)


def gru_step(x: np.ndarray, state: np.ndarray, weights: Weights) -> tuple[np.ndarray, Kept]:
    """z, r = sigmoid(...), h~ = tanh(x W + b + r (h U + b2)); h' = z h + (1 - z) h~. The order is z, r, h~."""
    (h,) = state
    z_in, r_in, new_in = np.split(x @ weights.kernel + weights.bias[0], 3, axis=1)
    z_past, r_past, past = np.split(h @ weights.recurrent + weights.bias[1], 3, axis=1)
    z, r = sigmoid(z_in + z_past), sigmoid(r_in + r_past)
    new = np.tanh(new_in + r * past)
    return (z * h + (1 - z) * new)[None], (x, h, z, r, new, past)


def gru_back(blame: np.ndarray, kept: Kept, weights: Weights) -> tuple[np.ndarray, Weights]:
    """Where the update gate is open, the state goes back as it came."""
    x, h, z, r, new, past = kept
    of_new = blame[0] * (1 - z) * (1 - new**2)
    of_z, of_r = blame[0] * (h - new) * z * (1 - z), of_new * past * r * (1 - r)
    into, from_past = (np.concatenate([of_z, of_r, last], axis=1) for last in (of_new, of_new * r))
    biases = np.stack([into.sum(axis=0), from_past.sum(axis=0)])
    before = from_past @ weights.recurrent.T + blame[0] * z
    return before[None], Weights(x.T @ into, h.T @ from_past, biases)


def gru_as_published(x: np.ndarray, state: np.ndarray, weights: Weights) -> tuple[np.ndarray, Kept]:
    """The paper's form, h~ = tanh(x W + (r h) U + b), Keras's `reset_after=False`: the bias is (gates u,)."""
    (h,) = state
    z_in, r_in, new_in = np.split(x @ weights.kernel + weights.bias, 3, axis=1)
    of_z, of_r, of_new = np.split(weights.recurrent, 3, axis=1)
    z, r = sigmoid(z_in + h @ of_z), sigmoid(r_in + h @ of_r)
    new = np.tanh(new_in + (r * h) @ of_new)
    return (z * h + (1 - z) * new)[None], (x, h, z, r, new)


CELLS = {
    "simple RNN": Cell(1, 1, 1, simple_step, simple_back),
    "LSTM": Cell(4, 2, 1, lstm_step, lstm_back),
    "GRU": Cell(3, 1, 2, gru_step, gru_back),
}


def initial(cell: Cell, *, inputs: int, units: int, rng: np.random.Generator) -> Weights:
    """Random weights as Keras draws them: Glorot's for W, orthogonal U, no bias but 1 for an LSTM's forget gate."""
    width = cell.gates * units
    edge = np.sqrt(6 / (inputs + width))
    orthogonal = np.linalg.qr(rng.standard_normal((width, units)))[0].T
    bias = np.zeros((cell.biases, width) if cell.biases > 1 else width)
    if cell.states == 2:
        bias[units : 2 * units] = 1
    return Weights(rng.uniform(-edge, edge, (inputs, width)), orthogonal, bias)


def parameters(cell: Cell, *, inputs: int, units: int) -> int:
    """gates (u (u + d) + biases u)."""
    return cell.gates * (units * (units + inputs) + cell.biases * units)


def forward(step: Step, x: np.ndarray, weights: Weights, *, states: int = 1) -> tuple[np.ndarray, list[Kept]]:
    """Take a sequence (B, T, D) through a cell that starts from zeros: outputs (B, T, u), and what is kept."""
    state = np.zeros((states, len(x), len(weights.recurrent)))
    outputs, kept = [], []
    for now in x.swapaxes(0, 1):
        state, one = step(now, state, weights)
        outputs.append(state[0])
        kept.append(one)
    return np.stack(outputs, axis=1), kept


@dataclass(frozen=True)
class Blame:
    """What came back through time.

    Args:
        weights: dE/dweights.
        states: of each step, dE/dstates before it: (T, states, B, u).
    """

    weights: Weights
    states: np.ndarray


def backward(cell: Cell, last: np.ndarray, kept: list[Kept], weights: Weights) -> Blame:
    """Back through time from dE/doutput (B, u) of the last step; the weights' gradient is the sum of all steps'."""
    blame = np.concatenate([last[None], np.zeros((cell.states - 1, *last.shape))])
    summed = Weights(*(np.zeros_like(one) for one in weights))
    states: list[np.ndarray] = []
    for one in reversed(kept):
        blame, found = cell.back(blame, one, weights)
        summed = Weights(*(total + new for total, new in zip(summed, found, strict=True)))
        states.insert(0, blame)
    return Blame(summed, np.stack(states))
