"""Activations: the bends that make depth worth something, and what each lets through of the gradient."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.fundamentals.activations import ACTIVATIONS, Activation, merge_linear, softmax
from tasks.lessons import Lesson, Section, canvas
from tasks.pictures import ACCENT, INK, SECOND, blank

SUMS = np.linspace(-4, 4, 401)
FORMULAS = {
    "threshold": "1 if z > 0, else 0",
    "linear": "z",
    "sigmoid": "1 / (1 + e^-z)",
    "tanh": "(e^z - e^-z) / (e^z + e^-z)",
    "relu": "max(z, 0)",
}


def show(seed: int) -> Lesson:
    """Each function with its slope, and what depth does with it; `seed` is that of the random layers."""
    return Lesson(
        "Activation functions",
        (
            Section(
                "The functions and their slopes",
                (
                    "What a neuron makes of its weighted sum. Backpropagation multiplies by the slope (dashed): where "
                    "that is 0, nothing is learnt. A threshold has no slope anywhere, so only a rule such as "
                    "Rosenblatt's can teach it; sigmoid and tanh have hardly any far from 0; ReLU has 1 wherever its "
                    "sum is positive.",
                ),
                figures={"functions": functions()},
                tables={"functions": function_table()},
            ),
            Section(
                "Linear after linear is linear",
                (
                    "(x W + b) V + c is x (W V) + (b V + c): two linear layers can do no more than one, however wide. "
                    "With tanh between them the same weights bend.",
                ),
                figures={"depth": depth(seed)},
            ),
            Section(
                "How much of the gradient is left",
                (
                    "Going back, each layer multiplies the gradient by its slope. The sigmoid's is at most 1/4: "
                    "after ten layers less than a millionth is left, at best. That of tanh is 1 at 0 and less "
                    "elsewhere, that of ReLU is 1 for every positive sum.",
                ),
                figures={"vanishing": vanishing()},
            ),
            Section(
                "Softmax: K sums, K probabilities",
                (
                    "e^z of each sum over the sum of them all. What is added to every z changes nothing, and two "
                    "classes give the sigmoid of the difference.",
                ),
                figures={"softmax": softmax_picture()},
            ),
        ),
    )


def functions() -> Figure:
    figure, axes = canvas.panels(1, len(ACTIVATIONS), width=2.3, height=2.7)
    for panel, (name, one) in zip(axes, ACTIVATIONS.items(), strict=True):
        curve(panel, one.value(SUMS), ACCENT, "-", "value")
        curve(panel, one.slope(SUMS), SECOND, "--", "slope")
        panel.set(title=name, xlabel="z", xlim=(-4, 4), ylim=(-1.25, 2.25), yticks=[-1, 0, 1, 2])
        panel.axhline(0, color=canvas.FAINT, linewidth=0.8, zorder=0)
        panel.axvline(0, color=canvas.FAINT, linewidth=0.8, zorder=0)
    axes[0].legend(loc="upper left", fontsize=8)
    return figure


def curve(axes: Axes, values: np.ndarray, colour: str, style: str, label: str) -> None:
    """A line that breaks where the function jumps."""
    jumps = np.abs(np.diff(values, append=values[-1])) > 0.5
    axes.plot(SUMS, np.where(jumps, np.nan, values), color=colour, linestyle=style, linewidth=2, label=label)


def function_table() -> pd.DataFrame:
    rows = [(name, FORMULAS[name], *facts(one)) for name, one in ACTIVATIONS.items()]
    return pd.DataFrame(rows, columns=["name", "value", "least", "greatest", "slope at 0", "greatest slope"])


def facts(one: Activation) -> tuple[str, str, str, str]:
    slopes = one.slope(SUMS)
    return f"{one.range[0]:g}", f"{one.range[1]:g}", f"{one.slope(np.array(0.0)):g}", f"{slopes.max():g}"


def depth(seed: int) -> Figure:
    """One input through random layers of eight, linear and with tanh between them."""
    rng = np.random.default_rng(seed)
    first = rng.normal(0, 1.5, (1, 8)), rng.normal(0, 1.5, 8)
    second = rng.normal(0, 1, (8, 1)), rng.normal(0, 1, 1)
    x = SUMS[:, None]
    merged = merge_linear(first, second)
    figure, axes = canvas.panels(1, 2, width=3.6, height=3)
    axes[0].plot(SUMS, (x @ first[0] + first[1]) @ second[0] + second[1], color=ACCENT, linewidth=5, alpha=0.4)
    axes[0].plot(SUMS, x @ merged[0] + merged[1], color=INK, linestyle="--", linewidth=1.5)
    axes[0].legend(["two linear layers", "the one layer W V"], fontsize=8)
    axes[1].plot(SUMS, np.tanh(x @ first[0] + first[1]) @ second[0] + second[1], color=SECOND, linewidth=2)
    for panel, title in zip(axes, ("linear, then linear", "tanh, then linear"), strict=True):
        panel.set(title=title, xlabel="x", ylabel="output")
        panel.grid(alpha=0.25)
    return figure


def vanishing() -> Figure:
    """Product of the slopes over ten layers whose sums are all the same."""
    figure = blank(7, 3.4)
    axes = figure.add_subplot()
    layers = np.arange(11)
    cases = (("relu", 1.0), ("tanh", 1.0), ("sigmoid", 0.0), ("sigmoid", 2.0))
    for (name, z), colour in zip(cases, canvas.LINES, strict=True):
        slope = float(ACTIVATIONS[name].slope(np.array(z)))
        label = f"{name} at z = {z:g}: {slope:.3g} a layer"
        axes.plot(layers, slope**layers, color=colour, marker="o", markersize=4, label=label)
    axes.set(yscale="log", xlabel="layers", ylabel="product of the slopes", title="What is left of a gradient")
    axes.set_xticks(layers)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    return figure


def softmax_picture() -> Figure:
    """Sums and their probabilities, and how they answer when one sum grows."""
    figure, axes = canvas.panels(1, 2, width=3.6, height=3)
    sums = np.array([2.0, 1.0, 0.1])
    bars = axes[0].bar(["z = 2", "z = 1", "z = 0.1"], softmax(sums), color=canvas.LINES[:3])
    axes[0].bar_label(bars, fmt="%.3f", padding=2)
    axes[0].set(title="three sums, probabilities that add up to 1", ylim=(0, 1))
    grown = softmax(np.column_stack([SUMS + 1, np.full_like(SUMS, 1.0), np.full_like(SUMS, 0.1)]))
    for values, colour, label in zip(grown.T, canvas.LINES, ("the one that grows", "z = 1", "z = 0.1"), strict=False):
        axes[1].plot(SUMS + 1, values, color=colour, linewidth=2, label=label)
    axes[1].set(title="one sum grows, all answer", xlabel="z of the first class", ylim=(0, 1))
    axes[1].grid(alpha=0.25)
    axes[1].legend(fontsize=8)
    for panel in axes:
        panel.set_title(panel.get_title(), fontsize=10)
    return figure
