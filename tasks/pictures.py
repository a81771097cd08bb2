"""How a step's results look: the plots and pages that several steps draw."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from tasks.importance import Importance

INK, ACCENT, SECOND = "#1f2430", "#2b6cb0", "#dd6b20"
MORE = ("#2f855a", "#805ad5", "#b83280", "#718096")
FAILED = "#9aa1ad"
SHADES = colormaps["Blues"]


def blank(width: float = 7, height: float = 4) -> Figure:
    """A figure of `width` by `height` inches, drawn without a display."""
    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def trials(table: pd.DataFrame, objective: str) -> Figure:
    """Score of each trial, in order, and the best so far."""
    figure = blank()
    axes = figure.add_subplot()
    axes.set(title="Search", xlabel="trial", ylabel=objective)
    if table.empty:
        axes.text(0.5, 0.5, "no search: the defaults are kept", ha="center", va="center", transform=axes.transAxes)
        return figure
    better = np.fmin if objective.endswith(("loss", "error")) else np.fmax
    scores = table["score"].to_numpy(dtype=float)
    axes.plot(table["trial"], scores, "o", color=ACCENT, label="trial")
    first = table[table["defaults"].astype(bool)]
    axes.plot(first["trial"], first["score"].astype(float), "o", ms=10, mfc="none", color=INK, label="the defaults")
    axes.step(table["trial"], better.accumulate(scores), where="post", color=SECOND, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


def space(table: pd.DataFrame, objective: str, importance: Importance) -> Figure:
    """Each trial as a line across its hyperparameters to its score, and how much each had to do with it.

    Args:
        table: of trials, as trials.csv has it.
        importance: of the hyperparameters that `table` varies; the greatest comes first.
    """
    names = list(importance.shares)
    if not names:
        figure = blank(7, 2.5)
        figure.suptitle("Space")
        text = "no search: the defaults are kept" if table.empty else "all trials have the same hyperparameters"
        figure.text(0.5, 0.45, text, ha="center", va="center")
        return figure
    figure = blank(5.4 + 1.5 * len(names), 4.6)
    left, right = figure.subplots(1, 2, width_ratios=[1 + 1.5 * len(names), 2.6])
    parallel(left, table, names, objective)
    bars(right, importance)
    return figure


def parallel(axes: Axes, table: pd.DataFrame, names: list[str], objective: str) -> None:
    """Parallel coordinates, the worst trials drawn first; trials without a score end before its axis."""
    smaller_is_better = objective.endswith(("loss", "error"))
    columns = {name: Coordinate.of(table[name]).with_none() for name in names}
    columns[objective] = Coordinate.of(table["score"].astype(float))
    heights = np.stack([one.heights for one in columns.values()], axis=1)
    goodness = 1 - heights[:, -1] if smaller_is_better else heights[:, -1]
    for row in np.argsort(np.nan_to_num(goodness, nan=-1), kind="stable"):
        failed = np.isnan(goodness[row])
        look = {"color": FAILED, "ls": ":"} if failed else {"color": SHADES(0.25 + 0.7 * goodness[row])}
        count = len(names) if failed else len(columns)
        axes.plot(range(count), heights[row, :count], lw=1.6, alpha=0.85, marker=".", **look)
    best = int(np.nanargmax(goodness)) if not np.isnan(goodness).all() else None
    if np.isnan(goodness).any():
        axes.plot([], [], color=FAILED, ls=":", label="failed")
    highlighted(axes, heights, best, np.flatnonzero(table["defaults"].astype(bool)))
    ruled(axes, columns)
    axes.set_title(f"{len(table)} trials, the better the darker", pad=26)


def highlighted(axes: Axes, heights: np.ndarray, best: int | None, defaults: np.ndarray) -> None:
    if best is not None:
        axes.plot(heights[best], color=SECOND, lw=3, marker="o", label="best", zorder=4)
    if len(defaults):
        last = heights[defaults[-1]]
        axes.plot(last, color=INK, lw=2, ls="--", marker="o", ms=4, label="the defaults", zorder=5)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3, frameon=False)


def ruled(axes: Axes, columns: dict[str, Coordinate]) -> None:
    """A vertical axis for each column, with its name above and its values beside it."""
    halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]
    for place, (name, column) in enumerate(columns.items()):
        axes.axvline(place, color=INK, lw=0.8, zorder=1)
        axes.text(place, 1.07, name, ha="center", va="bottom", weight="bold", fontsize=9)
        for height, text in column.ticks:
            axes.text(place + 0.04, height, text, va="center", fontsize=8, zorder=6, path_effects=halo)
    axes.set(xlim=(-0.2, len(columns) - 0.55), ylim=(-0.14, 1.05))
    axes.axis("off")


def bars(axes: Axes, importance: Importance) -> None:
    """A bar for each hyperparameter, the most important above."""
    names = list(importance.shares)
    shares = list(importance.shares.values())
    axes.barh(names, shares, height=min(0.6, 0.15 * len(names)), color=ACCENT)
    for place, share in enumerate(shares):
        axes.text(share + 0.02, place, f"{share:.0%}", va="center", fontsize=9)
    axes.set(xlim=(0, 1.18), ylim=(len(names) - 0.4, -0.6), xticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_title(f"Importance, {importance.trials} trials\n{importance.how}", fontsize=9, loc="left")


@dataclass(frozen=True)
class Coordinate:
    """Where on an axis from 0 to 1 each trial lies, and where values are written beside it."""

    heights: np.ndarray
    ticks: list[tuple[float, str]]

    @classmethod
    def of(cls, values: pd.Series) -> Coordinate:
        """Numbers by size, by logarithm where they span more than 30 times; other things evenly, sorted by name."""
        known = values.dropna()
        if any(isinstance(one, (str, bool, np.bool_)) for one in known):
            return cls.named(values.map(str, na_action="ignore"))
        numbers = values.astype(float).to_numpy()
        found = np.unique(numbers[~np.isnan(numbers)])
        if not len(found):
            return cls(numbers, [])
        scale = np.log if found[0] > 0 and found[-1] / found[0] > 30 else np.asarray
        low, high = scale(found[0]), scale(found[-1])
        heights = (scale(numbers) - low) / (high - low) if high > low else np.where(np.isnan(numbers), np.nan, 0.5)
        return cls(heights, cls.written(found, heights, numbers))

    def with_none(self) -> Coordinate:
        """The same with a place below all others for a trial that has no value."""
        if not np.isnan(self.heights).any():
            return self
        return Coordinate(np.nan_to_num(self.heights, nan=-0.12), [*self.ticks, (-0.12, "none")])

    @staticmethod
    def written(found: np.ndarray, heights: np.ndarray, numbers: np.ndarray) -> list[tuple[float, str]]:
        """The least and the greatest value, and of those between as many as there is room for."""
        order = {value: float(heights[np.flatnonzero(numbers == value)[0]]) for value in found}
        chosen = [found[0], found[-1]]
        for value in found[1:-1]:
            if all(abs(order[value] - order[other]) > 0.14 for other in chosen):
                chosen.append(value)
        texts = {value: f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" for value in chosen}
        return [(order[value], text) for value, text in texts.items()]

    @classmethod
    def named(cls, values: pd.Series) -> Coordinate:
        """Kinds, the lines at each a little apart so that they can be told from one another."""
        kinds = sorted(values.dropna().unique())
        where = {kind: (place + 0.5) / len(kinds) for place, kind in enumerate(kinds)}
        heights = values.map(where).to_numpy(dtype=float, copy=True)
        for kind in kinds:
            rows = np.flatnonzero(values == kind)
            heights[rows] += np.linspace(-0.5, 0.5, len(rows) + 2)[1:-1] * 0.4 / len(kinds)
        return cls(heights, [(height, kind) for kind, height in where.items()])


def learning_curves(history: pd.DataFrame) -> Figure:
    """One panel for each metric: its training and validation values by epoch."""
    names = [name for name in history.columns if name != "epoch" and not name.startswith("val_")]
    figure = blank(4.5 * len(names), 3.6)
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(1, len(names), number)
        axes.plot(history["epoch"], history[name], color=ACCENT, label="train")
        if f"val_{name}" in history:
            axes.plot(history["epoch"], history[f"val_{name}"], color=SECOND, label="validation")
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.legend()
    return figure


def sheet(images: np.ndarray, captions: list[str], title: str, columns: int = 8) -> Figure:
    """Images (N, H, W, C) of uint8 in rows of `columns`, each under its caption."""
    rows = max(1, -(-len(images) // columns))
    figure = blank(1.25 * columns, 1.5 * rows + 0.5)
    figure.suptitle(title)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        axes.set_title(caption, fontsize=7)
        axes.axis("off")
    return figure


def data_address(picture: Path) -> str:
    """The PNG or GIF file `picture` as a `data:` address, which needs no server."""
    return f"data:image/{picture.suffix[1:]};base64," + base64.b64encode(picture.read_bytes()).decode()


STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2430; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { border: 1px solid #d5dae2; padding: .3rem .7rem; text-align: left }
th { background: #f0f3f8 }
img { max-width: 100% }
"""


def page(title: str, *parts: str) -> str:
    """An HTML page of `parts` that needs nothing from a network."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def table(frame: pd.DataFrame) -> str:
    """`frame` as an HTML table, its texts escaped."""
    return str(frame.to_html(index=False, float_format=lambda value: f"{value:.4f}", border=0))


def escaped(text: str) -> str:
    """A text as a part of a page."""
    return html.escape(text)


def picture(file: Path, caption: str) -> str:
    """A PNG or GIF file as a part of a page."""
    return f'<h2>{html.escape(caption)}</h2><img src="{data_address(file)}" alt="{html.escape(caption)}">'
