"""Backpropagation: the course's worked example with all its numbers, the check of a gradient, and XOR learnt."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.fundamentals import backpropagation as bp
from models.fundamentals.backpropagation import EXAMPLE_ANSWER, EXAMPLE_INPUT, EXAMPLE_RATE, EXAMPLE_WEIGHTS
from models.fundamentals.perceptron import GATES, POINTS
from tasks.lessons import Lesson, Section, canvas
from tasks.pictures import ACCENT, INK, SECOND, blank

ANSWERS = GATES["XOR"][:, None]
RUNS = 10
EPOCHS = 4000
RATE = 2.0
TOLERANCE = 0.005

SHARES = (((0.62, 0.22), (0.25, 0.66), (0.25, 0.6)), ((0.4,), (0.4,), (0.4,)))
"""How far along its line each weight of the example is written, so that no two meet."""

Place = tuple[float, float]


def show(seed: int) -> Lesson:
    """The example by hand, then XOR; `seed` is that of the first of ten networks."""
    runs = {hidden: [learn(hidden, seed + number) for number in range(RUNS)] for hidden in (2, 3)}
    return Lesson(
        "Backpropagation",
        (
            Section(
                "The worked example",
                (
                    "Two inputs, two hidden units, one output, all sigmoid; the error is half the squared distance "
                    "from the right answer 0.01. Forward, each unit adds up its inputs times the weights (z) and bends "
                    "the sum (a). Backward, each unit gets its delta, dE/dz: the output's from the error, a hidden "
                    "unit's from the delta above it, times the weight between them, times its own slope a (1 - a).",
                    "A weight's gradient is what went in times the delta at its end, and the new weight is the old one "
                    "less half of that (the learning rate is 0.5).",
                ),
                figures={"worked_example": worked_example()},
                tables={"worked_example": example_table()},
            ),
            Section(
                "Three misprints of the slides",
                (
                    "They multiply the first layer's gradient by the output's delta once more, although the hidden "
                    "delta holds it already; the number they print, 6.6835e-04, is what the right formula gives but "
                    "for rounding. They put a minus before the sigmoid's slope, which is positive. And they round "
                    "the gradient before the update: 0.3590 should be 0.3589.",
                ),
            ),
            Section(
                "Is the gradient right?",
                (
                    "Change one weight a little up and a little down, and see what the error does: the naive way, two "
                    "passes for each weight. It is how a gradient is checked. Too large a change measures a chord "
                    "instead of the slope, too small a one drowns in rounding.",
                ),
                figures={"gradient_check": gradient_check()},
                tables={"ways": ways_table()},
            ),
            Section(
                "XOR, learnt",
                (
                    f"The loop: forward, error, backward, update, until the error is below {TOLERANCE} or {EPOCHS} "
                    "epochs are over. Two hidden units are enough to hold XOR, but some starts end in a valley that "
                    "leads nowhere; a third unit leaves a way out.",
                ),
                figures={"errors": errors(runs), "answers": growing(seed)},
                tables={"runs": runs_table(runs)},
            ),
        ),
    )


def learn(hidden: int, seed: int, epochs: int = EPOCHS) -> bp.Trained:
    start = bp.initial((2, hidden, 1), seed=seed)
    return bp.train(POINTS, ANSWERS, start, rate=RATE, epochs=epochs, tolerance=TOLERANCE)


def worked_example() -> Figure:
    """The network of the example, with what goes forward in blue and what comes back in orange."""
    gone = bp.forward(EXAMPLE_INPUT, EXAMPLE_WEIGHTS)
    figure = blank(11, 6.2)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.75, 9.6), ylim=(-0.75, 4.65), aspect="equal")
    axes.axis("off")
    columns = ([(0.0, 3.4), (0.0, 1.6), (0.0, -0.2)], [(4.2, 3.4), (4.2, 1.6), (4.2, -0.2)], [(8.4, 2.5)])
    draw_weights(axes, columns, bp.backward(EXAMPLE_ANSWER, gone, EXAMPLE_WEIGHTS))
    draw_units(axes, columns, gone)
    axes.text(8.4, 4.45, f"E = {bp.half_squared_error(EXAMPLE_ANSWER, gone.output):.10f}", ha="center", color=INK)
    axes.text(8.4, 4.1, f"right answer {EXAMPLE_ANSWER[0, 0]:g}", ha="center", color=INK, fontsize=9)
    axes.text(0, 4.45, "forward", color=ACCENT, ha="center", fontweight="bold")
    axes.text(0, 4.15, "backward", color=SECOND, ha="center", fontweight="bold")
    return figure


def draw_weights(axes: Axes, columns: tuple[list[Place], ...], gradients: bp.Weights) -> None:
    """Every weight as a line, with its value, its gradient and its value after the update."""
    after = bp.update(EXAMPLE_WEIGHTS, gradients, rate=EXAMPLE_RATE)
    for layer, w in enumerate(EXAMPLE_WEIGHTS):
        for i, j in np.ndindex(*w.shape):
            start, end = columns[layer][i], columns[layer + 1][j]
            axes.plot(*zip(start, end, strict=True), color=canvas.FAINT, linewidth=1.2, zorder=1)
            numbers = (f"{w[i, j]:g}", f"{gradients[layer][i, j]:.7f}", f"{after[layer][i, j]:.7f}")
            write_on(axes, start, end, numbers, share=SHARES[layer][i][j])


def write_on(axes: Axes, start: Place, end: Place, numbers: tuple[str, str, str], *, share: float) -> None:
    """A weight's three numbers over its line, at a `share` of the way."""
    x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    value, gradient, after = numbers
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.text(x, y + 0.13, f"w {value}", color=ACCENT, fontsize=8, ha="center", va="center", bbox=box, zorder=2)
    text = f"dE/dw {gradient}\nnew {after}"
    axes.text(x, y - 0.13, text, color=SECOND, fontsize=7, ha="center", va="center", bbox=box, zorder=2)


def draw_units(axes: Axes, columns: tuple[list[Place], ...], gone: bp.Pass) -> None:
    """Inputs, hidden units and the output, each with its sum, its activation and its delta."""
    found = bp.deltas(EXAMPLE_ANSWER, gone, EXAMPLE_WEIGHTS)
    outputs = (gone.inputs[0], gone.inputs[1], gone.output)
    for layer, (places, values) in enumerate(zip(columns, outputs, strict=True)):
        for unit, (place, value) in enumerate(zip(places, values[0], strict=True)):
            is_bias = layer < 2 and unit == len(places) - 1
            draw_unit(axes, place, "1" if is_bias else f"{value:.4f}" if layer else f"{value:g}", pale=is_bias)
            if layer and not is_bias:
                z, delta = gone.sums[layer - 1][0, unit], found[layer - 1][0, unit]
                name = f"z {z:.10f}\na {value:.10f}"
                axes.text(place[0], place[1] + 0.5, name, color=ACCENT, fontsize=8, ha="center", va="bottom")
                axes.text(
                    place[0], place[1] - 0.5, f"delta {delta:.10f}", color=SECOND, fontsize=8, ha="center", va="top"
                )


def draw_unit(axes: Axes, place: Place, text: str, *, pale: bool) -> None:
    colour = canvas.PALE if pale else "white"
    axes.plot(*place, marker="o", markersize=40, color=colour, markeredgecolor=INK, markeredgewidth=1.4, zorder=3)
    axes.text(*place, text, ha="center", va="center", color=INK, fontsize=9, zorder=4)


def example_table() -> pd.DataFrame:
    """Each number of the example, to ten digits, and what the slides print."""
    gone = bp.forward(EXAMPLE_INPUT, EXAMPLE_WEIGHTS)
    hidden, output = bp.deltas(EXAMPLE_ANSWER, gone, EXAMPLE_WEIGHTS)
    first, second = bp.backward(EXAMPLE_ANSWER, gone, EXAMPLE_WEIGHTS)
    first_after, second_after = bp.update(EXAMPLE_WEIGHTS, (first, second), rate=EXAMPLE_RATE)
    rows = [
        ("hidden sums z1", gone.sums[0][0], ""),
        ("hidden activations a1", gone.inputs[1][0, :2], "0.5933"),
        ("output a2", gone.output[0], "0.7514"),
        ("error E", [bp.half_squared_error(EXAMPLE_ANSWER, gone.output)], ""),
        ("output's delta", output[0], "0.1385"),
        ("dE/dw, second layer", second[:2, 0], "0.0822"),
        ("new w, second layer", second_after[:2, 0], "0.3590 (rounded on the way)"),
        ("hidden deltas", hidden[0], "0.1385 * 0.0965"),
        ("dE/dw11, first layer", first[0, :1], "6.6835e-04 (rounded on the way)"),
        ("new w11, first layer", first_after[0, :1], "0.1497"),
    ]
    shown = [(name, ", ".join(f"{value:.10f}" for value in values), printed) for name, values, printed in rows]
    return pd.DataFrame(shown, columns=["what", "value", "slides"])


def gradient_check() -> Figure:
    """Greatest difference between backpropagation and finite differences, by the size of the change."""
    gone = bp.forward(EXAMPLE_INPUT, EXAMPLE_WEIGHTS)
    exact = bp.backward(EXAMPLE_ANSWER, gone, EXAMPLE_WEIGHTS)
    steps = 10.0 ** np.arange(-12, 0.5, 0.5)
    tried = [bp.finite_differences(EXAMPLE_INPUT, EXAMPLE_ANSWER, EXAMPLE_WEIGHTS, step=step) for step in steps]
    off = [max(float(np.abs(a - b).max()) for a, b in zip(exact, one, strict=True)) for one in tried]
    figure = blank(7, 3.4)
    axes = figure.add_subplot()
    axes.loglog(steps, off, color=ACCENT, marker="o", markersize=4)
    axes.set(
        xlabel="change of the weight", ylabel="greatest difference", title="Finite differences against backpropagation"
    )
    axes.text(1e-11, 2e-8, "rounding", color=SECOND)
    axes.text(3e-3, 1e-5, "chord, not slope", color=SECOND, ha="right")
    axes.grid(alpha=0.25)
    return figure


def ways_table() -> pd.DataFrame:
    """What one update of the example costs, and what it brings, by each way of the lesson."""
    weights = sum(w.size for w in EXAMPLE_WEIGHTS)
    gone = bp.forward(EXAMPLE_INPUT, EXAMPLE_WEIGHTS)
    naive = bp.naive_update(EXAMPLE_INPUT, EXAMPLE_ANSWER, EXAMPLE_WEIGHTS, step=0.01)
    tried = bp.finite_differences(EXAMPLE_INPUT, EXAMPLE_ANSWER, EXAMPLE_WEIGHTS)
    chain = bp.backward(EXAMPLE_ANSWER, gone, EXAMPLE_WEIGHTS)
    rows = [
        ("naive: each weight by 0.01, kept if better", f"{weights + 1} to {2 * weights + 1} forward", naive),
        ("finite differences", f"{2 * weights} forward", bp.update(EXAMPLE_WEIGHTS, tried, rate=EXAMPLE_RATE)),
        ("backpropagation", "1 forward, 1 backward", bp.update(EXAMPLE_WEIGHTS, chain, rate=EXAMPLE_RATE)),
    ]
    found = [(way, passes, f"{bp.error(EXAMPLE_INPUT, EXAMPLE_ANSWER, after):.10f}") for way, passes, after in rows]
    return pd.DataFrame(found, columns=[f"one update of {weights} weights", "passes", "error after it"])


def errors(runs: dict[int, list[bp.Trained]]) -> Figure:
    """Error by epoch of every run, by number of hidden units."""
    figure, axes = canvas.panels(1, len(runs), width=3.8, height=3)
    for panel, (hidden, trained) in zip(axes, runs.items(), strict=True):
        for one in trained:
            panel.semilogy(one.errors, color=ACCENT if one.converged else SECOND, linewidth=1.2)
        learnt = sum(one.converged for one in trained)
        panel.set(
            title=f"{hidden} hidden units: {learnt} of {RUNS} learnt", xlabel="epoch", ylim=(TOLERANCE / 1.3, 0.4)
        )
        panel.set_xlim(0, EPOCHS)
        panel.grid(alpha=0.25)
    axes[0].set_ylabel("half squared error")
    return figure


def growing(seed: int) -> Figure:
    """What a network of three hidden units answers over the plane, as it learns."""
    last = learn(3, seed).epochs
    figure, axes = canvas.panels(1, 4, width=2.4, height=2.6, title="Three hidden units: what is answered where")
    for panel, epochs in zip(axes, (0, last // 3, 2 * last // 3, last), strict=True):
        canvas.answers(panel, partial(answered, learn(3, seed, epochs).weights))
        canvas.points(panel, POINTS, GATES["XOR"])
        panel.set_title(f"after {epochs} epochs", fontsize=9)
    return figure


def answered(weights: bp.Weights, x: np.ndarray) -> np.ndarray:
    return bp.forward(x, weights).output


def runs_table(runs: dict[int, list[bp.Trained]]) -> pd.DataFrame:
    rows = [
        (f"2-{hidden}-1", f"{sum(map(is_right, trained))} of {RUNS}", int(np.median([one.epochs for one in trained])))
        for hidden, trained in runs.items()
    ]
    return pd.DataFrame(rows, columns=["network", "four answers right", "median of the epochs"])


def is_right(trained: bp.Trained) -> bool:
    return bool(((answered(trained.weights, POINTS) > 0.5) == ANSWERS).all())
