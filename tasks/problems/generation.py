"""Generation: which character comes next?

Answers are numbers of characters, int32 (N,); a network gives probabilities, float (N, V). Whatever says how likely
each next character is can write: one is drawn, put behind the text, and so on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.spec import Spec
from tasks import pictures
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import Exam
from tasks.windows import Windows

GATES = ("likelihood", "accuracy")

LEAST = 1e-9
"""Probabilities below count as this one: float32 rounds to 0, whose logarithm is none."""

SEEDS, LENGTH = 3, 400
"""How many beginnings are gone on with, and for how many characters; the course's number."""

TEMPERATURES = (0.2, 0.5, 0.8, 1.0, 1.2)
"""The course has 0.5 and 0.8."""

ORDER = 5
"""Characters of the longest run that the best of the baselines counts."""

TRUST = 4.0
"""How many times a beginning must be seen for what followed it to count as much as what followed a shorter one."""


def scores(answers: np.ndarray, given: np.ndarray, spec: Spec) -> dict[str, float]:
    """Bits per character and perplexity (less is better), their likelihood and accuracy (0..1, more is better).

    Likelihood is the geometric mean of what the right characters were given, 2 to the power of minus the bits.
    """
    bits = surprise(answers, given, spec).mean()
    return {
        "bits_per_character": float(bits),
        "perplexity": float(2**bits),
        "likelihood": float(2**-bits),
        "accuracy": float((given.argmax(axis=1) == answers).mean()),
    }


def surprise(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """Bits that each right character takes, less its binary logarithm: float64 (N,).

    Raises:
        BadData: unless `given` are finite probabilities, one row for each answer.
    """
    wanted = (len(answers), len(spec.classes))
    if given.shape != wanted:
        raise BadData(f"predictions must have the shape (samples, characters) {wanted}. Received: {given.shape}")
    broken = ~np.isfinite(given).all(axis=1)
    if broken.any():
        raise BadData(
            f"predictions must be finite. Received: {broken.sum()} of {len(given)} with NaN or infinity, "
            f"the first for sample {int(np.argmax(broken))}"
        )
    totals = given.sum(axis=1, dtype=np.float64)
    right = given[np.arange(len(answers)), answers] / totals
    return np.asarray(-np.log2(np.maximum(right, LEAST)))


def judge(split: Split, given: np.ndarray, spec: Spec) -> Exam:
    """Scores, what each character costs, and how sure the network was of each sample."""
    answers = np.asarray(split.answers)
    bits = surprise(answers, given, spec)
    names, best = np.array([shown(name) for name in spec.classes]), given.argmax(axis=1)
    table = pd.DataFrame({"character": names[answers], "bits": bits, "right": best == answers})
    costs = table.groupby("character").agg(samples=("bits", "size"), bits=("bits", "mean"), right=("right", "mean"))
    costs = costs.sort_values("samples", ascending=False).reset_index()
    return Exam(
        scores=scores(answers, given, spec),
        tables={"characters": costs},
        pictures={"characters": costs_picture(costs)},
        predictions=pd.DataFrame(
            {"id": np.asarray(split.ids), "actual": names[answers], "predicted": names[best], "bits": bits}
        ),
    )


def shown(character: str) -> str:
    """A character as people can see it."""
    return {" ": "space", "\n": "new line", "\t": "tab"}.get(character, character)


def costs_picture(costs: pd.DataFrame) -> Figure:
    """Bits that each character takes, the most frequent first."""
    figure = pictures.blank(max(6, 0.22 * len(costs) + 2), 4)
    axes = figure.add_subplot()
    axes.bar(range(len(costs)), costs["bits"], color=pictures.ACCENT)
    mean = float(np.average(costs["bits"], weights=costs["samples"]))
    axes.axhline(mean, color=pictures.SECOND, label=f"mean of the text {mean:.2f}")
    axes.set(title="Bits that a character takes, the most frequent first", ylabel="bits", xlabel="character")
    axes.set_xticks(range(len(costs)), labels=list(costs["character"]), rotation=90, fontsize=8)
    axes.legend()
    return figure


def further(ask: Callable[[np.ndarray], np.ndarray], split: Split, spec: Spec) -> dict[str, pd.DataFrame]:
    """Text written from beginnings that the network has never seen, at several temperatures, and how it went on.

    Args:
        ask: what the network gives to windows (N, T).
    """
    rows = np.linspace(0, len(split) - 1, SEEDS).astype(int)
    seeds = np.asarray(split.samples[rows])
    starts = np.repeat(seeds, len(TEMPERATURES), axis=0)
    written = write(ask, starts, np.tile(TEMPERATURES, len(seeds)), LENGTH, np.random.default_rng(0))
    return {
        "written": pd.DataFrame(
            {
                "temperature": np.tile(TEMPERATURES, len(seeds)),
                "beginning": [spelt(one, spec) for one in starts],
                "goes on": [spelt(one, spec) for one in written],
            }
        )
    }


def write(
    ask: Callable[[np.ndarray], np.ndarray],
    windows: np.ndarray,
    temperatures: np.ndarray,
    length: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """What a network writes behind each window (N, T), each at its own temperature: uint8 (N, length)."""
    text = np.concatenate([windows, np.zeros((len(windows), length), windows.dtype)], axis=1)
    width = windows.shape[1]
    for place in range(length):
        chances = tempered(ask(text[:, place : place + width]), temperatures[:, np.newaxis])
        drawn = (chances.cumsum(axis=1) < rng.random((len(text), 1))).sum(axis=1)
        text[:, place + width] = np.minimum(drawn, chances.shape[1] - 1)
    return text[:, width:]


def tempered(chances: np.ndarray, temperature: float | np.ndarray) -> np.ndarray:
    """Probabilities (N, V) made sharper below a temperature of 1 and flatter above: softmax(log p / T).

    Source: lesson on the character LSTM, whose code draws from logarithms, which are no probabilities.
    """
    logits = np.log(np.maximum(chances, LEAST, dtype=np.float64)) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def spelt(codes: np.ndarray, spec: Spec) -> str:
    return "".join(spec.classes[code] for code in codes)


def baselines(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Probabilities by how often each character occurs in all of the text, and by what followed the last four."""
    text, windows = cast(Windows, train.samples).text, np.asarray(samples)
    kinds = len(spec.classes)
    return {"unigram": followers(text, windows, kinds, 1), f"{ORDER}-gram": followers(text, windows, kinds, ORDER)}


def followers(text: np.ndarray, windows: np.ndarray, kinds: int, order: int) -> np.ndarray:
    """How likely each of `kinds` characters is behind each window, by runs of up to `order` in `text`: (N, V).

    What followed the last characters is mixed with what followed fewer of them, the more the rarer these are:
    (count + trust * p of the shorter) / (times seen + trust).
    """
    chances = np.full((len(windows), kinds), 1 / kinds)
    for context in range(min(order, windows.shape[1] + 1)):
        counts = counted(text, windows, kinds, context)
        chances = (counts + TRUST * chances) / (counts.sum(axis=1, keepdims=True) + TRUST)
    return chances


def counted(text: np.ndarray, windows: np.ndarray, kinds: int, context: int) -> np.ndarray:
    """How often each character followed the last `context` of each window in `text`: float (N, V)."""
    weights = kinds ** np.arange(context, -1, -1, dtype=np.int64)
    runs = np.lib.stride_tricks.sliding_window_view(text.astype(np.int64), context + 1) @ weights
    known, times = np.unique(runs, return_counts=True)
    before = windows[:, windows.shape[1] - context :].astype(np.int64) @ weights[:-1]
    asked = before[:, np.newaxis] + np.arange(kinds)
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.where(known[place] == asked, times[place], 0).astype(np.float64)


def quality(answers: np.ndarray, given: np.ndarray, spec: Spec) -> np.ndarray:
    """What each right character was given, 0..1: float (N,)."""
    return 2 ** -surprise(answers, given, spec)


def slices(answers: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """Letters, and all else."""
    letters = np.array([name.isalpha() for name in spec.classes])[answers]
    return {"letters": letters, "spaces and signs": ~letters}


def differences(
    answers: np.ndarray, ours: np.ndarray, theirs: np.ndarray, spec: Spec, *, metric: str, times: int
) -> np.ndarray:
    """Resamples of the exam, the same for both."""
    rows = np.random.default_rng(0).integers(0, len(answers), (times, len(answers)))
    if metric == "accuracy":
        first, second = ((one.argmax(axis=1) == answers).astype(float) for one in (ours, theirs))
        return np.array([first[row].mean() - second[row].mean() for row in rows])
    first, second = (surprise(answers, one, spec) for one in (ours, theirs))
    return np.array([2 ** -first[row].mean() - 2 ** -second[row].mean() for row in rows])
