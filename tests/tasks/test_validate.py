"""Validation with the real Great Expectations: good samples pass, and each broken promise is named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks import catalogue, ingested, places, validate
from tasks.catalogue import Catalogue
from tasks.errors import BadData
from tasks.outside import expectations
from tasks.receipts import Ingested, Validated, seal

Samples = tuple[np.ndarray, pd.DataFrame]
SMALL = 120


def write(images: np.ndarray, table: pd.DataFrame) -> None:
    folder = places.ingested("digits") / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", images, allow_pickle=False)
    table.astype("string").to_parquet(folder / "table.parquet", index=False)
    seal(folder, ingested.names(folder))


def promise(samples: int) -> None:
    """What the step ingest has said."""
    places.ingested("digits").mkdir(parents=True, exist_ok=True)
    Ingested(name="digits", digest="0" * 64, samples=samples, origin="test", licence="test").write(
        places.ingested("digits")
    )


def settle(monkeypatch: pytest.MonkeyPatch, samples: int = SMALL, **dataset: object) -> Catalogue:
    """Let the step ingest promise `samples` samples of the digits, and the catalogue what `dataset` says of them."""
    known = catalogue.load()
    promise(samples)
    changed = known.dataset("digits").model_copy(update={"smallest_class": 0.01, **dataset})
    settled = known.model_copy(update={"datasets": {"digits": changed}})
    monkeypatch.setattr(catalogue, "load", lambda: settled)
    return settled


@pytest.fixture
def good(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Samples:
    """Random images, of three classes in turn, which keep every promise."""
    assert workplace.name == "data"
    settle(monkeypatch, classes=["0", "1", "2"])
    images = np.random.default_rng(0).integers(0, 256, (SMALL, 8, 8, 1), dtype=np.uint8)
    return images, pd.DataFrame({"label": [str(row % 3) for row in range(SMALL)], "split": ""})


def complaint() -> str:
    with pytest.raises(BadData) as caught:
        validate.validate("digits")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_good_samples_pass(good: Samples) -> None:
    write(*good)
    receipt = validate.validate("digits")
    folder = places.validated("digits")
    assert receipt == Validated.read(folder)
    assert receipt.success
    assert receipt.expectations == 14
    assert receipt.splits == {"train": 86, "validation": 10, "test": 24}
    assert validate.validate("digits") == receipt, "the receipt has no clock in it"
    assert "14 of 14 expectations hold" in (folder / "report.html").read_text()


def wrong_label(images: np.ndarray, table: pd.DataFrame) -> Samples:
    table.loc[17, "label"] = "nine"
    return images, table


def label_off_by_one(images: np.ndarray, table: pd.DataFrame) -> Samples:
    return images, table.assign(label=[str(int(label) + 1) for label in table["label"]])


def no_label(images: np.ndarray, table: pd.DataFrame) -> Samples:
    table.loc[23, "label"] = None
    return images, table


def wrong_shape(images: np.ndarray, table: pd.DataFrame) -> Samples:
    return np.concatenate([images, images[:, :, :1]], axis=2), table


def floats(images: np.ndarray, table: pd.DataFrame) -> Samples:
    return images.astype(np.float32), table


def not_a_number(images: np.ndarray, table: pd.DataFrame) -> Samples:
    images = images.astype(np.float32)
    images[31, 2, 2, 0] = np.nan
    return images, table


def too_bright(images: np.ndarray, table: pd.DataFrame) -> Samples:
    images = images.astype(np.int16)
    images[33, 0, 0, 0] = 256
    return images, table


def too_dark(images: np.ndarray, table: pd.DataFrame) -> Samples:
    images = images.astype(np.int16)
    images[34, 0, 0, 0] = -1
    return images, table


def blank(images: np.ndarray, table: pd.DataFrame) -> Samples:
    images[41] = 200
    return images, table


def copied(images: np.ndarray, table: pd.DataFrame) -> Samples:
    images[53] = images[50]
    return images, table


def two_labels(images: np.ndarray, table: pd.DataFrame) -> Samples:
    images[52] = images[50]
    return images, table


def too_few(images: np.ndarray, table: pd.DataFrame) -> Samples:
    return images[:-1], table[:-1]


def class_missing(images: np.ndarray, table: pd.DataFrame) -> Samples:
    return images, table.assign(label=table["label"].replace("2", "1"))


CASES = [
    (wrong_label, "to_be_in_set of column `label`", "row 17: 'nine'"),
    (label_off_by_one, "to_be_in_set of column `label`", "row 2: '3'"),
    (no_label, "to_not_be_null of column `label`", "row 23: nothing"),
    (wrong_shape, "to_be_in_set of column `shape`", "row 0: '8x9x1', row 1: '8x9x1'"),
    (floats, "to_be_in_set of column `dtype`", "'float32'"),
    (not_a_number, "to_be_in_set of column `finite`", "row 31: False"),
    (too_bright, "to_be_between of column `highest`", "row 33: 256"),
    (too_dark, "to_be_between of column `lowest`", "row 34: -1"),
    (blank, "to_be_between of column `contrast`", "row 41: 0"),
    (copied, "to_be_null of column `copy_of`", "row 53: 50"),
    (two_labels, "to_be_in_set of column `labels_of_sample`", "row 50: 2, row 52: 2"),
    (too_few, "expect_table_row_count_to_equal", "value=120): received 119"),
    (class_missing, "to_be_between of column `fraction`", "row 'train 2': 0"),
]


@pytest.mark.parametrize(("spoil", "named", "rows"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_promise_is_named(
    good: Samples, monkeypatch: pytest.MonkeyPatch, spoil: Callable[..., Samples], named: str, rows: str
) -> None:
    monkeypatch.setattr(validate, "sheets", lambda *_: [])  # half of the time, and drawn in other tests
    write(*spoil(*good))
    message = complaint()
    assert named in message
    assert rows in message
    report = places.SCRATCH / "validation" / "digits" / "report.html"
    assert str(report) in message
    assert "NO" in report.read_text()
    assert not places.validated("digits").exists()


def test_at_most_five_rows_are_told(good: Samples) -> None:
    images, table = good
    table.loc[60:80, "label"] = "x"
    write(images, table)
    assert complaint().count("'x'") == 5


def test_the_exam_among_the_training_samples_is_refused(good: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    images, table = good
    settle(monkeypatch, classes=["0", "1", "2"], test="official", duplicates=5)
    table["split"] = ["train"] * 90 + ["test"] * 30
    images[99] = images[3]
    write(images, table)
    message = complaint()
    assert "1 of 14" in message
    assert "to_be_in_set of column `seen_in`" in message
    assert re.search(r"row 3: '(train|validation)\+test', row 99: '(train|validation)\+test'", message)


@pytest.mark.parametrize(("allowed", "passes"), [(1, False), (2, True)])
def test_duplicates_are_counted(good: Samples, monkeypatch: pytest.MonkeyPatch, allowed: int, passes: bool) -> None:
    images, table = good
    settle(monkeypatch, classes=["0", "1", "2"], duplicates=allowed)
    images[53] = images[50]
    images[56] = images[50]
    write(images, table)
    if passes:
        assert validate.validate("digits").success
    else:
        assert "copy_of" in complaint()


def test_an_empty_split_is_refused(good: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    images, table = good
    settle(monkeypatch, classes=["0", "1", "2"], test="official", smallest_class=0.0)
    write(images, table)
    assert "of column `split_samples`" in complaint()


def test_judging_nothing_is_a_failure(good: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    write(*good)
    monkeypatch.setattr(validate, "expected", lambda *_: [])
    assert "at least one expectation. Received: none ran" in complaint()


def test_an_expectation_that_cannot_be_judged_is_a_failure(good: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    write(*good)
    monkeypatch.setattr(validate, "expected", lambda *_: [validate.one_of("no_such_column", [1])])
    assert "no_such_column" in complaint()


def test_a_damaged_source_is_told(good: Samples) -> None:
    write(*good)
    path = places.ingested("digits") / "samples" / "images.npy"
    path.write_bytes(path.read_bytes()[:200])
    assert "must hold a whole source" in complaint()


def test_samples_that_are_not_those_that_were_ingested_are_told(good: Samples) -> None:
    write(*good)
    path = places.ingested("digits") / "samples" / "images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "must be what ingest wrote. Received: changed since: images.npy" in complaint()
    assert not places.validated("digits").exists()


def test_a_pickle_is_never_opened(good: Samples) -> None:
    write(*good)
    np.save(places.ingested("digits") / "samples" / "images.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "must hold a whole source" in complaint()


FETCHED = re.compile(
    r"""<(?:script|link|img|iframe|source|object|embed)\b[^>]*(?:src|href|data)=\s*(?!["']?data:)|url\(|@import|https?:""",
    re.IGNORECASE,
)


@pytest.mark.parametrize("spoil", [None, wrong_label])
def test_no_page_needs_a_network(good: Samples, spoil: Callable[..., Samples] | None) -> None:
    write(*(spoil(*good) if spoil else good))
    if spoil:
        complaint()
        folder = places.SCRATCH / "validation" / "digits"
    else:
        validate.validate("digits")
        folder = places.validated("digits")
    pages = list(folder.rglob("*.html"))
    assert len(pages) == 6, "report, index, and for two tables what was expected and what was found"
    for page in pages:
        text = page.read_text()
        assert not FETCHED.search(text), page
        assert "<script" not in text
    links = re.findall(r'<a href="([^"]+)"', (folder / "docs" / "index.html").read_text())
    assert len(links) == 4
    assert all((folder / "docs" / link).is_file() for link in links)


def test_the_same_samples_give_the_same_pages(good: Samples) -> None:
    write(*good)
    folder = places.validated("digits")
    written = []
    for _ in range(2):
        validate.validate("digits")
        written.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert len(written[0]) == 7
    assert written[0] == written[1], "DVC would take a clock or a random id for a change"


def test_offline_takes_away_what_is_fetched() -> None:
    page = (
        '<head><link rel="stylesheet" href="https://cdn.x/a.css"><script src="//cdn.x/a.js">\n</script></head>'
        '<img src="http://x/a.png"><style>a { background: url(https://x/b.png) }</style>'
        '<a href="https://x/">out</a><a class="in" href="#section">in</a>'
    )
    cleaned = expectations.offline(page)
    assert not FETCHED.search(cleaned)
    assert 'out<a class="in" href="#section">in</a>' in cleaned


def test_markup_in_a_label_is_text_in_every_page(good: Samples) -> None:
    images, table = good
    table.loc[5, "label"] = "<script>alert(1)</script>"
    write(images, table)
    complaint()
    for page in (places.SCRATCH / "validation" / "digits").rglob("*.html"):
        assert "<script" not in page.read_text(), page


def test_the_result_depends_on_what_was_expected(good: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    write(*good)
    first = validate.validate("digits")
    settle(monkeypatch, classes=["0", "1", "2"], smallest_class=0.02)
    second = validate.validate("digits")
    assert first.result_id != second.result_id
    assert first.ingested == second.ingested
    assert json.loads(second.model_dump_json())["success"] is True
