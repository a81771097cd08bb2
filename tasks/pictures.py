"""How a step's results look: the plots and pages that several steps draw."""

from __future__ import annotations

import base64
import html
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK, ACCENT, SECOND = "#1f2430", "#2b6cb0", "#dd6b20"
MORE = ("#2f855a", "#805ad5", "#b83280", "#718096")


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
    axes.step(table["trial"], better.accumulate(scores), where="post", color=SECOND, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


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
    """The PNG file `picture` as a `data:` address, which needs no server."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


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
    """A PNG file as a part of a page."""
    return f'<h2>{html.escape(caption)}</h2><img src="{data_address(file)}" alt="{html.escape(caption)}">'
