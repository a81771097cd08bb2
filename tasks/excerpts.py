"""Excerpts: what the texts of a dataset look like, as parts of its validation's report."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tasks import pictures, split

LETTERS = 120
"""Characters of an excerpt."""

PAIRS = 10
"""Pairs of texts that are shown beside one another."""

COLOURS = dict(zip(split.SPLITS, (pictures.ACCENT, pictures.MORE[0], pictures.SECOND), strict=True))


def parts(texts: pd.Series, table: pd.DataFrame, folder: Path) -> list[str]:
    """How long the texts are, what was found of them, some of each class, and some that are nearly the same.

    Args:
        table: a row for each text: label, split, and the columns of `texts.describe`.
        folder: beside which pictures are drawn.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        file = Path(scratch) / "lengths.png"
        lengths(table).savefig(file)
        shown = [pictures.picture(file, "Lengths of the texts")]
    shown += ["<h2>What was found of the texts</h2>", uncut(found(table))]
    shown += ["<h2>The first, shortest and longest texts of each class</h2>", uncut(of_each_class(texts, table))]
    pairs = alike(texts, table)
    if len(pairs):
        shown += ["<h2>Texts of which another split has nearly the same</h2>", uncut(pairs)]
    return shown


def lengths(table: pd.DataFrame) -> Figure:
    """How many texts of each split have how many words, the numbers of words by their logarithm."""
    figure = pictures.blank(7, 3)
    axes = figure.add_subplot()
    edges = np.geomspace(1, max(2, table["words"].max() + 1), 41)
    words = [np.maximum(1, table.loc[table["split"] == part, "words"]) for part in split.SPLITS]
    axes.hist(words, bins=edges.tolist(), stacked=True, color=list(COLOURS.values()), label=list(COLOURS))
    axes.set(xscale="log", xlabel="words of a text", ylabel="texts")
    axes.legend()
    return figure


def found(table: pd.DataFrame) -> pd.DataFrame:
    """How many texts have what no text should have, are in which language, and are nearly in another split."""
    counts = {
        "have a character U+FFFD, which stands for one that could not be read": table["replaced"] > 0,
        "have letters in UTF-8 that somebody read as Latin-1, such as Ã©": table["mojibake"] > 0,
        "have control characters": table["controls"] > 0,
        **{f"language: {name}": table["language"] == name for name in sorted(table["language"].unique())},
        "another split has nearly the same": table["near"].notna(),
    }
    rows = [(what, int(each.sum()), f"{each.mean():.2%}") for what, each in counts.items()]
    return pd.DataFrame(rows, columns=["what", "texts", "share"])


def of_each_class(texts: pd.Series, table: pd.DataFrame) -> pd.DataFrame:
    """A row for each class; without classes, one."""
    rows = []
    for label, words in table["words"].groupby(table["label"].fillna("")):
        chosen = {"first": words.index[0], "shortest": words.idxmin(), "longest": words.idxmax()}
        told = {name: f"{row}, {words[row]} words: {excerpt(texts[row])}" for name, row in chosen.items()}
        rows.append({"class": label, **told})
    return pd.DataFrame(rows)


def alike(texts: pd.Series, table: pd.DataFrame) -> pd.DataFrame:
    """The most similar pairs, each once: share of their runs of words, and of both the row, split and text."""
    near = table.dropna(subset="near").sort_values("near_share", ascending=False, kind="stable")
    pairs = dict.fromkeys(
        tuple(sorted((int(one), int(other)))) for one, other in zip(near.index, near["near"], strict=True)
    )
    rows = []
    for pair in list(pairs)[:PAIRS]:
        share = table.loc[list(pair), "near_share"].max()
        told = [f"{row}, {table['split'][row]}: {excerpt(texts[row])}" for row in pair]
        rows.append({"share": f"{share:.3f}", "text": told[0], "the other": told[1]})
    return pd.DataFrame(rows)


def excerpt(text: str) -> str:
    """The beginning of a text in one line, with a dot for whatever cannot be seen."""
    line = " ".join(text[: 10 * LETTERS].split())
    shown = "".join(letter if letter.isprintable() else "·" for letter in line[:LETTERS])
    return f"{shown}…" if len(line) > LETTERS else shown


def uncut(frame: pd.DataFrame) -> str:
    """A table whose texts are not cut."""
    with pd.option_context("display.max_colwidth", None):
        return pictures.table(frame)
