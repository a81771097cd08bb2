"""Numerals: generated numbers from 0 to 999,999, and how they are said in Spanish.

Words are irregular up to thirty, depend on what follows (cien, ciento; uno, un), and come in thousands and the rest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadRequest
from tasks.sources import Raw

DIGITS = 6
"""Most digits of a number."""

SMALL = [
    "cero",
    "uno",
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "once",
    "doce",
    "trece",
    "catorce",
    "quince",
    "dieciséis",
    "diecisiete",
    "dieciocho",
    "diecinueve",
    "veinte",
    "veintiuno",
    "veintidós",
    "veintitrés",
    "veinticuatro",
    "veinticinco",
    "veintiséis",
    "veintisiete",
    "veintiocho",
    "veintinueve",
]
TENS = ["treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"]
HUNDREDS = [
    "ciento",
    "doscientos",
    "trescientos",
    "cuatrocientos",
    "quinientos",
    "seiscientos",
    "setecientos",
    "ochocientos",
    "novecientos",
]


def read(folder: Path, source: Source) -> Raw:
    """Generate numbers: text, its digits, and translation, its words; no number twice, and no official exam.

    As many have one, two, ... six digits, but where there are too few short ones.

    Settings:
        seed: of all of it.
    """
    if source.samples > 10**DIGITS // 2:
        raise BadRequest(f"`samples` must be at most {10**DIGITS // 2}. Received: {source.samples}")
    rng = np.random.default_rng(int(str(source.settings["seed"])))
    numbers: dict[int, None] = {}
    while len(numbers) < source.samples:
        numbers[int(rng.integers(0, 10 ** rng.integers(1, DIGITS + 1)))] = None
    said = [spanish(number) for number in numbers]
    return Raw(pd.DataFrame({"text": list(map(str, numbers)), "translation": said, "label": "", "split": ""}))


def spanish(number: int) -> str:
    """How a number from 0 to 999,999 is said."""
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return below_thousand(rest)
    count = "" if thousands == 1 else shortened(below_thousand(thousands)) + " "
    return f"{count}mil {below_thousand(rest) if rest else ''}".strip()


def shortened(words: str) -> str:
    """As it is said before a noun: un for uno."""
    if words.endswith("veintiuno"):
        return words.removesuffix("uno") + "ún"
    return words.removesuffix("o") if words.endswith("uno") else words


def below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if number == 100:
        return "cien"
    if hundreds:
        return f"{HUNDREDS[hundreds - 1]} {below_hundred(rest) if rest else ''}".strip()
    return below_hundred(rest)


def below_hundred(number: int) -> str:
    if number < len(SMALL):
        return SMALL[number]
    tens, ones = divmod(number, 10)
    return f"{TENS[tens - 3]} y {SMALL[ones]}" if ones else TENS[tens - 3]
