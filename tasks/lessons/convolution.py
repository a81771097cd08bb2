"""Convolution: the places of a window, padding, strides and pooling, and filters that find edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from models.fundamentals import convolution as conv
from tasks.lessons import Lesson, Section, canvas
from tasks.pictures import ACCENT, INK, SECOND

KERNEL = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]])

FILTERS = {
    "left edges": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8,
    "top edges": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]) / 8,
    "mean": np.full((3, 3), 1 / 9),
}
"""Sobel's two, which are positive where it grows brighter to the right or downwards, and a blur."""

SHOWN = (0, 1, 4, 7)

LAYERS = (
    ("input", 28, None, ""),
    ("convolution 3x3", 3, 1, "32 maps"),
    ("max pooling 2x2", 2, 2, ""),
    ("convolution 3x3", 3, 1, "64 maps"),
    ("max pooling 2x2", 2, 2, ""),
    ("convolution 3x3", 3, 1, "64 maps"),
)
"""The course's network for MNIST: name, window, stride, maps."""


def show(seed: int) -> Lesson:
    """The arithmetic on small grids, and on digits; `seed` is that of the generated grids and of the digits shown."""
    rng = np.random.default_rng(seed)
    grid, four = rng.integers(0, 3, (5, 5)), rng.integers(0, 10, (4, 4))
    return Lesson(
        "Convolution",
        (
            Section(
                "Nine places",
                (
                    "A window slides over the image. At each place the pixels under it are multiplied by the kernel "
                    "and added up: one number, large where the image looks like the kernel. A 3x3 window has nine "
                    "places on 5x5 pixels. The same nine weights serve everywhere, so a pattern is found wherever "
                    "it lies.",
                ),
                figures={"places": nine_places(grid)},
            ),
            Section(
                "Padding and strides",
                (
                    "Without padding (valid) a side of n pixels has floor((n - k) / s) + 1 places for a window of k "
                    "and a stride of s. With padding (same) zeros are put around the image so that there are ceil(n "
                    "/ s), as many as pixels where the stride is 1. Orange: the pixel in the window's middle at "
                    "each place.",
                ),
                figures={"padding_and_strides": padding_and_strides()},
                tables={"mnist_network": sizes_table()},
            ),
            Section(
                "Pooling",
                (
                    "A window of 2x2 with a stride of 2 keeps one number of four: the greatest, or the mean. What "
                    "follows sees twice as far, and a shift of a pixel matters less. There is nothing to learn.",
                ),
                figures={"pooling": pooling(four)},
            ),
            Section(
                "Filters",
                (
                    "Kernels chosen by hand on the handwritten digits of scikit-learn (8x8). Of the edges, orange "
                    "is positive, dark to bright, and blue negative. A convolutional network finds kernels such as "
                    "these by itself.",
                ),
                figures={"filters": filters(rng)},
            ),
        ),
    )


def as_batch(image: np.ndarray) -> np.ndarray:
    return image.astype(float)[None, :, :, None]


def convolved(image: np.ndarray, kernel: np.ndarray, padding: str = "valid") -> np.ndarray:
    return conv.convolve(as_batch(image), kernel.astype(float)[:, :, None, None], padding=padding)[0, :, :, 0]


def nine_places(grid: np.ndarray) -> Figure:
    """The window at each of its places, the kernel, and what comes out."""
    figure, axes = canvas.panels(3, 4, width=2.1, height=2.3, title="3x3 on 5x5, no padding: nine places")
    answer = convolved(grid, KERNEL)
    for place, (rows, columns) in enumerate(place for line in conv.places((5, 5), (3, 3)) for place in line):
        panel = axes[place + place // 3]
        canvas.cells(panel, grid, window_fill(grid.shape, rows, columns))
        outline(panel, rows.start, columns.start, 3, SECOND)
        panel.set_title(f"sum {answer.flat[place]:g}", fontsize=10)
    canvas.cells(axes[3], KERNEL, np.full(KERNEL.shape, "white"))
    axes[3].set_title("kernel", fontsize=10)
    axes[7].text(
        0.5, 0.5, "each pixel times\nthe kernel's number\nover it, added up", ha="center", va="center", color=INK
    )
    axes[7].axis("off")
    canvas.cells(axes[11], answer, np.full(answer.shape, "#f9d2b0"))
    axes[11].set_title("output, 3x3", fontsize=10)
    return figure


def window_fill(shape: tuple[int, ...], rows: slice, columns: slice) -> np.ndarray:
    """Colours of a grid's squares: those under the window stand out."""
    fill = np.full(shape, "#ffffff")
    fill[rows, columns] = "#f9d2b0"
    return fill


def outline(axes: Axes, row: float, column: float, size: float, colour: str) -> None:
    canvas.square(axes, row, column, "none", size=size, edgecolor=colour, linewidth=2.5, zorder=4)


def padding_and_strides() -> Figure:
    """Where the middle of a 3x3 window comes to lie on 5x5 pixels, by padding and stride."""
    figure, axes = canvas.panels(1, 4, width=2.5, height=2.8)
    cases = [("valid", 1), ("same", 1), ("valid", 2), ("same", 2)]
    for panel, (padding, stride) in zip(axes, cases, strict=True):
        draw_places(panel, padding, stride)
        places = conv.output_size(5, 3, stride=stride, padding=padding)
        panel.set_title(f"{padding}, stride {stride}: {places}x{places}", fontsize=10)
    return figure


def draw_places(axes: Axes, padding: str, stride: int) -> None:
    """Pixels, the zeros around them, the middles, and the window at its first place."""
    before, after = conv.margins(5, 3, stride=stride, padding=padding)
    whole = 5 + before + after
    for row, column in np.ndindex(whole, whole):
        inside = before <= row < before + 5 and before <= column < before + 5
        canvas.square(axes, row - before, column - before, "white" if inside else canvas.PALE)
        if not inside:
            axes.text(column - before + 0.5, row - before + 0.5, "0", ha="center", va="center", color=canvas.FAINT)
    grid = conv.places((whole, whole), (3, 3), strides=(stride, stride))
    for rows, columns in (place for line in grid for place in line):
        canvas.square(axes, rows.start + 1 - before, columns.start + 1 - before, "#f9d2b0")
    outline(axes, -before, -before, 3, ACCENT)
    canvas.frame(axes, (-1, 6), (-1, 6))


def sizes_table() -> pd.DataFrame:
    """Side of the maps after each layer of the course's network for MNIST."""
    rows, side = [], 0
    for name, window, stride, maps in LAYERS:
        side = window if stride is None else conv.output_size(side, window, stride=stride)
        rows.append((name, maps, f"{side}x{side}"))
    return pd.DataFrame(rows, columns=["layer of the course's MNIST network", "maps", "output"])


def pooling(grid: np.ndarray) -> Figure:
    """Four quarters, the greatest of each, and the mean of each."""
    figure, axes = canvas.panels(1, 3, width=2.6, height=2.8)
    colours = np.array([["#bcd3ee", "#f9d2b0"], ["#c6e6d3", "#e8cbe0"]])
    canvas.cells(axes[0], grid, colours.repeat(2, axis=0).repeat(2, axis=1))
    canvas.cells(axes[1], conv.max_pool(as_batch(grid))[0, :, :, 0], colours)
    canvas.cells(axes[2], conv.average_pool(as_batch(grid))[0, :, :, 0], colours)
    for panel, title in zip(axes, ("4x4", "max: 2x2", "mean: 2x2"), strict=True):
        panel.set_title(title, fontsize=10)
    for panel in axes[1:]:
        canvas.frame(panel, (-1, 3), (-1, 3))  # squares as large as those of the 4x4
    return figure


def filters(rng: np.random.Generator) -> Figure:
    """Some digits, and what each filter makes of them."""
    digits = load_digits()
    chosen = [digits.images[rng.choice(np.flatnonzero(digits.target == digit))] for digit in SHOWN]
    figure, axes = canvas.panels(len(chosen), 1 + len(FILTERS), width=2, height=1.9)
    for number, image in enumerate(chosen):
        line = axes[number * (1 + len(FILTERS)) :]
        line[0].imshow(image, cmap="gray", vmin=0, vmax=16)
        for panel, (name, kernel) in zip(line[1:], FILTERS.items(), strict=False):
            draw_answer(panel, convolved(image, kernel, "same"), signed=name != "mean")
    for panel, title in zip(axes, ("digit", *FILTERS), strict=False):
        panel.set_title(title, fontsize=10)
    for panel in axes:
        panel.set(xticks=[], yticks=[])
    return figure


def draw_answer(axes: Axes, answer: np.ndarray, *, signed: bool) -> None:
    if signed:
        axes.imshow(answer, cmap=canvas.SIGNED, vmin=-8, vmax=8)
    else:
        axes.imshow(answer, cmap="gray", vmin=0, vmax=16)
