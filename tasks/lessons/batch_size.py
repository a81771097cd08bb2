"""Batch size: how many updates an epoch has, how noisy each is, what it costs in memory, and where that leads."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.fundamentals import batches
from models.fundamentals.batches import Descent
from tasks.lessons import Lesson, Section, canvas
from tasks.pictures import ACCENT, INK, SECOND, blank

SAMPLES = 256
SIZES = (1, 4, 16, 64, 256)
START = np.array([-1.0, 0.0])
RATE = 0.1
EPOCHS, UPDATES = 60, 250
"""How far the curves go, by epoch and by update."""

DECAY = 0.01
"""Of the falling rate: half of it after 100 updates."""

SHOWN = (1, 16, 256)
DRAWS = 1000

Points = tuple[np.ndarray, np.ndarray]

LOGS = (("MNIST", 54_000, 128), ("CIFAR-10", 40_000, 32), ("Don Quijote, characters", 103_718, 128))
"""The course's own trainings: samples and batch size."""


def show(seed: int) -> Lesson:
    """A line through generated points by gradient descent; `seed` is that of the points and of their order."""
    points = batches.generated_line(SAMPLES, seed=seed)
    done = {size: descend(points, size, seed) for size in SIZES}
    return Lesson(
        "Batch size",
        (
            Section(
                "Updates in an epoch",
                (
                    "An epoch shows every sample once, and each batch makes one update: ceil(N / B) of them, as the "
                    "last batch takes what is left. The slides round down; the logs of their own trainings do not.",
                ),
                tables={"steps": steps_table()},
            ),
            Section(
                "Noise",
                (
                    "A batch's gradient is the mean of its samples' gradients, a guess at that of all samples. How far "
                    "off it is falls like 1 / sqrt(B): four times the batch, half the noise, four times the work. The "
                    "full batch has none, because no sample is left out.",
                ),
                figures={"noise": noise(points, seed)},
            ),
            Section(
                "Paths",
                (
                    f"A straight line through {SAMPLES} generated points has two weights, so its error is a bowl. One "
                    "sample at a time goes down at once and then trembles around the lowest point; the full batch goes "
                    "straight, one step an epoch. All three have the same learning rate and the same three epochs.",
                ),
                figures={"paths": paths(points, done)},
            ),
            Section(
                "By epoch, by update",
                (
                    "For the same epochs small batches are ahead at first, because they update more often. Update by "
                    "update all go down alike, until the noise of the small ones keeps them where they are; but an "
                    "update costs B samples. So with a constant learning rate a batch in between is ahead in the end. "
                    "A rate that falls (dashed) brings even single samples to rest.",
                ),
                figures={"errors": errors(points, done, descend(points, 1, seed, DECAY))},
                tables={"sizes": sizes_table(points, done)},
            ),
            Section(
                "Memory",
                (
                    "What has to be in memory grows with the batch: its samples, and every activation of theirs. It is "
                    "the full batch that runs out of memory, not the single sample. In practice one takes a power of "
                    "two between the two ends.",
                ),
                tables={"memory": memory_table()},
            ),
        ),
    )


def descend(points: Points, size: int, seed: int, decay: float = 0.0) -> Descent:
    rng = np.random.default_rng(seed)
    epochs = max(EPOCHS, -(-UPDATES // batches.steps_per_epoch(SAMPLES, size)))
    return batches.descend(*points, START, batch=size, epochs=epochs, rate=RATE, rng=rng, decay=decay)


def steps_table() -> pd.DataFrame:
    rows = [
        (name, samples, batch, f"{samples / batch:.2f}", int(samples / batch), batches.steps_per_epoch(samples, batch))
        for name, samples, batch in LOGS
    ]
    return pd.DataFrame(
        rows, columns=["training", "N", "B", "N / B", "int, as the slides have it", "ceil, as the logs have it"]
    )


def noise(points: Points, seed: int) -> Figure:
    """Distance of a batch's gradient from the full one, worked out and measured."""
    x, y = points
    rng = np.random.default_rng(seed)
    sizes = [2**power for power in range(8)]
    expected = [batches.expected_noise(x, y, START, batch=size) for size in sizes]
    measured = [batches.measured_noise(x, y, START, batch=size, draws=DRAWS, rng=rng) for size in sizes]
    figure = blank(7, 3.4)
    axes = figure.add_subplot()
    axes.loglog(sizes, expected[0] / np.sqrt(sizes), "--", color=canvas.FAINT, label="1 / sqrt(B)")
    axes.loglog(sizes, expected, color=ACCENT, label="worked out: no sample twice in a batch")
    axes.loglog(sizes, measured, "o", color=SECOND, label=f"measured on {DRAWS} batches")
    axes.set(title="Noise of a batch's gradient", xlabel="batch size B", ylabel="distance from the full gradient")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_yticks([0.25, 0.5, 1, 2], ["1/4", "1/2", "1", "2"])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.legend()
    return figure


def lowest(points: Points) -> np.ndarray:
    """The weights of the least error."""
    return np.asarray(np.linalg.lstsq(*points, rcond=None)[0])


def paths(points: Points, done: dict[int, Descent]) -> Figure:
    """The bowl from above, and three epochs of three batch sizes."""
    figure, axes = canvas.panels(1, len(SHOWN), width=3.4, height=3.2)
    x, y = canvas.lattice((-1.3, 1.9), (-0.4, 2.9), 81)
    height = canvas.over_plane(lambda weights: np.array([batches.error(*points, one) for one in weights]), x, y)
    best = lowest(points)
    for panel, size in zip(axes, SHOWN, strict=True):
        path = done[size].path[: 3 * done[size].steps + 1]
        panel.contour(
            x,
            y,
            height,
            levels=np.geomspace(height.min() * 1.05, height.max(), 10),
            colors=canvas.FAINT,
            linewidths=0.8,
        )
        panel.plot(*path.T, color=ACCENT, marker=".", markersize=4, linewidth=0.8)
        panel.plot(*START, "o", color=INK)
        panel.plot(*best, "*", color=SECOND, markersize=13, zorder=3)
        panel.set(title=f"batch of {size}: {len(path) - 1} updates", xlabel="bias")
        panel.set_title(panel.get_title(), fontsize=10)
    axes[0].set_ylabel("slope")
    return figure


def above(points: Points, path: np.ndarray) -> np.ndarray:
    """How much the error is above the least one, by update."""
    least = batches.error(*points, lowest(points))
    return np.array([batches.error(*points, weights) - least for weights in path])


def by_epoch(points: Points, descent: Descent) -> np.ndarray:
    """The same at the start and after each epoch."""
    return above(points, descent.path[: EPOCHS * descent.steps + 1 : descent.steps])


def errors(points: Points, done: dict[int, Descent], falling: Descent) -> Figure:
    """Error by epoch, and error by update; `falling` is one sample at a time with a falling rate."""
    figure, axes = canvas.panels(1, 2, width=4.2, height=3.4)
    for (size, descent), colour in zip(done.items(), (*canvas.LINES, INK), strict=True):
        axes[0].semilogy(by_epoch(points, descent), color=colour, label=f"B = {size}")
        axes[1].semilogy(above(points, descent.path[: UPDATES + 1]), color=colour)
    axes[0].semilogy(by_epoch(points, falling), "--", color=ACCENT, label="B = 1, falling rate")
    axes[1].semilogy(above(points, falling.path[: UPDATES + 1]), "--", color=ACCENT)
    for panel, unit, last in zip(axes, ("epoch", "update"), (EPOCHS, UPDATES), strict=True):
        panel.set(title=f"by {unit}", xlabel=unit, xlim=(0, last), ylim=(1e-7, 5))
        panel.grid(alpha=0.25)
    axes[0].set_ylabel("error above the least one")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    return figure


def sizes_table(points: Points, done: dict[int, Descent]) -> pd.DataFrame:
    rows = [
        (
            size,
            descent.steps,
            f"{batches.expected_noise(*points, START, batch=size):.3f}",
            f"{above(points, descent.path[descent.steps : descent.steps + 1])[0]:.1e}",
            f"{above(points, descent.path[(EPOCHS - 10) * descent.steps + 1 : EPOCHS * descent.steps + 1]).mean():.1e}",
        )
        for size, descent in done.items()
    ]
    names = ["B", "updates an epoch", "noise at the start", "error above the least after 1 epoch"]
    return pd.DataFrame(rows, columns=[*names, f"mean of epochs {EPOCHS - 9} to {EPOCHS}"])


def memory_table() -> pd.DataFrame:
    """Size of one batch of MNIST's images in float32, and of the 512 activations of a hidden layer."""
    rows = [(size, f"{size * 784 * 4 / 2**20:.3f}", f"{size * 512 * 4 / 2**20:.3f}") for size in (1, 128, 54_000)]
    return pd.DataFrame(rows, columns=["B", "MiB of images (28 x 28, float32)", "MiB of one layer's 512 activations"])
