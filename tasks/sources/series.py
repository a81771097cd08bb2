"""Series: a table of moments, evenly apart, and what was measured at each of them."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData, BadRequest
from tasks.sources import Raw, contents

EVERY = {"hour": "h", "day": "D", "week": "7D", "month": "MS"}
"""How far moments may be apart; those of months are their first days."""


def read(folder: Path, source: Source) -> Raw:
    """Parse a CSV with a header: moment (ISO 8601), a column for each number, and `made`, whether a row was filled in.

    Numbers are called as their columns, in small letters and with `_` for all else. A gap, of rows that are not there
    or of numbers that are not, is filled in along a straight line if it is short. There is no official exam.

    Settings:
        moment: header of the column of moments; left out, `moment`.
        columns: headers of the columns of numbers.
        every: how far two moments are apart: hour, day, week or month.
        gap: most moments in a row that may be missing; left out, none.

    Raises:
        BadData: if a moment is none, not later than the one before, or not on its place; if a number is text or
            infinite; or if a gap is longer, or at an end.
    """
    (file,) = source.files
    settings = source.settings
    headers = list(settings["columns"]) if isinstance(settings["columns"], list) else [str(settings["columns"])]
    table = read_table(contents.text(contents.plain(folder / file), file), file)
    moment = str(settings.get("moment", "moment"))
    if missing := [header for header in (moment, *headers) if header not in table]:
        raise BadData(f"`{file}` must have the columns {moment}, {', '.join(headers)}. Received: no {missing[0]}")
    numbers = pd.DataFrame({named(header): numbers_of(table[header], file) for header in headers})
    numbers.index = pd.DatetimeIndex(moments_of(table[moment], file))
    whole = numbers.reindex(grid(numbers.index, str(settings["every"]), file))
    filled = fill(whole, int(str(settings.get("gap", 0))), file)
    made = whole.isna().any(axis=1).to_numpy()
    return Raw(filled.reset_index(drop=True).assign(moment=told(whole.index), made=made, label="", split=""))


def read_table(text: str, file: str) -> pd.DataFrame:
    """The rows, all as text."""
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, skipinitialspace=True)
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BadData(f"`{file}` must be a CSV with a header. Received: {' '.join(str(error).split())}") from None
    if len(table) < 2:
        raise BadData(f"`{file}` must hold at least 2 rows. Received: {len(table)}")
    return table


def named(header: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_")


def numbers_of(texts: pd.Series, file: str) -> np.ndarray:
    """Numbers, NaN where there is no text: float64 (N,)."""
    empty = texts.str.strip() == ""
    numbers = pd.to_numeric(texts.mask(empty), errors="coerce").to_numpy(dtype=np.float64)
    refuse(~np.isfinite(numbers) & ~empty.to_numpy(), texts, "a finite number or nothing", file)
    return numbers


def moments_of(texts: pd.Series, file: str) -> pd.Series:
    """Moments, each later than the one before; a zone is turned to UTC and left out."""
    moments = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
    refuse(moments.isna().to_numpy(), texts, "a moment as ISO 8601 writes it", file)
    late = np.append(True, np.diff(moments.to_numpy()) > np.timedelta64(0))
    refuse(~late, texts, "later than the one before", file)
    return moments


def refuse(wrong: np.ndarray, texts: pd.Series, what: str, file: str) -> None:
    """Raise BadData if a value is wrong; the row is that of the file, whose first is the header."""
    if wrong.any():
        row = int(wrong.argmax())
        raise BadData(
            f"`{file}`, line {row + 2}: column `{texts.name}` must be {what}. Received: {texts.iloc[row][:80]!r}"
        )


def grid(moments: pd.Index, every: str, file: str) -> pd.DatetimeIndex:
    """All moments from the first to the last, evenly apart.

    Raises:
        BadRequest: if `every` is not known.
        BadData: if a moment is not among them.
    """
    if every not in EVERY:
        raise BadRequest(f"`every` must be one of {', '.join(EVERY)}. Received: {every!r}")
    whole = pd.date_range(moments[0], moments[-1], freq=EVERY[every])
    if (astray := ~moments.isin(whole)).any():
        row = int(astray.argmax())
        raise BadData(
            f"`{file}`, line {row + 2}: moments must be a {every} apart from {told(moments[:1])[0]} on. "
            f"Received: {told(moments[row : row + 1])[0]}"
        )
    return whole


def fill(whole: pd.DataFrame, gap: int, file: str) -> pd.DataFrame:
    """Numbers with every gap of at most `gap` moments filled in along a straight line."""
    for column, values in whole.items():
        missing = values.isna()
        lengths = missing.groupby((~missing).cumsum()).transform("sum")
        at_end = values.ffill().isna() | values.bfill().isna()
        if (wrong := missing & ((lengths > gap) | at_end)).any():
            row = int(wrong.to_numpy().argmax())
            raise BadData(
                f"`{file}`: column `{column}` must miss at most {gap} moments in a row, and none at an end. "
                f"Received: {int(lengths.iloc[row])} from {told(whole.index[row : row + 1])[0]} on"
            )
    return whole.interpolate(limit_area="inside")


def told(moments: pd.Index) -> list[str]:
    return [moment.isoformat() for moment in moments]
