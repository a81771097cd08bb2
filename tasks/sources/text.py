"""Plain text in UTF-8: files, or archives of files, parted into documents."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData, BadRequest
from tasks.sources import Raw, contents

KINDS = ("file", "paragraph", "chapter")
ARCHIVES = (".zip", ".tar")


def read(folder: Path, source: Source) -> Raw:
    """Part the files into documents: text and file (its path, and the line where a document begins that is a part).

    A byte order mark is left out, and every line ends in one new line. There are no labels, and no official exam.

    Settings:
        documents: what is one: a `file`, a `paragraph`, which blank lines part from others, or a `chapter`, which a
            heading begins; what stands before the first heading is one too.
        heading: of chapters, a regular expression that such a line matches as a whole. Several in a row begin one.
        first: characters of all documents together that are kept, the first ones; left out, all.
        path: regular expression that the paths of an archive's files match as a whole; left out, `.*\\.txt`.

    Raises:
        BadData: if a file is no text in UTF-8, or there are no documents.
    """
    found = [document for name, content in members(folder, source) for document in parted(name, content, source)]
    if "first" in source.settings:
        found = beginning(found, int(str(source.settings["first"])))
    if not found:
        raise BadData(f"`{', '.join(source.files)}` must hold documents. Received: none")
    return Raw(pd.DataFrame(found, columns=["file", "text"]).assign(label="", split=""))


def members(folder: Path, source: Source) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every file, those of an archive in the order of their paths."""
    pattern = re.compile(str(source.settings.get("path", r".*\.txt")))
    for file in source.files:
        if Path(file).suffix not in ARCHIVES:
            yield file, contents.plain(folder / file)
            continue
        with contents.opened(folder / file) as archive:
            for name in sorted(filter(pattern.fullmatch, archive.namelist())):
                yield name, contents.content(archive, name)


def parted(name: str, content: bytes, source: Source) -> list[tuple[str, str]]:
    """The documents of one file, each with where it is from."""
    kind, lines = str(source.settings["documents"]), contents.text(content, name).split("\n")
    if kind not in KINDS:
        raise BadRequest(f"`documents` must be one of {', '.join(KINDS)}. Received: {kind!r}")
    if kind == "file":
        return [(name, "\n".join(lines).strip("\n"))]
    begins = paragraphs(lines) if kind == "paragraph" else chapters(name, lines, str(source.settings["heading"]))
    bounds = itertools.pairwise([*begins, len(lines)])
    return [(f"{name}, line {begin + 1}", "\n".join(lines[begin:end]).strip("\n")) for begin, end in bounds]


def beginning(documents: list[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    """Documents of at most `most` characters in all, the last of them perhaps cut."""
    ends = itertools.accumulate(len(text) for _, text in documents)
    kept = [(name, text[: len(text) - max(0, end - most)]) for (name, text), end in zip(documents, ends, strict=True)]
    return [(name, text) for name, text in kept if text]


def paragraphs(lines: list[str]) -> list[int]:
    """Places of the lines that follow a blank one, or none."""
    filled = [bool(line.strip()) for line in lines]
    return [place for place, here in enumerate(filled) if here and not (place and filled[place - 1])]


def chapters(name: str, lines: list[str], heading: str) -> list[int]:
    """Places of the first line, if it is of a document, and of each heading that follows no other."""
    marked = [bool(re.fullmatch(heading, line)) for line in lines]
    begins = [place for place, here in enumerate(marked) if here and not (place and marked[place - 1])]
    if not begins:
        raise BadData(f"`{name}` must have a line that matches {heading!r}. Received: none in {len(lines)} lines")
    return [0, *begins] if any(line.strip() for line in lines[: begins[0]]) else begins
