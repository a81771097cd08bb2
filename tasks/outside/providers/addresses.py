"""Addresses: a list of images that someone has made; asks nobody.

`settings["file"]` is a CSV, JSONL or parquet file, relative to the project's root. It has the columns `url` and `query`
(or `label`), and any of Candidate's other fields. Without `license` an image's licence is unknown.
"""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks import places
from tasks.errors import BadData, BadRequest
from tasks.outside.providers import Candidate, licensing, ranked, texts
from tasks.outside.providers.ask import Ask

KEYS: tuple[str, ...] = ()
ADDRESS = ""
INTERVAL = 0.0
LICENCES = licensing.CODES

NUMBERS = ("width", "height")
Row = dict[str, Any]


def search(
    query: str, wanted: int, _ask: Ask, licences: Collection[str], settings: Mapping[str, Any]
) -> Iterator[Candidate]:
    """The rows whose query is `query`, in the file's order.

    Raises:
        BadRequest: if there is no such file, or none of a kind that can be read.
        BadData: if a row is not what it must be; the line names file and row.
    """
    name = settings.get("file")
    path = places.ROOT / str(name)
    if not name or not path.is_file() or path.suffix.lower() not in READERS:
        raise BadRequest(f"`file` must be a file that ends in {', '.join(READERS)}. Received: {name!r}")
    rows = [checked(row, where) for where, row in READERS[path.suffix.lower()](path)]
    found = (row for row in rows if row["query"] == query)
    return ranked(found, query, wanted, provider="addresses", licences=licences)


def read_csv(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for row in reader:
                yield f"{path.name}, line {reader.line_num}", row
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadData(f"{path.name} must be CSV in UTF-8. Received: {error}, line {reader.line_num}") from None


def read_jsonl(path: Path) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        where = f"{path.name}, line {number}"
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            raise BadData(f"{where} must be a JSON object. Received: {line[:100]!r}") from None
        if row is not None and not isinstance(row, dict):
            raise BadData(f"{where} must be a JSON object. Received: {line[:100]!r}")
        if row is not None:
            yield where, row


def read_parquet(path: Path) -> Iterator[tuple[str, Row]]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise BadData(f"{path.name} must be a parquet file. Received: {texts.plain(str(error), 200)}") from None
    for number, row in enumerate(rows, 1):
        yield f"{path.name}, row {number}", row


READERS: dict[str, Callable[[Path], Iterator[tuple[str, Row]]]] = {
    ".csv": read_csv,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
}

COLUMNS = {field.name for field in dataclasses.fields(Candidate)} | {"label"}


def checked(row: Mapping[str, Any], where: str) -> Row:
    """A row's fields, without empty ones and those that Candidate does not know; `label` is another name of `query`."""
    fields = {name: value for name, value in row.items() if name in COLUMNS and value not in (None, "")}
    fields.setdefault("query", fields.get("label"))
    for name in ("url", "query"):
        if not isinstance(fields.get(name), str) or not fields[name].strip():
            raise BadData(f"{where}: `{name}` must be a text. Received: {fields.get(name)!r}")
    code = fields.setdefault("license", licensing.UNKNOWN)
    if not isinstance(code, str) or code not in licensing.CODES:
        codes = ", ".join(sorted(licensing.CODES))
        raise BadData(f"{where}: `license` must be one of {codes}. Received: {code!r}")
    for name in NUMBERS:
        if name in fields and texts.number(fields[name]) is None:
            raise BadData(f"{where}: `{name}` must be a whole number above 0. Received: {fields[name]!r}")
    return fields
