"""Analogies: as the first word is to the second, so the third is to which? Those asked where all four are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.spec import Spec
from tasks.problems.vectors import likeness

ASKED = (
    "hombre mujer señor señora",
    "hijo hija padre madre",
    "hermano hermana padre madre",
    "rey reina duque duquesa",
    "amigo amiga hijo hija",
    "caballero escudero quijote sancho",
    "era eran estaba estaban",
    "caballero caballeros libro libros",
    "dice dijo responde respondió",
    "bueno buena malo mala",
    "este esta aquel aquella",
    "man woman king queen",
    "man woman actor actress",
    "boy girl son daughter",
    "father mother brother sister",
    "he his she her",
    "movie movies film films",
    "good better bad worse",
    "good best bad worst",
    "go went see saw",
    "is was are were",
)
"""Four words each, the last of which is the right answer."""

TOLD = 3
"""Words nearest to the answer that are shown."""


def questions(spec: Spec, there: np.ndarray | None = None) -> np.ndarray:
    """The places of the words of each analogy that can be asked: int64 (Q, 4).

    Args:
        there: which words have a vector, bool (K,); left out, all.
    """
    place = {word: number for number, word in enumerate(spec.classes) if there is None or there[number]}
    known = [[place[word] for word in asked.split()] for asked in ASKED if place.keys() >= set(asked.split())]
    return np.array(known, np.int64).reshape(-1, 4)


def table(found: np.ndarray, spec: Spec) -> pd.DataFrame:
    """Each question with the words nearest to its answer, and the rank of the right one, 1 the best.

    The answer is second - first + third, of vectors of length 1; the three themselves are none.

    Args:
        found: vectors of all words (K, D).

    Source: Mikolov, Yih, Zweig, "Linguistic regularities in continuous space word representations", NAACL 2013.
    """
    asked, names, unit = questions(spec), np.array(spec.classes), likeness.unit(found)
    first, second, third, right = asked.T
    order = likeness.nearest(unit, unit[second] - unit[first] + unit[third], len(unit), but=asked[:, :3])
    told = [" ".join(names[row[:TOLD]]) for row in order]
    ranks = (order == right[:, np.newaxis]).argmax(axis=1) + 1
    columns = {"first": first, "is to": second, "as": third, "is to this": right}
    return pd.DataFrame({**{key: names[one] for key, one in columns.items()}, "rank": ranks, "nearest": told})
