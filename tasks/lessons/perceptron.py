"""The perceptron: a line that moves after each mistake, what no line can do, and what two layers can."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.fundamentals import perceptron
from models.fundamentals.perceptron import GATES, POINTS, Learnt, Neurons
from tasks.lessons import Lesson, Section, canvas
from tasks.pictures import INK, blank

EPOCHS = 30


def show(seed: int) -> Lesson:
    """AND and XOR by the rule and by hand; `seed` is that of the weights that the rule begins with."""
    learnt = {gate: learn(gate, seed) for gate in GATES}
    return Lesson(
        "The perceptron",
        (
            Section(
                "A neuron draws a line",
                (
                    "A perceptron adds up its inputs, each times a weight, and a bias; it fires (1) where the sum is "
                    "above 0. So it cuts the plane in two along the line where the sum is 0. With the weights 1 and 1 "
                    "and the bias -1 it is the gate AND.",
                ),
                tables={"and_by_hand": and_table()},
            ),
            Section(
                "Rosenblatt's rule",
                (
                    "Begin with small random weights and show the samples one by one. Nothing happens while the "
                    "answers are right. After a mistake, add the sample to the weights if the neuron should have "
                    "fired, and take it away if it should not. Below, the line of AND before the first mistake and "
                    "after each one; the sample that was wrong has a cross.",
                ),
                figures={"and_learnt": moves(learnt["AND"], GATES["AND"])},
            ),
            Section(
                "What no line can do",
                (
                    "Where a line separates the classes, the rule ends (Novikoff, 1962). For XOR there is none: "
                    "every line leaves at least one of the four points on the wrong side, and the rule goes on for "
                    "ever.",
                ),
                figures={"mistakes": mistakes(learnt), "xor_goes_on": last_moves(learnt["XOR"])},
                tables={"rule": rule_table(learnt)},
            ),
            Section(
                "Two layers can",
                (
                    "One hidden neuron fires for x1 or x2, the other for x1 and x2. What they say is a new plane, in "
                    "which the points (0, 1) and (1, 0) have become one, and a line is enough: h1 and not h2.",
                ),
                figures={"xor_two_layers": two_layers()},
                tables={"xor_by_hand": xor_table()},
            ),
        ),
    )


def learn(gate: str, seed: int) -> Learnt:
    rng = np.random.default_rng(seed)
    start = Neurons(rng.uniform(-0.5, 0.5, (2, 1)), rng.uniform(-0.5, 0.5, 1))
    return perceptron.learn(POINTS, GATES[gate], start=start, rate=0.5, epochs=EPOCHS)


def and_table() -> pd.DataFrame:
    sums = perceptron.AND.sums(POINTS)[:, 0]
    names = ["x1", "x2", "x1 + x2 - 1", "answer"]
    columns = [*POINTS.T, sums, perceptron.answer(POINTS, (perceptron.AND,))]
    return pd.DataFrame({name: column.astype(int) for name, column in zip(names, columns, strict=True)})


def xor_table() -> pd.DataFrame:
    hidden = perceptron.XOR[0].answer(POINTS)
    names = ["x1", "x2", "h1: x1 + x2 > 0", "h2: x1 + x2 - 1 > 0", "answer: h1 - 2 h2 > 0"]
    columns = [*POINTS.T, *hidden.T, perceptron.answer(POINTS, perceptron.XOR)]
    return pd.DataFrame({name: column.astype(int) for name, column in zip(names, columns, strict=True)})


def rule_table(learnt: dict[str, Learnt]) -> pd.DataFrame:
    rows = [
        (gate, "yes" if one.converged else "no", len(one.mistakes), sum(one.mistakes), equation(one.neuron))
        for gate, one in learnt.items()
    ]
    return pd.DataFrame(rows, columns=["gate", "converged", "epochs", "mistakes", "fires where, at the end"])


def equation(neuron: Neurons) -> str:
    (w1, w2), b = neuron.weights[:, 0], neuron.biases[0]
    return f"{w1:.2f} x1 {w2:+.2f} x2 {b:+.2f} > 0"


def moves(learnt: Learnt, right: np.ndarray) -> Figure:
    """The plane as the neuron sees it before the first mistake and after each one."""
    title = "AND: the line moves after each mistake"
    figure, axes = canvas.panels(-(-len(learnt.path) // 5), 5, width=2.1, height=2.3, title=title)
    for number, (panel, neuron) in enumerate(zip(axes, learnt.path, strict=False)):
        plane(panel, (neuron,), right)
        panel.set_title("start" if number == 0 else f"after mistake {number}", fontsize=9)
        if number + 1 < len(learnt.path):
            mark_mistake(panel, neuron, learnt.path[number + 1])
    for panel in axes[len(learnt.path) :]:
        panel.axis("off")
    axes[len(learnt.path) - 1].set_title("no mistake any more", fontsize=9, fontweight="bold")
    return figure


def plane(axes: Axes, layers: tuple[Neurons, ...], right: np.ndarray) -> None:
    canvas.answers(axes, lambda x: perceptron.answer(x, layers))
    canvas.points(axes, POINTS, right)


def mark_mistake(axes: Axes, before: Neurons, after: Neurons) -> None:
    """A cross on the sample that changed `before` into `after`: the one that the weights have moved by."""
    moved = np.sign(after.biases[0] - before.biases[0]) * (after.weights - before.weights)[:, 0]
    axes.plot(*np.sign(moved), marker="x", color=INK, markersize=14, markeredgewidth=2.2, zorder=4)


def mistakes(learnt: dict[str, Learnt]) -> Figure:
    """Changes so far, by gate: flat once the rule has converged."""
    figure = blank(7, 3.4)
    axes = figure.add_subplot()
    for (gate, one), colour in zip(learnt.items(), canvas.LINES, strict=False):
        counts = np.zeros(EPOCHS + 1)
        counts[1 : len(one.mistakes) + 1] = one.mistakes
        axes.plot(np.cumsum(counts), color=colour, label=gate, linewidth=2)
    axes.set(title="Mistakes so far", xlabel="epoch", ylabel="mistakes", xlim=(0, EPOCHS), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend()
    return figure


def last_moves(learnt: Learnt) -> Figure:
    """The last four places of a line that never rests."""
    figure, axes = canvas.panels(1, 4, width=2.4, height=2.5, title=f"XOR: still moving after {EPOCHS} epochs")
    first = len(learnt.path) - 5
    for number, (panel, neuron, after) in enumerate(
        zip(axes, learnt.path[first:], learnt.path[first + 1 :], strict=False)
    ):
        plane(panel, (neuron,), GATES["XOR"])
        mark_mistake(panel, neuron, after)
        panel.set_title(f"after mistake {first + number}", fontsize=9)
    return figure


def two_layers() -> Figure:
    """What each neuron of the XOR network fires for, in the plane of its own inputs and in that of the network's."""
    figure, axes = canvas.panels(1, 4, width=2.5, height=2.7, title="XOR with two layers")
    hidden, output = perceptron.XOR
    for panel, unit in zip(axes, (0, 1), strict=False):
        neuron = Neurons(hidden.weights[:, [unit]], hidden.biases[[unit]])
        plane(panel, (neuron,), perceptron.answer(POINTS, (neuron,)))
        panel.set_title(f"h{unit + 1}: x1 {('or', 'and')[unit]} x2", fontsize=9)
    canvas.answers(axes[2], lambda h: output.answer(h)[:, 0], labels=("h1", "h2"))
    canvas.points(axes[2], hidden.answer(POINTS), GATES["XOR"])
    axes[2].set_title("answer, seen by the output", fontsize=9)
    plane(axes[3], perceptron.XOR, GATES["XOR"])
    axes[3].set_title("answer, seen by the network", fontsize=9)
    return figure
