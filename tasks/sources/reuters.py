"""Reuters-21578: newswires of 1987 with their topics (D. Lewis).

Of the 21578 documents, those with exactly one topic and a body are kept, in topics that have enough of them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw, contents

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Characters that the wire sent to printers, such as the end of a text."""

SURROGATE = re.compile(r"[\ud800-\udfff]")
"""A half of a character, which JSON can write and UTF-8 cannot."""

KEYS = 1000
"""Most keys of a document."""


def read(folder: Path, source: Source) -> Raw:
    """Parse the JSON files: label (the topic) and text (title, a new line, body); there is no official exam.

    Settings:
        smallest_class: least documents that a topic must have.
    """
    kept = [row for file in sorted(source.files) for row in read_file(folder / file)]
    table = pd.DataFrame(kept, columns=["label", "text"])
    sizes = table.groupby("label")["label"].transform("size")
    table = table[sizes >= int(str(source.settings.get("smallest_class", 1)))].reset_index(drop=True)
    return Raw(table.assign(split=""))


def read_file(path: Path) -> list[tuple[str, str]]:
    """Topic and text of each document in one file that has one topic and a body."""
    try:
        documents = json.loads(contents.text(contents.plain(path), path.name))
    except (ValueError, RecursionError) as error:
        raise BadData(f"`{path.name}` must be JSON, and not nested too deeply. Received: {error}") from None
    if not isinstance(documents, list):
        raise BadData(f"`{path.name}` must be a list of documents. Received: {type(documents).__name__}")
    found = [read_document(path, place, document) for place, document in enumerate(documents)]
    return [one for one in found if one]


def read_document(path: Path, place: int, document: Any) -> tuple[str, str] | None:
    """Topic and text, or None where there are more topics than one, or none, or no body."""
    if not isinstance(document, dict):
        raise BadData(f"`{path.name}` must hold objects. Received: document {place}: {type(document).__name__}")
    if len(document) > KEYS:
        raise BadData(
            f"`{path.name}` must hold documents of at most {KEYS} keys. Received: document {place}: {len(document)}"
        )
    topics, title, body = (document.get(key) or "" for key in ("topics", "title", "body"))
    if not isinstance(topics, (list, str)) or not isinstance(title, str) or not isinstance(body, str):
        raise BadData(f"`{path.name}` must hold texts and lists of topics. Received: document {place}: others")
    if len(topics) != 1 or isinstance(topics, str) or not body:
        return None
    topic, text = str(topics[0]), CONTROL.sub("", f"{title}\n{body}")
    if found := SURROGATE.search(topic + text):
        raise BadData(f"`{path.name}` must hold whole characters. Received: document {place}: {found[0]!a}")
    return topic, text
