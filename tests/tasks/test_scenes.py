"""From digits to prepared scenes: what is generated, and what a promise of boxes is worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from models.parts import boxes as parts
from tasks import (
    catalogue,
    encoding,
    ingest,
    ingested,
    pictures,
    places,
    prepare,
    prepared,
    proposals,
    sources,
    validate,
)
from tasks.errors import BadData, BadRequest
from tasks.receipts import Ingested, seal
from tasks.sources import Raw, contents, scenes

SAMPLES, EXAM = 60, 20
DIGITS = list("0123456789")


@pytest.fixture(scope="module")
def raw() -> Raw:
    known = catalogue.load().source("digit_scenes")
    source = known.model_copy(update={"samples": SAMPLES, "settings": {**known.settings, "exam": EXAM}})
    folder, _ = sources.obtain("digits", known.files, known.origins)
    return scenes.read(folder, source)


def objects(raw: Raw) -> pd.DataFrame:
    assert raw.boxes is not None
    return raw.boxes


def test_scenes_are_as_asked_and_always_the_same(raw: Raw) -> None:
    images, boxes = np.asarray(raw.images), objects(raw)
    assert (images.shape, images.dtype) == ((SAMPLES, 128, 128, 1), np.uint8)
    assert raw.samples["split"].value_counts().to_dict() == {"train": SAMPLES - EXAM, "test": EXAM}
    counts = boxes.groupby("sample").size()
    assert set(counts) == {1, 2, 3, 4, 5}
    assert set(boxes["label"]) == set(DIGITS)
    known = catalogue.load().source("digit_scenes")
    folder = places.downloads("digits")
    again = scenes.read(folder, known.model_copy(update={"samples": 30, "settings": {**known.settings, "exam": 0}}))
    np.testing.assert_array_equal(np.asarray(again.images), images[:30])


def test_glyphs_of_the_exam_are_in_no_other_scene(raw: Raw) -> None:
    boxes = objects(raw)
    exam = boxes["sample"] >= SAMPLES - EXAM
    assert (boxes.loc[exam, "digit"] % scenes.HELD_OUT == 0).all()
    assert (boxes.loc[~exam, "digit"] % scenes.HELD_OUT != 0).all()
    table = contents.rows(places.downloads("digits") / "digits.csv", 65)
    assert (boxes["label"].astype(int) == table[boxes["digit"], -1]).all()


def test_boxes_are_tight_around_ink_and_do_not_meet(raw: Raw) -> None:
    images, boxes = np.asarray(raw.images)[..., 0], objects(raw)
    ink = images >= scenes.INK * scenes.BRIGHTEST
    for sample, some in boxes.groupby("sample"):
        covered = np.zeros((128, 128), int)
        for top, left, bottom, right in np.round(some[["y1", "x1", "y2", "x2"]].to_numpy() * 128).astype(int):
            covered[top:bottom, left:right] += 1
            edges = (
                ink[sample, rows, columns]
                for rows, columns in (
                    (top, slice(left, right)),
                    (bottom - 1, slice(left, right)),
                    (slice(top, bottom), left),
                    (slice(top, bottom), right - 1),
                )
            )
            assert all(edge.any() for edge in edges)
        assert covered.max() == 1
        assert not (ink[sample] & (covered == 0)).any()


@pytest.mark.parametrize(
    "wrong", [{"smallest": 60}, {"smallest": 0}, {"largest": 129}, {"most": 0}, {"exam": 3501}, {"seed": "a"}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    known = catalogue.load().source("digit_scenes")
    (tmp_path / "digits.csv").write_text(",".join(["16"] * 64 + ["7"]) + "\n")
    with pytest.raises(BadRequest, match=rf"{next(iter(wrong))}.*Received"):
        scenes.read(tmp_path, known.model_copy(update={"settings": {**known.settings, **wrong}}))


@pytest.fixture
def written(raw: Raw, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[pd.DataFrame], None]:
    """Writes the scenes as ingested, with other boxes."""
    assert workplace.name == "data"
    known = catalogue.load()
    dataset = known.dataset("digit_scenes").model_copy(update={"smallest_class": 0.0})
    monkeypatch.setattr(catalogue, "load", lambda: known.model_copy(update={"datasets": {"digit_scenes": dataset}}))

    def write(boxes: pd.DataFrame) -> None:
        folder = places.ingested("digit_scenes")
        folder.mkdir(parents=True)
        ingest.write(Raw(raw.samples, raw.images, boxes), folder / ingested.SAMPLES)
        digest = seal(folder / ingested.SAMPLES, ingested.names(folder / ingested.SAMPLES))
        Ingested(name="digit_scenes", digest=digest, samples=SAMPLES, origin="test", licence="test").write(folder)

    return write


def test_scenes_go_from_ingestion_to_splits(raw: Raw, written: Callable[[pd.DataFrame], None]) -> None:
    boxes = objects(raw)
    written(boxes.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(
        ingested.boxes("digit_scenes").sort_values(["sample", "y1", "x1"], ignore_index=True)[["sample", "y1", "x1"]],
        boxes.sort_values(["sample", "y1", "x1"], ignore_index=True)[["sample", "y1", "x1"]],
    )
    receipt = validate.validate("digit_scenes")
    assert receipt.success
    prepare.prepare("digit_scenes")
    spec = prepared.read_spec("digit_scenes")
    assert (spec.boxes, spec.classes, spec.input_shape) == (5, tuple(DIGITS), (128, 128, 1))
    exam = prepared.read("digit_scenes", "test")
    assert len(exam) == EXAM
    for row, answer in zip(exam.ids, exam.answers, strict=True):
        wanted = boxes[boxes["sample"] == row]
        there = answer["labels"] >= 0
        assert sorted(answer["labels"][there]) == sorted(wanted["label"].astype(int))
        np.testing.assert_allclose(
            sorted(answer["boxes"][there].tolist()), sorted(wanted[["y1", "x1", "y2", "x2"]].to_numpy().tolist())
        )
        assert not answer["boxes"][~there].any()


def test_proposals_are_prepared_beside_their_scenes(
    raw: Raw,
    written: Callable[[pd.DataFrame], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written(objects(raw))
    known = catalogue.load()
    dataset = known.dataset("digit_scenes").model_copy(update={"proposals": 64})
    monkeypatch.setattr(catalogue, "load", lambda: known.model_copy(update={"datasets": {"digit_scenes": dataset}}))
    with monkeypatch.context() as patch:
        patch.setattr(proposals, "selective_search", None)
        assert validate.validate("digit_scenes").success, "without looking for proposals"
    first = prepare.prepare("digit_scenes")
    assert f"image {SAMPLES}/{SAMPLES}  proposals found" in capsys.readouterr().out
    assert prepared.read_spec("digit_scenes") == encoding.spec(dataset)
    best = []
    for split in prepared.SPLITS:
        part = prepared.read("digit_scenes", split)
        np.testing.assert_array_equal(part.samples["image"], np.asarray(raw.images)[part.ids])
        overlaps = np.asarray(parts.overlaps(part.answers["boxes"], part.samples["proposals"]))
        best.extend(overlaps.max(axis=2)[part.answers["labels"] >= 0])
    assert len(best) == len(objects(raw))
    assert np.mean(np.array(best) >= 0.5) >= 0.95
    assert prepare.prepare("digit_scenes").digest == first.digest


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"y1": -0.1}, "y1"),
        ({"x2": 1.2}, "x2"),
        ({"y2": np.nan}, "y2"),
        ({"y1": 0.5, "y2": 0.5}, "height"),
        ({"x1": 0.6, "x2": 0.4}, "width"),
        ({"x2": np.inf}, "x2"),
        ({"y1": 10.0, "x1": 12.0, "y2": 50.0, "x2": 60.0}, "y1"),
        ({"label": "ten"}, "label"),
    ],
)
def test_a_box_that_breaks_a_promise_is_named(
    raw: Raw, written: Callable[[pd.DataFrame], None], changes: dict[str, object], named: str
) -> None:
    boxes = objects(raw).copy()
    row = int(np.flatnonzero(boxes["sample"] == 7)[0])
    for column, value in changes.items():
        boxes.loc[row, column] = value
    written(boxes)
    with pytest.raises(BadData, match=named) as refused:
        validate.validate("digit_scenes")
    assert "7/0" in str(refused.value)
    report = (validate.failed("digit_scenes") / "report.html").read_text()
    assert "<h2>Boxes of each class</h2>" in report
    assert "<h2>Samples that an expectation does not hold for</h2>" in report


def test_too_many_objects_in_an_image_are_refused_and_none_are_not(
    raw: Raw, written: Callable[[pd.DataFrame], None]
) -> None:
    boxes = objects(raw)
    crowd = pd.concat([boxes[boxes["sample"] == 3].iloc[:1]] * 500)
    written(pd.concat([boxes[~boxes["sample"].isin([3, 4])], crowd]))
    with pytest.raises(BadData, match="objects") as refused:
        validate.validate("digit_scenes")
    assert "row 3" in str(refused.value) or "3" in str(refused.value).partition("objects")[2]
    dataset = catalogue.load().dataset("digit_scenes")
    with pytest.raises(BadData, match="row 3: 500 boxes"):
        encoding.truths(ingested.boxes("digit_scenes"), SAMPLES, dataset)
    found = encoding.truths(boxes[boxes["sample"] != 4], SAMPLES, dataset)
    assert (found["labels"][4] == -1).all()
    with pytest.raises(BadData, match="row 5: box 0: 'ten'"):
        encoding.truths(boxes.assign(label=boxes["label"].mask(boxes["sample"] == 5, "ten")), SAMPLES, dataset)


def test_boxes_lie_by_their_samples_and_otherwise_as_they_came(workplace: Path) -> None:
    mixed = pd.DataFrame(
        {"x1": 0.0, "crowd": [1, 0, 0, 1], "y1": 0, "x2": 1, "y2": 1, "label": list("dcba"), "sample": [1, 0, 1, 0]}
    )
    folder = workplace / "samples"
    workplace.mkdir()
    ingest.write(Raw(pd.DataFrame({"split": ["", ""]}), np.zeros((2, 2, 2, 1), np.uint8), mixed), folder)
    found = pd.read_parquet(folder / "boxes.parquet")
    assert list(found) == ["sample", "label", "y1", "x1", "y2", "x2", "crowd"]
    assert found["sample"].tolist() == [0, 0, 1, 1]
    assert found["label"].tolist() == ["c", "a", "d", "b"]
    assert set(found[ingested.CORNERS].dtypes.astype(str)) == {"float32"}


def test_a_box_of_no_sample_is_refused(raw: Raw) -> None:
    astray = objects(raw).copy()
    astray.loc[2, "sample"] = SAMPLES
    with pytest.raises(BadData, match=f"box 2: sample {SAMPLES}"):
        ingest.check_boxes(Raw(raw.samples, raw.images, astray), "digit_scenes")


def test_a_source_without_boxes_says_so(workplace: Path) -> None:
    folder = workplace / "ingested" / "digits" / ingested.SAMPLES
    ingest_folder = folder.parent
    ingest_folder.mkdir(parents=True)
    ingest.write(Raw(pd.DataFrame({"label": ["1"]}), np.zeros((1, 2, 2, 1), np.uint8)), folder)
    assert ingested.names(folder) == ["images.npy", "table.parquet"]
    with pytest.raises(BadData, match="must mark objects"):
        ingested.boxes("digits")


def test_samples_are_found_by_their_names_and_those_of_their_boxes() -> None:
    assert validate.samples_of(["12/0", "3/7", "12/1"]) == [12, 3]
    assert validate.samples_of(pd.Series([4, 0])) == [4, 0]


def test_boxes_are_drawn_where_they_are() -> None:
    """An image of 10 x 20 pixels; a box of its lower right quarter, and one that is nowhere."""
    axes = pictures.blank().add_subplot()
    nowhere = [0.0, np.nan, 1.0, np.inf]
    validate.outline(axes, pd.DataFrame([[0.5, 0.5, 1.0, 1.0], nowhere], columns=ingested.CORNERS), (10, 20))
    (drawn,) = axes.patches
    assert isinstance(drawn, Rectangle)
    assert (drawn.get_xy(), drawn.get_width(), drawn.get_height()) == ((9.5, 4.5), 10, 5)


def test_classes_are_counted_by_their_boxes() -> None:
    """Of three training boxes, two are cats; no split has a bird."""
    boxes = pd.DataFrame(
        {"label": ["cat", "cat", "dog", "dog", "cat"], "split": ["train"] * 3 + ["test", "validation"]}
    )
    dataset = catalogue.load().dataset("digit_scenes").model_copy(update={"classes": ["cat", "dog", "bird"]})
    found = validate.balance(boxes, dataset).set_index("row")
    assert found["fraction"].tolist() == [pytest.approx(2 / 3), pytest.approx(1 / 3), 0, 1, 0, 0, 0, 1, 0]
    assert found["samples"]["train cat"] == 2


@pytest.mark.parametrize("name", [name for name, one in catalogue.load().datasets.items() if one.boxes])
def test_a_source_can_be_read_as_its_dataset_asks(name: str) -> None:
    known = catalogue.load()
    dataset = known.dataset(name)
    settings = known.source(dataset.source).settings
    height, _, width = str(settings["size"]).partition("x")
    assert dataset.image is not None
    assert dataset.image[:2] == [int(height), int(width or height)]
    assert settings.get("classes", dataset.classes) == dataset.classes
