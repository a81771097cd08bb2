"""The gallery of a collection: what was kept, what was not and why, for a person to look through in a browser."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image

from tasks import cleaning, outcomes, pictures, provenance
from tasks.outside import fetcher
from tasks.outside.expectations import Verdict

SIDE = 112
"""Pixels of the longer side of a thumbnail."""

EACH = 60
"""Most thumbnails of one kind; the tables beside the gallery have all."""

STYLE = """<style>
.wall { display: flex; flex-wrap: wrap; gap: .6rem }
figure { margin: 0; width: 7.2rem; font-size: .7rem; line-height: 1.25 }
figure img { display: block; border-radius: .3rem } figcaption { overflow-wrap: anywhere }
details { margin: .6rem 0 } summary { cursor: pointer; font-weight: 600 }
</style>"""


def page(name: str, table: pd.DataFrame, verdicts: list[Verdict], picture: Mapping[str, Path], wanted: str) -> str:
    """The report of a collection.

    Args:
        table: every candidate with its outcome, as tasks/outcomes.py settles it.
        picture: where the stored picture of a candidate lies, by its sha256.
        wanted: how much was wanted, in words.
    """
    good = sum(verdict.success for verdict in verdicts)
    counts = pd.crosstab(table["label"], table["outcome"]).reindex(columns=list(outcomes.OUTCOMES), fill_value=0)
    counts["candidates"] = counts.sum(axis=1)
    bad = [f"<li>{pictures.escaped(str(verdict))}</li>" for verdict in verdicts if not verdict.success]
    return pictures.page(
        f"Images of {name}",
        STYLE,
        f"<p><strong>{int(counts['kept'].sum())} of {len(table)} candidates are kept.</strong> "
        f"{pictures.escaped(wanted)} {good} of {len(verdicts)} expectations hold: "
        "<a href='docs/index.html'>Data Docs</a>.</p>",
        f"<ul>{''.join(bad)}</ul>" if bad else "",
        pictures.table(counts.rename_axis("class", axis=0).rename_axis(None, axis=1).reset_index()),
        "<h2>Kept</h2>",
        *(wall(str(label), rows, picture) for label, rows in table[table["outcome"] == "kept"].groupby("label")),
        "<h2>Shown more than once, and never parted by the split</h2>",
        together(table[table["outcome"] == "kept"], picture),
        "<h2>Not kept</h2>",
        *(not_kept(outcome, reason, rows, picture) for (outcome, reason), rows in refused(table)),
    )


def refused(table: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """What was not kept, by outcome and reason, the most frequent first."""
    found = table[table["outcome"] != "kept"].groupby(["outcome", "reason"])
    parts = [((str(outcome), str(reason)), rows) for (outcome, reason), rows in found]
    return sorted(parts, key=lambda part: -len(part[1]))


def not_kept(outcome: str, reason: str, rows: pd.DataFrame, picture: Mapping[str, Path]) -> str:
    """All of one reason: thumbnails of those that could be decoded, addresses of all that are listed."""
    every = {**fetcher.REASONS, **cleaning.REASONS, **outcomes.REASONS}
    known = re.sub(r"^http_\d+$", "http_*", reason)
    title = f"{outcome}: {reason} ({len(rows)})"
    told = f"<p>{pictures.escaped(every.get(known, ''))}</p>"
    decoded = rows[rows["sha256"].isin(picture)]
    listed = "".join(f"<li>{pictures.escaped(url[:200])}</li>" for url in rows["url"].head(EACH))
    shown = figures(decoded.head(EACH), picture) if len(decoded) else ""
    return f"<details><summary>{pictures.escaped(title)}</summary>{told}{shown}<ul>{listed}</ul></details>"


def together(kept: pd.DataFrame, picture: Mapping[str, Path]) -> str:
    """Groups of pictures that show the same."""
    groups = kept[kept.duplicated("group_id", keep=False)].sort_values(["group_id", "sha256"])
    if groups.empty:
        return "<p>none</p>"
    return f"<p>{groups['group_id'].nunique()} groups of {len(groups)} images.</p>{figures(groups.head(EACH), picture)}"


def wall(label: str, rows: pd.DataFrame, picture: Mapping[str, Path]) -> str:
    more = f", the first {EACH}" if len(rows) > EACH else ""
    title = f"{label}: {len(rows)}{more}"
    return f"<details open><summary>{pictures.escaped(title)}</summary>{figures(rows.head(EACH), picture)}</details>"


def figures(rows: pd.DataFrame, picture: Mapping[str, Path]) -> str:
    """Thumbnails, each with what it is and whose, leading to the page that it is from."""
    with ThreadPoolExecutor() as pool:
        thumbnails = pool.map(thumbnail, [picture[sha256] for sha256 in rows["sha256"]])
        made = [figure(row, address) for (_, row), address in zip(rows.iterrows(), thumbnails, strict=True)]
    return f'<div class="wall">{"".join(made)}</div>'


def figure(row: pd.Series, thumbnail: str) -> str:
    whose = pictures.escaped(f"{row['author'] or 'unknown'}, {row['license']}"[:80])
    title = pictures.escaped(str(row["title"])[:80])
    image = f'<img src="{thumbnail}" alt="{title}" loading="lazy">'
    page = str(row["source_page"])
    leads = provenance.link("", page) != ""
    shown = f'<a href="{pictures.escaped(page)}" rel="noreferrer">{image}</a>' if leads else image
    return f"<figure>{shown}<figcaption>{title}<br>{whose}<br>{row['width']}x{row['height']}</figcaption></figure>"


def thumbnail(path: Path) -> str:
    """A stored picture, small, as a `data:` address."""
    with Image.open(path, formats=["JPEG"]) as picture:
        picture.draft("RGB", (SIDE, SIDE))
        picture.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
