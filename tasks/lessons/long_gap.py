"""The long gap: which cells can learn to recall what came many steps ago, and how much of the gradient gets there."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.fundamentals import gap, recurrent
from models.fundamentals.gap import Trained
from tasks.lessons import Lesson, Section, canvas
from tasks.pictures import ACCENT, SECOND, blank

LONGEST = (10, 30, 100)
"""Steps of the longest gap that a network learns from."""

UNITS, BATCH, UPDATES, RATE = 16, 32, 400, 0.01
ASKED = (1, 5, 10, 20, 30, 40, 60, 80, 100)
EXAM = 500
COLOURS = dict(zip(recurrent.CELLS, (SECOND, ACCENT, canvas.THIRD), strict=True))

Runs = dict[tuple[str, int], Trained]


def show(seed: int) -> Lesson:
    """Each cell trained on gaps up to each length; `seed` is that of weights and sequences."""
    runs = {(name, longest): learn(name, longest, seed) for longest in LONGEST for name in recurrent.CELLS}
    return Lesson(
        "The long gap",
        (
            Section(
                "The question",
                (
                    f"One of {gap.SYMBOLS} symbols comes first, then a gap of others that mean nothing, and at the end "
                    "a softmax layer on the last output is asked which it was. The sequences are generated, new ones "
                    f"for each of at most {UPDATES} updates. By chance {1 / gap.SYMBOLS:.0%} are right.",
                ),
                tables={"cells": cells_table()},
            ),
            Section(
                "What is learnt",
                (
                    f"Each batch of {BATCH} has a gap of its own, from 1 step to the longest. Of short gaps all three "
                    "cells learn it, and their lines lie upon each other. Of gaps up to 100 the LSTM and the GRU do, "
                    "while the simple network does not get there. It is the learning that fails: having learnt of "
                    "short gaps, it may well keep a symbol for longer than it was ever asked to.",
                ),
                figures={"recall": recall(runs, seed)},
                tables={"accuracy": accuracy_table(runs, seed)},
            ),
            Section(
                "What comes back",
                (
                    "The gradient of the last output, followed back through the states. Untrained (dashed), all three "
                    "lose a share of it at each step, so that what came first is hardly to blame for anything. The "
                    "trained simple network loses it fastest: each step multiplies it by U and by the slope of a tanh "
                    "that is nearly flat. Behind the open update gate of the trained GRU it comes back as it went.",
                ),
                figures={"gradients": gradients(runs, seed)},
            ),
        ),
    )


def learn(name: str, longest: int, seed: int) -> Trained:
    rng = np.random.default_rng(seed)
    network = gap.initial(recurrent.CELLS[name], UNITS, rng)
    return gap.train(network, longest=longest, updates=UPDATES, batch=BATCH, rate=RATE, rng=rng)


def asked(trained: Trained, steps: int, seed: int) -> float:
    """Share of right answers to new sequences with a gap of so many steps."""
    return gap.accuracy(trained.network, *gap.sequences(steps, EXAM, np.random.default_rng([seed, steps])))


def cells_table() -> pd.DataFrame:
    """The three cells, of as many units, and what each costs."""
    rows = [
        (name, cell.gates, recurrent.parameters(cell, inputs=2 * gap.SYMBOLS, units=UNITS))
        for name, cell in recurrent.CELLS.items()
    ]
    return pd.DataFrame(rows, columns=["cell", "sums of a unit", f"parameters of {UNITS} units"])


def accuracy_table(runs: Runs, seed: int) -> pd.DataFrame:
    """What was learnt of gaps up to each length, asked at that length."""
    rows = [
        (name, longest, len(trained.errors), f"{asked(trained, longest, seed):.3f}")
        for (name, longest), trained in runs.items()
    ]
    return pd.DataFrame(rows, columns=["cell", "longest gap", "updates", "right answers after it"])


def recall(runs: Runs, seed: int) -> Figure:
    """Right answers by gap, of the networks that learnt of gaps up to each length."""
    figure, axes = canvas.panels(1, len(LONGEST), width=3.4, height=3)
    for panel, longest in zip(axes, LONGEST, strict=True):
        for width, (name, colour) in zip((6, 3.5, 1.2), COLOURS.items(), strict=True):
            right = [asked(runs[name, longest], steps, seed) for steps in ASKED]
            panel.plot(ASKED, right, color=colour, linewidth=width, label=name)
        panel.axhline(1 / gap.SYMBOLS, color=canvas.FAINT, linestyle="--", label="chance")
        panel.axvspan(1, longest, color=canvas.PALE, zorder=0)
        panel.set(title=f"learnt of gaps up to {longest}", xlabel="steps between", ylim=(-0.03, 1.05))
        panel.set_title(panel.get_title(), fontsize=10)
    axes[0].set_ylabel("right answers")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return figure


def gradients(runs: Runs, seed: int) -> Figure:
    """Length of the gradient by steps back, before training (dashed) and after."""
    longest = max(LONGEST)
    x, first = gap.sequences(longest, BATCH, np.random.default_rng([seed, longest]))
    figure = blank(7, 3.6)
    axes = figure.add_subplot()
    for name, colour in COLOURS.items():
        new = gap.initial(recurrent.CELLS[name], UNITS, np.random.default_rng(seed))
        for network, line in ((new, "--"), (runs[name, longest].network, "-")):
            lengths = gap.by_step(network, x, first)
            label = f"{name}, untrained" if line == "--" else name
            axes.semilogy(lengths / lengths[0], line, color=colour, label=label)
    axes.set(xlabel="steps back from the end", ylabel="gradient, by that of the last step", ylim=(1e-16, 1e4))
    axes.set_title(f"A gap of {longest} steps")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, ncols=3)
    return figure
