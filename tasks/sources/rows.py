"""Rows of letters, and the same turned round or sorted: generated, the first exercise of sequence to sequence.

Each answer is certain, and all of the source is needed for it, the more memory the longer it is.
"""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadRequest
from tasks.sources import Raw

ORDERS = ("reversed", "sorted")


def read(folder: Path, source: Source) -> Raw:
    """Generate rows: text and translation, no text twice; there is no official exam.

    Settings:
        order: of the translation, reversed or sorted.
        shortest, longest: letters of a row, each length as likely, but where there are too few short ones.
        seed: of all of it.
    """
    order = str(source.settings["order"])
    if order not in ORDERS:
        raise BadRequest(f"`settings.order` must be one of {', '.join(ORDERS)}. Received: {order!r}")
    texts = drawn(source)
    turned = [text[::-1] if order == "reversed" else "".join(sorted(text)) for text in texts]
    return Raw(pd.DataFrame({"text": texts, "translation": turned, "label": "", "split": ""}))


def drawn(source: Source) -> list[str]:
    """Rows of letters, all different."""
    shortest, longest, seed = (int(str(source.settings[name])) for name in ("shortest", "longest", "seed"))
    if not 1 <= shortest <= longest or source.samples > len(ascii_lowercase) ** longest // 2:
        raise BadRequest(
            f"`settings.shortest` must be at least 1 and at most `longest`, and there must be twice as many rows as "
            f"samples. Received: {shortest}, {longest} and {source.samples} samples"
        )
    rng, letters = np.random.default_rng(seed), np.array(list(ascii_lowercase))
    texts: dict[str, None] = {}
    while len(texts) < source.samples:
        texts["".join(rng.choice(letters, rng.integers(shortest, longest + 1)))] = None
    return list(texts)
