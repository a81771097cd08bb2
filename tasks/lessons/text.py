"""Texts as numbers: the tokenizer, one-hot encoding and what it cannot say, n-grams, bags of words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.fundamentals import text
from tasks.lessons import Lesson, Section, canvas
from tasks.pictures import ACCENT

SENTENCES = ("En un rincón de la mancha", "De cuyo nombre no quiero acordarme")
ANIMALS = ("zebra", "horse", "school", "summer")
WORD = "dogs"
ORDERS = ("the dog bites the man", "the man bites the dog", "a dog bites a dog")
TABLE = np.array([[17, 24, 1], [23, 5, 7], [4, 6, 13], [10, 12, 19], [11, 18, 25]])
"""Five words' rows of three numbers."""

LOOKED_UP = 3


def show(seed: int) -> Lesson:
    """Small texts as numbers; nothing is random, whatever the `seed`."""
    del seed
    return Lesson(
        "Texts as numbers",
        (
            Section(
                "A number for each word",
                (
                    "A text is cut into words, lower case, without marks. The most frequent word gets 1, and among "
                    "equals the one that came first; 0 stands for none. Here only `de` comes twice.",
                ),
                tables={"index": index_table(), "sequences": sequences_table()},
            ),
            Section(
                "One-hot encoding",
                (
                    "A number says that 3 is nearer to 4 than to 11, which is nonsense of words. As a row that is 1 at "
                    "the word's place and 0 elsewhere, every word is as far from every other: the square root of 2. So "
                    "nothing is said of zebra and horse being more alike than zebra and summer, and a row is as long "
                    "as the vocabulary. The two sentences are an array of 2 x 6 x 12.",
                ),
                figures={"one_hot": one_hot_figure()},
                tables={"animals": rows_table(), "distances": distances_table()},
            ),
            Section(
                "Looking up",
                (
                    "A one-hot row times a table of weights is one of the table's rows. An embedding layer looks the "
                    "row up without the multiplication; the table is learnt like any weights.",
                ),
                tables={"looked_up": lookup_table()},
            ),
            Section(
                "N-grams",
                ("Neighbours taken together, of characters or of words: one, two, three at a time.",),
                tables={"characters": characters_table(), "words": words_table()},
            ),
            Section(
                "Bags of words",
                (
                    "How often each word occurs, wherever it stands: what regression and random forests take. The "
                    "first two sentences tell of different bites and are the same bag; with pairs of words they no "
                    "longer are, and there are 12 columns for 5.",
                ),
                figures={"bags": bags_figure()},
                tables={"bag_of_words": bag_table((1,)), "bag_with_pairs": bag_table((1, 2))},
            ),
        ),
    )


def index_table() -> pd.DataFrame:
    numbers = text.index(SENTENCES)
    return pd.DataFrame({"word": list(numbers), "number": list(numbers.values())})


def sequences_table() -> pd.DataFrame:
    found = text.sequences(SENTENCES, text.index(SENTENCES))
    return pd.DataFrame({"sentence": SENTENCES, "numbers": [", ".join(map(str, row)) for row in found]})


def encoded() -> np.ndarray:
    """The sentences one-hot, int (2, 6, 12)."""
    numbers = text.index(SENTENCES)
    return text.one_hot(np.array(text.sequences(SENTENCES, numbers)), len(numbers) + 1)


def one_hot_figure() -> Figure:
    """A grid for each sentence: words downwards, numbers to the right."""
    figure, axes = canvas.panels(1, 2, width=4.6, height=2.9, title="One-hot: a row for each word")
    for panel, sentence, rows in zip(axes, SENTENCES, encoded(), strict=True):
        canvas.cells(panel, rows, np.where(rows, "#bcd3ee", "#ffffff"))
        for row, word in enumerate(text.words(sentence)):
            panel.text(-0.2, row + 0.5, word, ha="right", va="center", fontsize=9)
    return figure


def rows_table() -> pd.DataFrame:
    rows = text.one_hot(np.arange(len(ANIMALS)), len(ANIMALS))
    return pd.DataFrame({"word": ANIMALS, "row": [" ".join(map(str, row)) for row in rows]})


def distances_table() -> pd.DataFrame:
    far = text.distances(text.one_hot(np.arange(len(ANIMALS)), len(ANIMALS)))
    return pd.DataFrame(far.round(4), columns=ANIMALS).assign(to=ANIMALS)


def lookup_table() -> pd.DataFrame:
    row = text.one_hot(np.array([LOOKED_UP]), len(TABLE))
    shown = {"one-hot row": row[0], "times the table": text.looked_up(row, TABLE)[0], "its row 3": TABLE[LOOKED_UP]}
    return pd.DataFrame({"what": list(shown), "numbers": [" ".join(map(str, one)) for one in shown.values()]})


def characters_table() -> pd.DataFrame:
    found = [", ".join("".join(one) for one in text.ngrams(WORD, size)) for size in (1, 2, 3)]
    return pd.DataFrame({"characters": [1, 2, 3], f"n-grams of {WORD}": found})


def words_table() -> pd.DataFrame:
    row = text.words(ORDERS[0])
    found = [", ".join(" ".join(one) for one in text.ngrams(row, size)) for size in (1, 2, 3)]
    return pd.DataFrame({"words": [1, 2, 3], f"n-grams of {ORDERS[0]!r}": found})


def bag_table(sizes: tuple[int, ...]) -> pd.DataFrame:
    known, counts = text.bags([text.words(one) for one in ORDERS], sizes=sizes)
    return pd.DataFrame(counts.T, index=known, columns=ORDERS).rename_axis("n-gram").reset_index()


def bags_figure() -> Figure:
    """How far the sentences' bags are apart, of words alone and with pairs."""
    figure, axes = canvas.panels(1, 2, width=4.2, height=2.6, title="How far the three sentences are apart")
    for panel, (title, sizes) in zip(axes, {"words": (1,), "words and pairs": (1, 2)}.items(), strict=True):
        _, counts = text.bags([text.words(one) for one in ORDERS], sizes=sizes)
        far = text.distances(counts)
        names = ["1 and 2", "1 and 3", "2 and 3"]
        bars = panel.barh(names[::-1], [far[0, 1], far[0, 2], far[1, 2]][::-1], color=ACCENT)
        panel.bar_label(bars, fmt=" %.2f")
        panel.set(title=title, xlim=(0, 5.5), xlabel="distance of the bags")
    return figure
