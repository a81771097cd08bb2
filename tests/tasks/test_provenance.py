"""Provenance: what is expected of a collection's images, judged by Great Expectations, and whom to thank."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks import catalogue, provenance
from tasks.catalogue import Collection
from tasks.outside import expectations

COLLECTION: Collection = (
    catalogue.load().collection("flowers").model_copy(update={"classes": {"a": ["a"], "b": ["b"]}, "least": 5})
)


def metadata() -> pd.DataFrame:
    """Twenty images in good order."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(20):
        digest, label = rng.bytes(32).hex(), "ab"[number % 2]
        rows.append(
            dict.fromkeys(provenance.COLUMNS, "x")
            | {"sample_id": digest[:16], "sha256": digest, "source_sha256": digest[::-1], "phash": digest[:16]}
            | {"path": provenance.path(label, digest), "label": label, "split": "train" if number < 15 else "test"}
            | {"url": f"https://example.org/{number}.jpg", "group_id": digest, "license": "by", "format": "jpeg"}
            | {"rank": 0, "width": 200, "height": 100, "bytes": 900, "source_width": 1, "source_height": 1}
            | {"http_status": 200}
        )
    return pd.DataFrame(rows, columns=provenance.COLUMNS)


def failed(table: pd.DataFrame, folder: Path) -> set[str]:
    """The columns, or the kinds, of the expectations that do not hold."""
    judged = provenance.tables(table, table.assign(outcome="kept"), COLLECTION)
    verdicts = expectations.judge("images", judged, provenance.expected(COLLECTION), folder)
    assert len(verdicts) == 34
    wrong = [verdict.expectation for verdict in verdicts if not verdict.success]
    return {str(one.wanted.get("column", one.kind)) for one in wrong}


def test_images_in_good_order_are_what_is_expected(tmp_path: Path) -> None:
    assert failed(metadata(), tmp_path) == set()


Fault = Callable[[pd.DataFrame], pd.DataFrame]


def change(row: int, **values: object) -> Fault:
    def changed(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, list(values)] = list(values.values())
        return table

    return changed


def same_bytes(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[1, ["sha256", "sample_id"]] = table.loc[3, ["sha256", "sample_id"]]
    return table


def parted(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[19, "group_id"] = table.loc[1, "group_id"]
    return table


def two_labels(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[0, "group_id"] = table.loc[1, "group_id"]
    return table


FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "the same bytes twice": (same_bytes, {"sha256", "sample_id"}),
    "a licence that is not allowed": (change(2, license="by-nc"), {"license"}),
    "one pixel wide": (change(2, width=1, height=100), {"aspect"}),
    "a group in two splits": (parted, {"splits_in_group"}),
    "a group with two labels": (two_labels, {"labels_in_group"}),
    "no source": (change(4, url=None), {"url"}),
    "an address of this machine": (change(4, url="/etc/passwd"), {"url"}),
    "a name that is no digest": (change(4, sha256="no"), {"sha256"}),
    "a path that leads elsewhere": (change(4, path="images/../../x.jpg"), {"path"}),
    "a class that was not asked for": (change(4, label="c"), {"label"}),
    "larger than asked for": (change(4, height=5000, width=5000), {"width", "height"}),
    "one class with hardly any": (lambda table: table.assign(label=["a"] * 18 + ["b"] * 2), {"kept"}),
    "no exam": (lambda table: table.assign(split="train"), {"split"}),
    "too few": (lambda table: table.head(8), {"kept", "expect_table_row_count_to_be_between", "split"}),
    "a column more": (lambda table: table.assign(key="secret"), {"expect_table_columns_to_match_set"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_nothing_else(fault: str, tmp_path: Path) -> None:
    break_it, wanted = FAULTS[fault]
    assert failed(break_it(metadata()), tmp_path) == wanted


def test_thanks_name_title_author_licence_and_page() -> None:
    table = metadata().head(1).assign(
        title="Two [daisies]", author="A. Person", author_url="https://example.org/person", license_version="2.0",
        license_url="https://creativecommons.org/licenses/by/2.0/", source_page="https://example.org/photo/1",
    )  # fmt: skip
    told = provenance.attribution("flowers", table)
    assert (
        r"[Two \[daisies\]](https://example.org/photo/1) by [A. Person](https://example.org/person), "
        r"[by 2.0](https://creativecommons.org/licenses/by/2.0/)"
    ) in told


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "](javascript:alert(1))", "a\n# b", "`x` | **y**"])
def test_nothing_in_a_title_is_markdown_or_html(evil: str) -> None:
    told = provenance.attribution("flowers", metadata().head(1).assign(title=evil, source_page="javascript:alert(1)"))
    line = next(line for line in told.splitlines() if line.startswith("- "))
    assert "<script" not in line
    assert "](javascript" not in line
    assert "\n# b" not in told
