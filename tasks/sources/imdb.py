"""Large Movie Review Dataset: 50,000 reviews from IMDb, half of them positive (A. Maas et al.).

The web's `<br />` becomes a new line; other marks such as `<i>`, of which there are a few dozen, stay as they are.
Dashes and quotation marks that somebody read as Latin-1 from Windows' code page 1252 become what they were, and other
control characters blanks.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw

BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
CONTROLS = {code: " " for code in [*range(0x20), 0x7F] if chr(code) not in "\t\n\r"}
MARKS = CONTROLS | {byte: bytes([byte]).decode("cp1252", "ignore") or " " for byte in range(0x80, 0xA0)}
"""By the code of a control character, the mark that it stands for, or a blank."""

LABELS = ("negative", "positive")
"""By the number that the file has for them."""


def read(folder: Path, source: Source) -> Raw:
    """Parse the JSON files: label (negative or positive) and text; the file has no official exam, and is in order."""
    rows = [row for file in sorted(source.files) for row in read_file(folder / file)]
    return Raw(pd.DataFrame(rows, columns=["label", "text"]).assign(split=""))


def read_file(path: Path) -> list[tuple[str, str]]:
    """Label and text of each review in one file."""
    try:
        reviews = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadData(f"`{path.name}` must be JSON in UTF-8. Received: {error}") from None
    if not isinstance(reviews, list):
        raise BadData(f"`{path.name}` must be a list of reviews. Received: {type(reviews).__name__}")
    return [read_review(path, place, review) for place, review in enumerate(reviews)]


def read_review(path: Path, place: int, review: Any) -> tuple[str, str]:
    """Label and text of one review: an object of the text `t` and the sentiment `s`, 0 or 1."""
    text, sentiment = (review.get("t"), review.get("s")) if isinstance(review, dict) else (None, None)
    if not isinstance(text, str) or type(sentiment) is not int or sentiment not in (0, 1):
        raise BadData(f"`{path.name}` must hold texts `t` and 0 or 1 as `s`. Received: review {place}: another form")
    return LABELS[sentiment], BREAK.sub("\n", text).translate(MARKS)
