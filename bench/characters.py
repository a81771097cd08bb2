"""What the inputs of the character LSTM cost: bytes that the network makes rows of, beside the course's one-hot arrays.

`python -m bench.characters` makes both of a text as long as the course's, 311,213 characters in windows of 60 whose
beginnings are 3 apart, drawn at random, since what they say matters to neither. Two copies of the course's network with
the same weights, one without the first layer, then take the same batches in turns, step by step: the losses must be
equal, and the ratio is that of a round's median steps, and its median over the rounds.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

LENGTH, STEP, CHARACTERS, TEXT, BATCH = 60, 3, 45, 311_213, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="of each round")
    asked = parser.parse_args()
    windows, following = ours()
    rows, answers = course(windows, following)
    held = windows.text.nbytes + windows.starts.nbytes + following.nbytes
    print(f"{len(windows):,} windows: ours {held / 1e6:.2f} MB, one-hot {(rows.nbytes + answers.nbytes) / 1e6:.1f} MB")
    print(f"memory: {(rows.nbytes + answers.nbytes) / held:.0f} times less")
    compare(windows, rows, following, asked.rounds, asked.steps)


def ours() -> tuple[Any, np.ndarray]:
    """Windows of a random text, and what follows them."""
    from tasks.windows import Windows

    text = np.random.default_rng(0).integers(0, CHARACTERS, TEXT, dtype=np.uint8)
    starts = np.arange(0, TEXT - LENGTH, STEP)
    return Windows(text, starts, LENGTH), text[starts + LENGTH].astype(np.int32)


def course(windows: Any, following: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The course's arrays, bool: (N, 60, 45) and (N, 45)."""
    every = np.eye(CHARACTERS, dtype=bool)
    return every[windows[:]], every[following]


def compare(windows: Any, rows: np.ndarray, following: np.ndarray, rounds: int, steps: int) -> None:
    """Train both networks on the same batches in turns, and tell losses and times."""
    import keras

    from models.char_lstm import char_lstm

    mine = char_lstm(length=LENGTH, characters=CHARACTERS)
    plain = keras.Sequential([keras.Input((LENGTH, CHARACTERS)), *mine.layers[2:]])
    theirs = keras.models.clone_model(plain)
    theirs.set_weights(mine.get_weights())
    for network in (mine, theirs):
        network.compile("rmsprop", "sparse_categorical_crossentropy")
    batches = np.random.default_rng(1).integers(0, len(windows), (rounds + 1, steps, BATCH))
    ratios, apart = [], 0.0
    for number, batch in enumerate(batches):
        seconds = []
        for one in batch:
            first, loss = timed(mine, windows, following, one)
            second, other = timed(theirs, rows, following, one)
            seconds.append((first, second))
            apart = max(apart, abs(loss - other))
        if number:  # the first round compiles
            one, other = np.median(seconds, axis=0)
            ratios.append(one / other)
            print(f"round {number}: ours {1000 * one:.0f} ms a step, one-hot {1000 * other:.0f} ms", flush=True)
    print(f"step: {median(ratios):.3f} of the one-hot version's ({min(ratios):.3f} to {max(ratios):.3f})")
    print(f"losses: at most {apart:.1e} apart over {(rounds + 1) * steps} steps")


def timed(network: Any, samples: Any, answers: np.ndarray, batch: np.ndarray) -> tuple[float, float]:
    """Seconds that it takes to gather a batch and to learn from it, and its loss."""
    network.reset_metrics()
    began = time.perf_counter()
    loss = float(network.train_on_batch(samples[batch], answers[batch]))
    return time.perf_counter() - began, loss


if __name__ == "__main__":
    main()
