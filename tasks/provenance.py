"""Provenance: what is known of each image of a collection, what must hold of it, and whom to thank."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd

from tasks.catalogue import Collection
from tasks.outside.expectations import ROW, Expectation

COLUMNS = [
    "sample_id", "path", "label", "split", "group_id",
    "url", "final_url", "source_page", "provider", "provider_id", "query", "rank",
    "title", "author", "author_url", "license", "license_version", "license_url", "attribution",
    "source_sha256", "sha256", "phash", "format", "source_mode",
    "width", "height", "source_width", "source_height", "bytes",
    "http_status", "content_type", "etag", "last_modified", "fetched_at", "pipeline_version",
]  # fmt: skip
FILLED = [
    "sample_id", "path", "label", "split", "group_id", "url",
    "license", "sha256", "source_sha256", "phash", "fetched_at", "pipeline_version",
]  # fmt: skip
UNEVEN = 0.7
"""Kullback-Leibler divergence of the classes' shares from even ones, in nats; one class of five alone has 1.6."""

FORMATS = ["jpeg", "png", "webp"]


def described(kept: pd.DataFrame, version: str) -> pd.DataFrame:
    """The metadata of what is kept: a row for each image."""
    table = kept.assign(
        sample_id=kept["sha256"].str[:16],
        path=[path(label, sha256) for label, sha256 in zip(kept["label"], kept["sha256"], strict=True)],
        pipeline_version=version,
    )
    whole = ["rank", "width", "height", "source_width", "source_height", "bytes"]
    return table[COLUMNS].astype(dict.fromkeys(whole, "int64") | {"http_status": "Int64"})


def path(label: str, sha256: str) -> str:
    return f"images/{label}/{sha256[:2]}/{sha256}.jpg"


def tables(metadata: pd.DataFrame, outcomes: pd.DataFrame, collection: Collection) -> dict[str, pd.DataFrame]:
    """What is judged: the classes, which a person can do most about, and the images."""
    splits = metadata.groupby("group_id")["split"].transform("nunique")
    labels = metadata.groupby("group_id")["label"].transform("nunique")
    sides = metadata[["width", "height"]]
    images = metadata.assign(
        **{ROW: np.arange(len(metadata))},
        splits_in_group=splits,
        labels_in_group=labels,
        aspect=sides.max(axis=1) / sides.min(axis=1),
    )
    count = pd.crosstab(outcomes["label"], outcomes["outcome"])
    count = count.reindex(index=list(collection.classes), columns=["kept"], fill_value=0)
    classes = pd.DataFrame({ROW: count.index, "kept": count["kept"].to_numpy()})
    return {"classes": classes, "images": images}


def expected(collection: Collection) -> list[Expectation]:
    """What must hold of the images of a collection, and of its classes."""
    classes = list(collection.classes)
    judged = [*COLUMNS, ROW, "splits_in_group", "labels_in_group", "aspect"]
    return [
        images("expect_table_columns_to_match_set", column_set=judged, exact_match=True),
        images("expect_table_row_count_to_be_between", min_value=collection.least * len(classes)),
        *(images("expect_column_values_to_not_be_null", column=column) for column in FILLED),
        *(images("expect_column_values_to_be_unique", column=column) for column in ("sample_id", "sha256", "path")),
        matches("sha256", r"^[0-9a-f]{64}$"),
        matches("source_sha256", r"^[0-9a-f]{64}$"),
        matches("phash", r"^[0-9a-f]{16}$"),
        matches("url", r"^(?:https?://|file:)"),
        matches("path", r"^images/[^/]+/[0-9a-f]{2}/[0-9a-f]{64}\.jpg$"),
        images("expect_column_values_to_be_in_set", column="license", value_set=list(collection.licences)),
        images("expect_column_values_to_be_in_set", column="format", value_set=FORMATS),
        images("expect_column_distinct_values_to_equal_set", column="label", value_set=classes),
        images("expect_column_distinct_values_to_equal_set", column="split", value_set=["train", "test"]),
        between("width", 1, collection.largest),
        between("height", 1, collection.largest),
        between("bytes", 1, None),
        between("aspect", 1, 25),
        between("splits_in_group", 1, 1),
        between("labels_in_group", 1, 1),
        images(
            "expect_column_kl_divergence_to_be_less_than",
            column="label",
            partition_object={"values": classes, "weights": [1 / len(classes)] * len(classes)},
            threshold=UNEVEN,
        ),
        Expectation("classes", "expect_column_values_to_be_between", {"column": "kept", "min_value": collection.least}),
    ]


def images(kind: str, **wanted: object) -> Expectation:
    return Expectation("images", kind, wanted)


def matches(column: str, pattern: str) -> Expectation:
    return images("expect_column_values_to_match_regex", column=column, regex=pattern)


def between(column: str, least: int, most: int | None) -> Expectation:
    limits = {"min_value": least} | ({"max_value": most} if most is not None else {})
    return images("expect_column_values_to_be_between", column=column, **limits)


def attribution(name: str, metadata: pd.DataFrame) -> str:
    """Whom to thank for every image, as Markdown: what a licence that asks for attribution asks for."""
    lines = [f"# Images of {name}", "", f"{len(metadata)} images, each reduced in size and written anew.", ""]
    for label, rows in metadata.groupby("label", sort=True):
        lines += [f"## {label}", "", *(f"- {credit(row)}" for _, row in rows.iterrows()), ""]
    return "\n".join(lines)


def credit(row: pd.Series) -> str:
    """One image: title, author, licence and where it is from; `sample_id` is its name here."""
    title, author = (plain(str(row[column])) for column in ("title", "author"))
    licence = plain(f"{row['license']} {row['license_version'] or ''}".strip())
    shown = link(title or "untitled", str(row["source_page"] or row["url"]))
    whose, terms = link(author or "unknown", str(row["author_url"])), link(licence, str(row["license_url"]))
    return f"{shown} by {whose}, {terms} (`{row['sample_id']}`)"


def plain(text: str) -> str:
    """A text in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def link(text: str, address: str) -> str:
    safe = re.fullmatch(r"https?://[^\s()<>\"']+", address)
    return f"[{text}]({address})" if safe else text
