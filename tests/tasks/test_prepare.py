"""Prepared arrays: complete, in the form that models take, equal bytes every time, and never unjudged."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.spec import Input, Spec
from tasks import catalogue, encoding, ingested, places, prepare, prepared
from tasks.catalogue import Dataset
from tasks.errors import BadData, Refused
from tasks.receipts import Validated, digest_file, seal

COUNT = 60
CLASSES = ["c", "a", "b"]


@pytest.fixture
def validated(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Validated:
    """A source of 60 random images of three classes, and the receipt that says it was judged."""
    folder = workplace / "ingested" / "digits" / "samples"
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.random.default_rng(1).integers(0, 256, (COUNT, 8, 8, 1), dtype=np.uint8))
    labels = [CLASSES[row % 3] for row in range(COUNT)]
    pd.DataFrame({"label": labels, "split": ""}, dtype="string").to_parquet(folder / "table.parquet", index=False)
    seal(folder, ingested.names(folder))
    known = catalogue.load()
    dataset = known.dataset("digits").model_copy(update={"classes": CLASSES})
    settled = known.model_copy(update={"datasets": {"digits": dataset}})
    monkeypatch.setattr(catalogue, "load", lambda: settled)
    receipt = Validated(
        name="digits",
        digest="0" * 64,
        ingested=ingested.digest("digits"),
        samples=COUNT,
        expectations=14,
        result_id="0" * 64,
        success=True,
        splits={},
    )
    judge(receipt)
    return receipt


def judge(receipt: Validated, **changes: object) -> None:
    folder = places.validated("digits")
    folder.mkdir(parents=True, exist_ok=True)
    receipt.model_copy(update=changes).write(folder)


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in places.prepared("digits").iterdir()}


def test_every_sample_is_in_one_split_with_its_answer(validated: Validated) -> None:
    receipt = prepare.prepare("digits")
    images, samples = ingested.read("digits")
    parts = [prepared.read("digits", part) for part in prepared.SPLITS]
    assert sorted(np.concatenate([part.ids for part in parts])) == list(range(COUNT))
    for name, part in zip(prepared.SPLITS, parts, strict=True):
        assert receipt.samples[name] == len(part)
        assert (part.samples.dtype, part.answers.dtype, part.ids.dtype) == (np.uint8, np.int32, np.int64)
        assert (part.samples == images[part.ids]).all()
        assert [CLASSES[answer] for answer in part.answers] == samples["label"][part.ids].tolist()
    assert receipt.samples == {"train": 43, "validation": 5, "test": 12}
    assert validated.samples == COUNT


def test_readers_accept_what_was_written(validated: Validated) -> None:
    receipt = prepare.prepare("digits")
    assert prepared.receipt("digits") == receipt
    spec = prepared.read_spec("digits")
    assert (spec.input_shape, spec.input_dtype, spec.classes) == ((8, 8, 1), "uint8", tuple(CLASSES))
    assert prepared.problem("digits") == "classification"
    assert set(json.loads((places.prepared("digits") / "spec.json").read_text())) == {
        "problem",
        "inputs",
        "classes",
        "number",
    }
    assert validated.success


def test_the_bytes_are_the_same_every_time(validated: Validated) -> None:
    prepare.prepare("digits")
    first = contents()
    prepare.prepare("digits")
    assert contents() == first
    assert len(first) == 13
    assert validated.success


def test_the_exam_is_the_digest_of_the_test_files_alone(validated: Validated, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prepare.prepare("digits")
    known = catalogue.load()
    more = known.dataset("digits").model_copy(update={"validation": 0.3})
    monkeypatch.setattr(catalogue, "load", lambda: known.model_copy(update={"datasets": {"digits": more}}))
    after = prepare.prepare("digits")
    assert before.exam == after.exam
    assert before.digest != after.digest
    other = known.dataset("digits").model_copy(update={"seed": 7})
    monkeypatch.setattr(catalogue, "load", lambda: known.model_copy(update={"datasets": {"digits": other}}))
    assert prepare.prepare("digits").exam != before.exam
    assert validated.success


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"success": False}, "must have succeeded"),
        ({"expectations": 0}, "must have succeeded. Received: 0 expectations"),
        ({"ingested": "f" * 64}, "must be of the samples that lie here"),
    ],
)
def test_what_nobody_judged_is_refused(validated: Validated, changes: dict[str, object], message: str) -> None:
    judge(validated, **changes)
    with pytest.raises(Refused) as caught:
        prepare.prepare("digits")
    assert message in str(caught.value)
    assert not places.prepared("digits").exists()


def test_samples_changed_after_the_verdict_are_refused(validated: Validated) -> None:
    path = places.ingested("digits") / "samples" / "images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadData, match=r"must be what ingest wrote. Received: changed since: images\.npy"):
        prepare.prepare("digits")
    assert validated.success


def test_the_manifest_is_one_that_sha256sum_checks(validated: Validated) -> None:
    prepare.prepare("digits")
    folder = places.prepared("digits")
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "manifest.sha256"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert checked.stdout.count(": OK") == len(prepared.all_files()) == 11
    assert digest_file(folder / "manifest.sha256") != validated.digest


@pytest.mark.parametrize("name", ["test_samples.npy", "train_answers.npy", "spec.json"])
def test_a_bit_that_flips_after_validation_is_found_by_whoever_reads(validated: Validated, name: str) -> None:
    receipt = prepare.prepare("digits")
    path = places.prepared("digits") / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadData, match=rf"must be what prepare wrote, .*changed since: {name}\. Run: "):
        prepared.receipt("digits")
    assert receipt.ingested == validated.ingested


def test_a_missing_validation_says_what_to_run(validated: Validated) -> None:
    (places.validated("digits") / "receipt.json").unlink()
    with pytest.raises(BadData, match="dvc repro --force validate@digits"):
        prepare.prepare("digits")
    assert validated.success


def test_a_failure_leaves_the_old_folder(validated: Validated, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare.prepare("digits")
    before = contents()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepare, "write_spec", full)
    with pytest.raises(OSError, match="No space"):
        prepare.prepare("digits")
    assert contents() == before
    assert [path.name for path in places.prepared("digits").parent.iterdir()] == ["digits"]
    assert validated.success


def of_words(texts: list[str], splits: list[str], **words: int) -> prepare.Made:
    """What is made of texts for vectors of words."""
    wanted = {"vocabulary": 5, "length": 2, "neighbours": 1, **words}
    dataset = Dataset(source="x", problem="embedding", words=wanted, validation=0.1, test=0.1, seed=0)
    return prepare.made_of(None, pd.DataFrame({"text": texts}), np.array(splits), dataset)


def test_texts_become_runs_of_known_words_each_in_its_split(tmp_path: Path) -> None:
    """a is there thrice and b twice in training; c is the third by the alphabet, so x, y and z are left out."""
    made = of_words(["a x b. A", "c y b a", "z b c", "a y c"], ["train", "train", "validation", "test"])
    assert made.vocabulary == ["a", "b", "c"]
    assert {part: arrays[0].tolist() for part, arrays in made.splits.items()} == {
        "train": [[2, 3], [2, 0], [4, 3], [2, 0]],
        "validation": [[3, 4]],
        "test": [[2, 4]],
    }
    assert made.splits["train"][1].tolist() == [[-1, 0, 1, 0], [1, 0, -1, -1], [-1, 2, 1, 0], [1, 0, -1, -1]]
    assert made.splits["train"][2].tolist() == [0, 2, 3, 5]
    assert made.spec == Spec(
        {"words": Input((2,), "int32", sizes=(5,), counts=(3, 2, 1))}, ("a", "b", "c"), neighbours=1
    )
    prepare.write_spec(made.spec, "embedding", tmp_path)
    assert prepared.read_spec("x", tmp_path) == made.spec


def test_exam_texts_of_which_others_have_more_than_half_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    learnt, new = "a b c a b a c c b a", "c c c b b b a a a c b"
    made = of_words([learnt, new, f"{learnt} b", "c a", new], ["train", "test", "test", "test", "validation"])
    assert [len(made.splits[part][0]) for part in ("train", "validation", "test")] == [5, 6, 1]
    assert "test: 2 of 3 texts left out, of which others have more than half" in capsys.readouterr().out


def test_a_vocabulary_that_the_texts_do_not_have_is_refused() -> None:
    with pytest.raises(BadData, match=r"at most 2 more than the different words of the training texts, 3. Received: 6"):
        of_words(["a b c", "d", "d"], ["train", "validation", "test"], vocabulary=6)
    with pytest.raises(BadData, match=r"each split must have words that are known. Received: none in validation, test"):
        of_words(["a b c", "d", "d"], ["train", "validation", "test"])


def test_an_unknown_label_is_named() -> None:
    with pytest.raises(BadData, match="row 1: 'z'"):
        encoding.numbers_of(pd.Series(["a", "z"]), CLASSES)


def test_a_spec_without_boxes_is_what_it_was(validated: Validated) -> None:
    prepare.prepare("digits")
    folder = places.prepared("digits")
    text = (folder / "spec.json").read_text()
    assert "boxes" not in text
    assert prepared.read_spec("digits").boxes == 0
    prepare.write_spec(replace(prepared.read_spec("digits"), boxes=3), "detection", folder)
    assert (prepared.read_spec("digits").boxes, prepared.problem("digits")) == (3, "detection")
    assert validated.success
