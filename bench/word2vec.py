"""How fast vectors of words are learnt: ours, beside a naive Keras softmax and gensim, in turns, from the same text.

`python -m bench.word2vec` reads the training text of `quijote_words` (run `.venv/bin/dvc repro prepare@quijote_words`
before). Each round, the three go on learning: ours and gensim for an epoch, the naive one for some steps of 128 pairs,
since an epoch of it takes many minutes. All have 100 numbers in a vector and five neighbours on each side in whole
windows; ours and gensim have five noise words and the same subsampling, the naive one all words and none. gensim has as
many workers as there are processors. The first round, in which ours is compiled, does not count. What is told is the
ratio of a round, its median over the rounds and from where to where it went, by the clock and by processor time, which
other work on the machine disturbs less; and at the end the neighbourhood score of both on the validation texts.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from models.spec import Spec
from tasks import prepared
from tasks.prepared import Split
from tasks.problems import embedding
from tasks.problems.vectors import pairs, rivals

DATASET, SIZE, SUBSAMPLE, RUNS, PAIRS = "quijote_words", 100, 1e-4, 256, 128
"""What is learnt from, numbers of a vector, share of the text above which words are left out at times, and what a step
has: runs of ours, pairs of the naive network."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="that count; epochs are one more")
    parser.add_argument("--steps", type=int, default=40, help="of the naive network in each")
    parser.add_argument("--model", choices=("skip_gram", "cbow"), default="skip_gram")
    asked = parser.parse_args()
    spec, train = prepared.read_spec(DATASET), prepared.read(DATASET, "train")
    words = sum(spec.input.counts)
    theirs, their_vectors = gensims(asked.model, spec, train, asked.rounds + 1)
    simple = naive(spec, train, asked.steps)
    rates: list[np.ndarray] = []

    def take_turns(spent: np.ndarray) -> None:
        rates.append(np.stack([words / spent, simple(), words / timed(theirs)]))
        told = zip(("ours", "naive", "gensim"), rates[-1][:, 0], strict=True)
        speeds = ", ".join(f"{name} {speed:,.0f}" for name, speed in told)
        print(f"round {len(rates) - 1}: {speeds} words/s", flush=True)

    our_vectors = ours(asked.model, spec, train, asked.rounds + 1, take_turns)
    for place, name in enumerate(("the naive Keras softmax", "gensim"), start=1):
        for which, clock in enumerate(("by the clock", "by processor time")):
            tell(f"{name}, {clock}", [one[0, which] / one[place, which] for one in rates[1:]])
    for name, vectors in (("ours", our_vectors), ("gensim", their_vectors())):
        print(f"neighbourhood of {name} on the validation texts: {score(vectors, spec):.4f}")


def now() -> np.ndarray:
    """Seconds by the clock, and of processors in this process."""
    return np.array([time.perf_counter(), time.process_time()])


def timed(work: Callable[[], Any]) -> np.ndarray:
    """Seconds that it takes, of both."""
    began = now()
    work()
    return np.asarray(now() - began)


def tell(name: str, ratios: list[float]) -> None:
    print(f"ours against {name}: {median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


def score(vectors: np.ndarray, spec: Spec) -> float:
    """How often neighbours in the validation texts are nearer than others."""
    found = embedding.compared(
        np.asarray(prepared.read(DATASET, "validation").answers), vectors, np.ones(len(vectors), bool), spec
    )
    return float(found.won.sum() / found.pairs.sum())


def ours(name: str, spec: Spec, train: Split, epochs: int, after: Callable[[np.ndarray], None]) -> np.ndarray:
    """Learn as the trainer does, and call `after` with the seconds of each epoch; gives the vectors."""
    import keras

    import models
    from models.parts.word_vectors import HEAD
    from tasks import trainer

    trainer.start_over(0)
    steps = math.ceil(len(train) / RUNS)
    values = {"size": SIZE, "subsample": SUBSAMPLE, "decay_steps": steps * epochs}
    network, _ = trainer.build(models.load(name), spec, values)
    began = [now()]
    turns = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: began.append(now()), on_epoch_end=lambda *_: after(now() - began[-1])
    )
    batches = trainer.batches(train, fit=trainer.Fit(epochs, RUNS, 0, "loss"), start=0)
    network.fit(batches, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=0, callbacks=[turns])
    return np.asarray(keras.ops.convert_to_numpy(network.get_layer(HEAD).vectors))


def gensims(name: str, spec: Spec, train: Split, epochs: int) -> tuple[Callable[[], Any], Callable[[], np.ndarray]]:
    """What goes on learning with gensim for an epoch, its rate falling as if it were one run; and gives the vectors."""
    read, workers = rivals.sentences(np.asarray(train.answers), spec.neighbours), len(os.sched_getaffinity(0))
    model = rivals.learner(
        read, spec.neighbours, size=SIZE, skip_gram=name == "skip_gram", subsample=SUBSAMPLE, workers=workers
    )
    rate, slowest, done = model.alpha, model.min_alpha, [0]

    def epoch() -> None:
        start, end = (rate - (rate - slowest) * number / epochs for number in (done[0], done[0] + 1))
        model.train(read, total_examples=model.corpus_count, epochs=1, start_alpha=start, end_alpha=end)
        done[0] += 1

    return epoch, lambda: rivals.learnt(model, len(spec.classes))


def naive(spec: Spec, train: Split, steps: int) -> Callable[[], np.ndarray]:
    """What takes some steps of the network that everyone writes first, and gives the words that it reads a second."""
    import keras
    from keras import layers

    known = len(spec.classes)
    _, words, near = pairs.listed(np.asarray(train.answers), spec.neighbours)
    of_word = len(words) / sum(spec.input.counts)
    network = keras.Sequential(
        [layers.Input((), dtype="int32"), layers.Embedding(known, SIZE), layers.Dense(known, activation="softmax")]
    )
    network.compile("adam", "sparse_categorical_crossentropy")
    rows = np.random.default_rng(0).permutation(len(words))
    done = [0]

    def some() -> np.ndarray:
        chosen = rows[done[0] : done[0] + steps * PAIRS]
        done[0] += len(chosen)
        given = {"x": words[chosen], "y": near[chosen]}
        spent = timed(lambda: network.fit(**given, batch_size=PAIRS, epochs=1, shuffle=False, verbose=0))
        return len(chosen) / of_word / spent

    return some


if __name__ == "__main__":
    main()
