"""Optimisers: nine ways to follow the same gradient through the same valley, and what the learning rate does."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.fundamentals.optimisers import RULES, descend, sgd
from tasks.lessons import Lesson, Section, canvas
from tasks.pictures import ACCENT, INK, SECOND

CURVATURES = np.array([1.0, 20.0])
STEPS = 60
VIEW = ((-4.8, 1.6), (-2.2, 2.2))

SETTINGS = {
    "SGD": {"learning_rate": 0.08},
    "momentum": {"learning_rate": 0.02, "momentum": 0.8},
    "Nesterov": {"learning_rate": 0.02, "momentum": 0.8},
    "Adagrad": {"learning_rate": 1.0},
    "RMSprop": {"learning_rate": 0.1},
    "Adadelta": {"learning_rate": 1.0, "epsilon": 1e-2},
    "Adam": {"learning_rate": 0.3},
    "Adamax": {"learning_rate": 0.4},
    "Ftrl": {"learning_rate": 1.0},
}
"""Chosen so that each rule shows its manner within the picture; a race of them would prove nothing."""

UPDATES = {
    "SGD": "w - rate g",
    "momentum": "v = m v - rate g;  w + v",
    "Nesterov": "v = m v - rate g;  w + m v - rate g",
    "Adagrad": "s = s + g^2;  w - rate g / sqrt(s)",
    "RMSprop": "s = rho s + (1 - rho) g^2;  w - rate g / sqrt(s)",
    "Adadelta": "as RMSprop, times the root mean square of its own past steps",
    "Adam": "m, s running means of g and g^2, corrected;  w - rate m / sqrt(s)",
    "Adamax": "m as Adam, u greatest |g| of late;  w - rate m / u",
    "Ftrl": "the w that would have been best for all gradients so far, regularised",
}


def show(seed: int) -> Lesson:
    """Paths over a long valley; `seed` turns the start a little."""
    start = np.array([-4.0, 1.6]) + np.random.default_rng(seed).uniform(-0.1, 0.1, 2)
    paths = {name: descend(slope, start, rule, steps=STEPS, **SETTINGS[name]) for name, rule in RULES.items()}
    return Lesson(
        "Optimisers",
        (
            Section(
                "One valley, nine ways down",
                (
                    "The error of two weights is a valley twenty times as steep across as along. The gradient "
                    "points across it, hardly ever at the lowest point (the star). Plain gradient descent (SGD, or "
                    "GradientDescent) zigzags; momentum gathers speed along the valley; Adagrad and those after it "
                    "give each weight a rate of its own, so that both come down alike.",
                    "The rates are chosen to show each rule's manner, and say nothing about which is best.",
                ),
                figures={"paths": path_sheet(paths), "errors": errors(paths)},
                tables={"rules": rules_table(paths)},
            ),
            Section(
                "The learning rate",
                (
                    "Too low and it crawls; higher and it is quick; near 2 over the greatest curvature (here 0.1) it "
                    "swings from side to side, and beyond that every step leads further away.",
                ),
                figures={"learning_rates": learning_rates(start)},
            ),
        ),
    )


def valley(weights: np.ndarray) -> np.ndarray:
    """1/2 (w1^2 + 20 w2^2) of weights (..., 2)."""
    return np.asarray(0.5 * np.sum(CURVATURES * weights**2, axis=-1))


def slope(weights: np.ndarray) -> np.ndarray:
    return np.asarray(CURVATURES * weights)


def path_sheet(paths: dict[str, np.ndarray]) -> Figure:
    """One panel for each rule: the same valley from above, and its path."""
    figure, axes = canvas.panels(3, 3, width=3.3, height=2.4)
    for panel, (name, path) in zip(axes, paths.items(), strict=True):
        draw_path(panel, path)
        panel.set_title(f"{name}, rate {SETTINGS[name]['learning_rate']:g}", fontsize=10)
    return figure


def draw_path(axes: Axes, path: np.ndarray) -> None:
    """Lines of equal error, the path over them, where it starts (disc) and what is lowest (star)."""
    x, y = canvas.lattice(*VIEW)
    levels = np.geomspace(0.1, valley(path[:1])[0] * 1.6, 9)
    axes.contour(x, y, canvas.over_plane(valley, x, y), levels=levels, colors=canvas.FAINT, linewidths=0.8)
    axes.plot(*path.T, color=ACCENT, marker=".", markersize=4, linewidth=1.2)
    axes.plot(*path[0], "o", color=INK, markersize=6)
    axes.plot(0, 0, "*", color=SECOND, markersize=12, zorder=3)
    axes.set(xlim=VIEW[0], ylim=VIEW[1], xlabel="w1", ylabel="w2")


def errors(paths: dict[str, np.ndarray]) -> Figure:
    """Error by step of every rule, three to a panel."""
    figure, axes = canvas.panels(1, 3, width=3.3, height=2.9, title="Error by step")
    names = list(paths)
    for number, panel in enumerate(axes):
        for name, colour in zip(names[3 * number : 3 * number + 3], canvas.LINES, strict=False):
            panel.semilogy(valley(paths[name]), color=colour, label=name)
        panel.set(xlabel="step", ylim=(1e-6, 1e2))
        panel.grid(alpha=0.25)
        panel.legend(fontsize=8)
    axes[0].set_ylabel("error")
    return figure


def rules_table(paths: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = [
        (name, UPDATES[name], f"{SETTINGS[name]['learning_rate']:g}", f"{valley(path[-1]):.1e}")
        for name, path in paths.items()
    ]
    return pd.DataFrame(rows, columns=["rule", "new w, from the gradient g", "rate here", f"error after {STEPS} steps"])


def learning_rates(start: np.ndarray) -> Figure:
    """Plain gradient descent at four rates."""
    figure, axes = canvas.panels(1, 4, width=2.7, height=2.6, title="Gradient descent, 12 steps")
    for panel, (rate, word) in zip(
        axes, ((0.01, "too low"), (0.05, "well"), (0.095, "swings"), (0.103, "diverges")), strict=True
    ):
        draw_path(panel, descend(slope, start, sgd, steps=12, learning_rate=rate))
        panel.set_title(f"rate {rate:g}: {word}", fontsize=10)
    return figure
