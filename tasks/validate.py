"""Validate: expect of every sample, and of the split, what the dataset promises."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from tasks import catalogue, encoding, excerpts, ingested, pictures, places, split, texts
from tasks.catalogue import Dataset, Series, Symbols, Words
from tasks.errors import BadData
from tasks.outside import expectations
from tasks.outside.expectations import Expectation, Verdict
from tasks.receipts import Ingested, Validated

PIXELS = ("lowest", "highest", "contrast")
ALL = "all"
"""Stands for a class where no class is asked for."""

OF_SAMPLES = ("samples", "boxes")
"""Tables whose rows are of one sample each."""

NAMED = 3
"""How many failed expectations an error tells; the report has all of them."""


def validate(name: str) -> Validated:
    """Judge the samples of dataset `name`, and write the Data Docs, a report and the receipt.

    Raises:
        BadData: if an expectation does not hold; the line says which, for which column and rows, and where
            the report is.
    """
    dataset = catalogue.load().dataset(name)
    images, samples = ingested.read(dataset.source, dataset.columns)
    table = describe(images, samples, dataset)
    tables = {"samples": table, "splits": balance(table, dataset)}
    if dataset.series:
        spread = table.groupby("split")[dataset.in_series[0]].agg(lambda values: values.max() - values.min())
        tables["splits"]["spread"] = spread.reindex(list(split.SPLITS)).to_numpy()
    if dataset.boxes:
        objects = describe_boxes(ingested.boxes(dataset.source), table)
        table["objects"] = objects.groupby("sample").size().reindex(table.index, fill_value=0)
        tables |= {"boxes": objects, "splits": balance(objects, dataset)}
    if dataset.words:
        tables["splits"] = tables["splits"].assign(split_words=split_words(samples["text"], table, tables["splits"]))
    places.SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=places.SCRATCH) as scratch:
        wanted = expected(dataset, Ingested.read(places.ingested(dataset.source)).samples)
        verdicts = expectations.judge(name, tables, wanted, Path(scratch) / "docs")
        success = bool(verdicts) and all(verdict.success for verdict in verdicts)
        final = places.validated(name) if success else failed(name)
        with places.whole_folder(final) as folder:
            shutil.move(Path(scratch) / "docs", folder / "docs")
            parts = [
                *sheets(images, tables, verdicts, folder),
                *(excerpts.parts(samples["text"].fillna(""), table, folder) if dataset.words else []),
            ]
            write_report(name, tables, verdicts, parts, folder)
            if success:
                shutil.rmtree(failed(name), ignore_errors=True)
                return receipt(name, dataset, table, verdicts).write(folder)
    raise BadData(complaint(name, verdicts, ingested.files(dataset.source)))


def failed(name: str) -> Path:
    """Where the report of a dataset that failed lies; DVC takes away what a failed stage wrote."""
    return places.SCRATCH / "validation" / name


def describe(images: np.ndarray | None, samples: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """One row for each sample: what it is, and how it stands to the others.

    Returns:
        Columns row, label, split, those of the dataset's numbers, categories and answer, those of `of_images`,
        `texts.describe` or `texts.signs`, and `of_symbols`, `characters` (how many a text has), later (whether a moment
        of a series is later than the one before), copy_of (the first row with the same inputs, if another),
        labels_of_sample (how many different ones the same inputs have) and seen_in (the splits that have the same, or
        others of its group, joined by +).
    """
    content = split.inputs(images, samples, dataset)
    splits = split.of_dataset(content, samples, dataset)
    table = pd.DataFrame({expectations.ROW: np.arange(len(samples)), "label": samples["label"], "split": splits})
    if dataset.image:
        table = table.assign(**of_images(images, len(samples)))
    if dataset.words:
        table = table.join(texts.describe(samples["text"].fillna(""), splits, dataset.words))
    if dataset.characters:
        read = samples["text"].fillna("")
        table = table.join(texts.signs(read)).assign(characters=read.str.len())
    if dataset.symbols:
        table = table.assign(**of_symbols(samples, dataset.symbols, dataset.classes or []))
    if dataset.series:
        table["later"] = pd.to_datetime(samples["moment"]).diff().gt(pd.Timedelta(0)) | (table.index == 0)
    for column in [*dataset.numbers, *dataset.categories, *(dataset.answer or {})]:
        table[column] = samples[column]
    first = table[expectations.ROW].groupby(content).transform("min")
    table["copy_of"] = first.where(first != table[expectations.ROW])
    table["labels_of_sample"] = table["label"].groupby(content).transform("nunique")
    table["seen_in"] = seen_in(split.units(content, samples, dataset), splits)
    return table


def describe_boxes(boxes: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row for each box: row (`12/0`, the first box of sample 12), sample, label, corners, height, width, split."""
    place = boxes.groupby("sample").cumcount().astype(str)
    named = boxes["sample"].astype(str) + "/" + place
    return boxes.assign(
        **{expectations.ROW: named},
        height=boxes["y2"] - boxes["y1"],
        width=boxes["x2"] - boxes["x1"],
        split=samples["split"].to_numpy()[boxes["sample"]],
    )


def of_images(images: np.ndarray | None, samples: int) -> dict[str, Any]:
    """Of each image its shape, dtype, whether it is finite, lowest and highest pixel, and contrast between them."""
    if images is None:
        return {"shape": "none", "dtype": "none", "finite": True, **dict.fromkeys(PIXELS, np.zeros(samples))}
    pixels = images.reshape(len(images), -1)
    lowest, highest = pixels.min(axis=1).astype(float), pixels.max(axis=1).astype(float)
    return {
        "shape": "x".join(str(size) for size in images.shape[1:]),
        "dtype": str(images.dtype),
        "finite": np.isfinite(pixels).all(axis=1),
        **dict(zip(PIXELS, (lowest, highest, highest - lowest), strict=True)),
    }


def of_symbols(samples: pd.DataFrame, wanted: Symbols, classes: list[str]) -> dict[str, Any]:
    """How many symbols each text and each translation has, and how many of them are not known."""
    found: dict[str, Any] = {"text": samples["text"], "translation": samples["translation"]}
    for column, known in (("text", wanted.known), ("translation", classes)):
        parted = [encoding.pieces(text, known) for text in samples[column].fillna("")]
        found[f"{column}_symbols"] = [len(parts) for parts in parted]
        found[f"{column}_unknown"] = [len(set(parts).difference(known)) for parts in parted]
    return found


def seen_in(content: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """Which splits have each sample's content, such as `test` or `train+test`: text (N,)."""
    codes, _ = pd.factorize(content)
    number = np.zeros(len(codes), dtype=int)
    for bit, name in enumerate(split.SPLITS):
        number += 2**bit * np.isin(codes, codes[splits == name])
    names = ["+".join(name for bit, name in enumerate(split.SPLITS) if value >> bit & 1) for value in range(8)]
    return np.array(names)[number]


def split_words(read: pd.Series, table: pd.DataFrame, splits: pd.DataFrame) -> list[int]:
    """How many different words the split has that each row of `splits` is of."""
    found = {part: texts.different(read[table["split"] == part].dropna()) for part in split.SPLITS}
    return [found[row.partition(" ")[0]] for row in splits[expectations.ROW]]


def balance(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """One row for each class in each split: row (`train 3`), samples, fraction of the split, split_samples.

    Where boxes are asked for, they are what is counted.

    Without classes, one row for each split.
    """
    classes = [ALL] if dataset.symbols else dataset.classes or [ALL]
    labels = table["label"] if dataset.classes and not dataset.symbols else pd.Series(ALL, index=table.index)
    counts = pd.crosstab(table["split"], labels)
    counts = counts.reindex(index=list(split.SPLITS), columns=classes, fill_value=0)
    sizes = np.array([(table["split"] == part).sum() for part in split.SPLITS])
    fractions = counts.to_numpy() / np.maximum(1, sizes)[:, np.newaxis]
    return pd.DataFrame(
        {
            expectations.ROW: [f"{part} {label}" for part in split.SPLITS for label in classes],
            "samples": counts.to_numpy().ravel(),
            "fraction": fractions.ravel(),
            "split_samples": np.repeat(sizes, len(classes)),
        }
    )


def expected(dataset: Dataset, samples: int) -> list[Expectation]:
    """What must hold: few expectations, each over a whole column."""
    originals = max(0, samples - dataset.duplicates) / samples
    return [
        Expectation("samples", "expect_table_row_count_to_equal", {"value": samples}),
        *(expected_of_images(dataset.image) if dataset.image else []),
        *expected_of_columns(dataset),
        *(expected_of_texts(dataset.words, samples) if dataset.words else []),
        *expected_of_answers(dataset),
        Expectation("samples", "expect_column_values_to_be_null", {"column": "copy_of", "mostly": originals}),
        one_of("seen_in", list(split.SPLITS)),
        between("splits", "split_samples", min_value=1),
    ]


def expected_of_images(shape: list[int]) -> list[Expectation]:
    return [
        one_of("shape", ["x".join(str(size) for size in shape)]),
        one_of("dtype", ["uint8"]),
        one_of("finite", [True]),
        between("samples", "lowest", min_value=0),
        between("samples", "highest", max_value=255),
        between("samples", "contrast", min_value=1),
    ]


def expected_of_columns(dataset: Dataset) -> list[Expectation]:
    """Every number is there and in its range, and every category is known."""
    numbers = {**dataset.numbers, **(dataset.answer or {})}
    return [
        *(filled(column) for column in [*numbers, *dataset.categories]),
        *(between("samples", name, min_value=low, max_value=high) for name, (low, high) in numbers.items()),
        *(one_of(name, known) for name, known in dataset.categories.items()),
        *(expected_of_characters() if dataset.characters else []),
    ]


def expected_of_characters() -> list[Expectation]:
    """Every text has some, and all of them are what somebody wrote, since each is learnt."""
    strange = ("controls", "replaced", "mojibake")
    return [
        between("samples", "characters", min_value=1),
        *(between("samples", name, max_value=0) for name in strange),
    ]


def expected_of_answers(dataset: Dataset) -> list[Expectation]:
    if dataset.boxes:
        return expected_of_boxes(dataset)
    if dataset.symbols:
        return expected_of_symbols(dataset.symbols)
    if dataset.series:
        return expected_of_series(dataset.series)
    return expected_of_classes(dataset) if dataset.classes else []


def expected_of_symbols(wanted: Symbols) -> list[Expectation]:
    """Every text and every translation has symbols, all of them known, and no more than there is room for."""
    return [
        *(filled(column) for column in ("text", "translation")),
        between("samples", "text_symbols", min_value=1, max_value=wanted.length),
        between("samples", "translation_symbols", min_value=1, max_value=wanted.steps),
        *(between("samples", f"{column}_unknown", max_value=0) for column in ("text", "translation")),
    ]


def expected_of_texts(wanted: Words, samples: int) -> list[Expectation]:
    """Every text can be read, is as long as it may be and in the language that is asked for, and stands alone."""
    longest = {} if wanted.longest is None else {"max_value": wanted.longest}
    alone = max(0, samples - (wanted.near_duplicates or 0)) / samples
    in_language = one_of("language", [str(wanted.language)], mostly=1 - wanted.foreign)
    unlike = Expectation("samples", "expect_column_values_to_be_null", {"column": "near", "mostly": alone})
    return [
        between("samples", "words", min_value=wanted.shortest, **longest),
        between("samples", "longest_line", max_value=wanted.line),
        between("samples", "controls", max_value=0),
        *(between("samples", name, max_value=0, mostly=1 - wanted.garbled) for name in ("replaced", "mojibake")),
        between("splits", "split_words", min_value=2),
        *([in_language] if wanted.language else []),
        *([unlike] if wanted.near_duplicates is not None else []),
    ]


def expected_of_series(wanted: Series) -> list[Expectation]:
    """Moments rise, every split has a window with what follows it, and its values are not all one."""
    return [
        one_of("later", [True]),
        between("splits", "split_samples", min_value=wanted.past + wanted.ahead),
        between("splits", "spread", min_value=0, strict_min=True),
    ]


def expected_of_classes(dataset: Dataset) -> list[Expectation]:
    most = {"max_value": 1, "strict_max": True} if dataset.words else {}  # texts may well lack one of many classes
    return [
        filled("label"),
        one_of("label", list(dataset.classes or [])),
        one_of("labels_of_sample", [1]),
        between("splits", "fraction", min_value=dataset.smallest_class, **most),
    ]


def expected_of_boxes(dataset: Dataset) -> list[Expectation]:
    """Every box has a known label, lies in its image and has an area; no image has too many."""
    return [
        *(filled(edge, table="boxes") for edge in ingested.CORNERS),
        *(between("boxes", edge, min_value=0, max_value=1) for edge in ingested.CORNERS),
        *(between("boxes", side, min_value=0, strict_min=True) for side in ("height", "width")),
        filled("label", table="boxes"),
        one_of("label", list(dataset.classes or []), table="boxes"),
        between("samples", "objects", max_value=dataset.boxes),
        between("splits", "fraction", min_value=dataset.smallest_class),
    ]


def filled(column: str, *, table: str = "samples") -> Expectation:
    return Expectation(table, "expect_column_values_to_not_be_null", {"column": column})


def one_of(
    column: str, values: list[str] | list[bool] | list[int], *, table: str = "samples", **most: float
) -> Expectation:
    return Expectation(table, "expect_column_values_to_be_in_set", {"column": column, "value_set": values, **most})


def between(table: str, column: str, **limits: float) -> Expectation:
    return Expectation(table, "expect_column_values_to_be_between", {"column": column, **limits})


def complaint(name: str, verdicts: list[Verdict], files: list[str]) -> str:
    """One line: which expectations do not hold, whose files the first rows are, and where to read more."""
    if not verdicts:
        return f"dataset `{name}` must be judged by at least one expectation. Received: none ran"
    wrong = [verdict for verdict in verdicts if not verdict.success]
    return (
        f"dataset `{name}` must be what it promises. {len(wrong)} of {len(verdicts)} expectations do not hold: "
        f"{'; '.join(str(verdict) for verdict in wrong[:NAMED])}. {named_files(wrong[:NAMED], files)}"
        f"Report: {failed(name) / 'report.html'}"
    )


def named_files(wrong: list[Verdict], files: list[str]) -> str:
    """Which files the samples are that expectations do not hold for, as many as those tell."""
    rows = [row for one in wrong if one.expectation.table in OF_SAMPLES for row in one.rows[: expectations.FIRST]]
    told = [f"Row {row} is `{files[row]}`. " for row in samples_of(rows)] if files else []
    return "".join(told)


def receipt(name: str, dataset: Dataset, table: pd.DataFrame, verdicts: list[Verdict]) -> Validated:
    """What was judged and found, without clocks: an equal verdict on equal samples is an equal receipt."""
    ingest_digest = ingested.digest(dataset.source)
    result = result_id(verdicts)
    return Validated(
        name=name,
        digest=hashlib.sha256(f"{ingest_digest} {result}".encode()).hexdigest(),
        ingested=ingest_digest,
        samples=len(table),
        expectations=len(verdicts),
        result_id=result,
        success=True,
        splits={part: int((table["split"] == part).sum()) for part in split.SPLITS},
    )


def result_id(verdicts: list[Verdict]) -> str:
    """sha256 over every expectation and its verdict."""
    facts = [[one.expectation.table, one.expectation.kind, one.expectation.wanted, one.success] for one in verdicts]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def write_report(
    name: str, tables: dict[str, pd.DataFrame], verdicts: list[Verdict], parts: list[str], folder: Path
) -> None:
    """Write report.html: the verdicts, the classes and what the samples look like, which `parts` tell, in one file."""
    counts = tables["splits"][expectations.ROW].str.split(" ", n=1, expand=True)
    classes = pd.crosstab(counts[1], counts[0], values=tables["splits"]["samples"], aggfunc="sum")
    classes = classes.reindex(columns=list(split.SPLITS)).rename_axis(index="class", columns=None).reset_index()
    good, samples = sum(verdict.success for verdict in verdicts), len(tables["samples"])
    page = pictures.page(
        f"Validation of {name}",
        f"<p><strong>{good} of {len(verdicts)} expectations hold.</strong> {samples} samples. "
        'Great Expectations\' own pages: <a href="docs/index.html">Data Docs</a>.</p>',
        "<h2>Expectations</h2>",
        pictures.table(pd.DataFrame([report_row(verdict) for verdict in verdicts])),
        f"<h2>{'Boxes' if 'boxes' in tables else 'Samples'} of each class</h2>",
        pictures.table(classes),
        *parts,
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def report_row(verdict: Verdict) -> dict[str, str]:
    wanted = dict(verdict.expectation.wanted)
    return {
        "holds": "yes" if verdict.success else "NO",
        "table": verdict.expectation.table,
        "column": str(wanted.pop("column", "")),
        "expectation": verdict.expectation.kind.removeprefix("expect_").replace("_", " "),
        "wanted": ", ".join(f"{key}: {value}" for key, value in wanted.items()),
        "received": verdict.received.removeprefix("received "),
    }


def sheets(
    images: np.ndarray | None, tables: dict[str, pd.DataFrame], verdicts: list[Verdict], folder: Path
) -> list[str]:
    """The first images of each class, and those that an expectation does not hold for."""
    if images is None or images.shape[-1] not in (1, 3):
        return []
    labelled = tables.get("boxes", tables["samples"])
    typical = labelled.groupby("label", dropna=False).head(4).sort_values("label", kind="stable")
    chosen = {"The first samples of each class": samples_of(typical[expectations.ROW])[:40]}
    bad = [row for one in verdicts if one.expectation.table in OF_SAMPLES for row in one.rows]
    if bad:
        chosen["Samples that an expectation does not hold for"] = sorted(samples_of(bad))[:40]
    return [sheet(title, images, tables, rows, folder) for title, rows in chosen.items()]


def samples_of(rows: Iterable[Any]) -> list[int]:
    """The samples that rows are of, each once; a box is named `<sample>/<box>`."""
    return list(dict.fromkeys(int(str(row).partition("/")[0]) for row in rows))


def sheet(title: str, images: np.ndarray, tables: dict[str, pd.DataFrame], rows: list[int], folder: Path) -> str:
    """A part of the report: the images of `rows`, each with its row and label, or its boxes."""
    boxes, labels = tables.get("boxes"), tables["samples"]["label"]
    captions = [f"{row}: {labels[row]}" if boxes is None else str(row) for row in rows]
    figure = pictures.sheet(images[rows], captions, "")
    if boxes is not None:
        for axes, row in zip(figure.axes, rows, strict=True):
            outline(axes, boxes[boxes["sample"] == row], images.shape[1:3])
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        file = Path(scratch) / "sheet.png"
        figure.savefig(file)
        return pictures.picture(file, title)


def outline(axes: Axes, boxes: pd.DataFrame, shape: tuple[int, ...]) -> None:
    """Draw the boxes of an image of `shape` whose corners are numbers; its first pixel reaches from -0.5 to 0.5."""
    corners = boxes[ingested.CORNERS].to_numpy() * np.array([*shape, *shape]) - 0.5
    for top, left, bottom, right in corners[np.isfinite(corners).all(axis=1)]:
        axes.add_patch(
            Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=pictures.SECOND, linewidth=0.8)
        )
