"""What the texts of a dataset are like: their encoding, lengths and language, and those that are nearly the same."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks import alike, encoding
from tasks.catalogue import Words

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""What no text has: control characters, but for tabs and ends of lines."""

CONTINUED = "".join(
    {bytes([byte]).decode(code, "ignore") for byte in range(0x80, 0xC0) for code in ("cp1252", "latin1")}
)
MOJIBAKE = re.compile(f"[ÂÃ][{re.escape(CONTINUED)}]|â[€‚„]|ï»¿|ï¿½|ðŸ")
"""Letters, quotation marks, byte order marks and emojis in UTF-8 that somebody read as Latin-1: `Ã©` for `é`."""

FUNCTION_WORDS = {
    "en": "the of and to in is it that for was on with as be by at from this are have not but had which or an they "
    "their were been would there will his her she we you if what who when than then them said its",
    "es": "de la que el en y los del se las por un para con una su al lo como más pero sus le ya este sí porque esta "
    "entre cuando muy sin sobre también hasta hay donde quien desde todo nos durante",
}
"""Words of each language that stand in almost every sentence of it, and that the other does not have."""

UNCLEAR = "unclear"
LEAST_SHARE = 0.1
"""Share of a text's words that must be function words of a language before it is taken for it."""


@dataclass(frozen=True)
class Read:
    """The words of some texts, one text behind another.

    Args:
        numbers: of each word its place in `known`, int64 (W,).
        starts: where each text begins in `numbers`, and where the last one ends: int64 (N + 1,).
        known: every different word.
    """

    numbers: np.ndarray
    starts: np.ndarray
    known: list[str]


def read(texts: Iterable[str]) -> Read:
    """Cut texts into words as models see them."""
    number: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    rows = [np.array([number[word] for word in encoding.words(text)], dtype=np.int64) for text in texts]
    starts = np.cumsum([0, *(len(row) for row in rows)])
    return Read(np.concatenate([np.empty(0, dtype=np.int64), *rows]), starts, list(number))


def describe(texts: pd.Series, splits: np.ndarray, wanted: Words) -> pd.DataFrame:
    """One row for each text.

    Returns:
        Columns words, those of `signs`, language (`en`, `es` or `unclear`), near (row of the text of another split that
        is the most alike, if nearly the same) and near_share (of their runs of words that both have).
    """
    found = read(texts)
    near, share = alike.elsewhere(found.numbers, found.starts, splits, wanted.near)
    return signs(texts).assign(words=np.diff(found.starts), language=languages(found), near=near, near_share=share)


def signs(texts: pd.Series) -> pd.DataFrame:
    """One row for each text: whether its characters are what somebody wrote.

    Returns:
        Columns longest_line (characters), replaced (characters U+FFFD, which stand for what could not be read),
        controls (characters of `CONTROL`) and mojibake (places that match it).
    """
    return pd.DataFrame(
        {
            "longest_line": [max(map(len, text.split("\n"))) for text in texts],
            "replaced": texts.str.count("\ufffd"),
            "controls": [len(CONTROL.findall(text)) for text in texts],
            "mojibake": [len(MOJIBAKE.findall(text)) for text in texts],
        },
        index=texts.index,
    )


def languages(found: Read) -> np.ndarray:
    """The language that most of each text's function words are of, if they are many enough: text (N,)."""
    names = np.array([*FUNCTION_WORDS, UNCLEAR])
    counts = np.stack([counted(found, set(words.split())) for words in FUNCTION_WORDS.values()])
    clear = counts.max(axis=0) >= LEAST_SHARE * np.maximum(1, np.diff(found.starts))
    return np.asarray(names[np.where(clear, counts.argmax(axis=0), -1)])


def counted(found: Read, words: set[str]) -> np.ndarray:
    """How many words of each text are among `words`: int64 (N,)."""
    among = np.array([word in words for word in found.known], dtype=bool)
    before = np.concatenate([[0], np.cumsum(among[found.numbers])])
    return np.diff(before[found.starts])


def different(texts: Iterable[str]) -> int:
    """How many different words texts have."""
    return len(set(itertools.chain.from_iterable(map(encoding.words, texts))))
