"""What the command line makes of texts that are wrong: one line with file or row, or a stated treatment."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import __main__ as command
from tasks import catalogue, places, prepared, texts
from tasks.catalogue import Dataset, Source

PROJECT = catalogue.load()
STEPS = ("ingest", "validate", "prepare")
SPANISH = "El perro de la casa no quiso salir con los otros porque era muy tarde y hacía frío"
ENGLISH = "The dog of the house would not go out with the others as it was late and they had been cold"


class Wires:
    """The source and the dataset `wires`, of texts of the classes gold and tin."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        monkeypatch.setenv("MIAR_MIRROR", str(folder))

    def run(self, content: bytes, *steps: str, reader: str = "reuters", samples: int = 30, **wanted: Any) -> int:
        """Exit status of the last step, after those before it have ended well."""
        file = "a.json" if reader == "reuters" else "a.txt"
        (self.folder / file).write_bytes(content)
        settings = {} if reader == "reuters" else {"documents": "paragraph"}
        facts = {"reader": reader, "files": {file: hashlib.sha256(content).hexdigest()}, "settings": settings}
        source = Source.model_validate({**facts, "samples": samples, "licence": "made up"})
        known = PROJECT.model_copy(update={"sources": {"wires": source}, "datasets": {"wires": dataset(**wanted)}})
        self.monkeypatch.setattr(catalogue, "load", lambda: known)
        *before, last = steps
        assert [command.attempt([step, "wires"]) for step in before] == [0] * len(before)
        return command.attempt([last, "wires"])


def dataset(**wanted: Any) -> Dataset:
    parts = {"source": "wires", "validation": 0.2, "test": 0.3, "seed": 0}
    if "characters" in wanted:
        return Dataset.model_validate({**parts, "problem": "generation", **wanted})
    words, classes = {"vocabulary": 50, "length": 8, **wanted}, ["gold", "tin"]
    asked = {"problem": "classification", "words": words, "classes": classes, "smallest_class": 0.0}
    return Dataset.model_validate({**parts, **asked})


@pytest.fixture
def wires(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Wires:
    workplace.mkdir()
    return Wires(workplace, monkeypatch)


def line(capsys: pytest.CaptureFixture[str], step: str) -> str:
    """The one line that told what is wrong."""
    errors = [each for each in capsys.readouterr().err.splitlines() if each.startswith("ERROR")]
    assert len(errors) == 1
    start = f"ERROR 3 {step} wires: "
    assert errors[0].startswith(start)
    return errors[0].removeprefix(start)


def bodies(**changed: str) -> list[str]:
    """Thirty different texts; `changed` are by their place, such as `at_3`."""
    numbers = np.random.default_rng(0).integers(0, 1000, (30, 12))
    made = [" ".join(f"w{number}" for number in row) for row in numbers]
    for place, text in changed.items():
        made[int(place.removeprefix("at_"))] = text
    return made


def packed(made: list[str], topics: tuple[str, ...] = ("gold", "tin")) -> bytes:
    documents = [{"body": body, "topics": [topics[place % len(topics)]]} for place, body in enumerate(made)]
    return json.dumps(documents).encode()


def test_good_texts_pass(wires: Wires) -> None:
    assert wires.run(packed(bodies()), *STEPS) == 0
    page = (places.validated("wires") / "report.html").read_text(encoding="utf-8")
    assert "14 of 14 expectations hold" in page
    assert "Lengths of the texts" in page
    assert prepared.read("wires", "train").samples.shape[1] == 8


NO_FILE = {
    "invalid UTF-8": (b'[{"body": "ma\xf1ana"}]', "`a.json` must be UTF-8. Received: byte 0xf1 in line 1"),
    "NUL": (b'[{"body": "a\n\0"}]', "`a.json` must be text. Received: a NUL in line 2"),
    "no JSON": (b"[{", "`a.json` must be JSON"),
    "nested deeply": (b"[" * 100_000 + b"]" * 100_000, "`a.json` must be JSON, and not nested too deeply"),
    "nested objects": (b'[{"body": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001 + b"]", "`a.json` must be JSON, and"),
    "many keys": (
        json.dumps([{"body": "b"}, {str(key): 1 for key in range(200_000)}]).encode(),
        "`a.json` must hold documents of at most 1000 keys. Received: document 1: 200000",
    ),
    "half a character": (
        packed(bodies(at_2="gold \ud800 rose")),
        r"`a.json` must hold whole characters. Received: document 2: '\ud800'",
    ),
    "empty list": (b"[]", "source `wires` must have 30 samples. Received: 0 images, 0 rows"),
    "empty file": (b"", "`a.json` must be JSON"),
}


@pytest.mark.parametrize("case", NO_FILE)
def test_a_file_that_cannot_be_read_is_named(wires: Wires, capsys: pytest.CaptureFixture[str], case: str) -> None:
    content, told = NO_FILE[case]
    assert wires.run(content, "ingest") == 3
    assert line(capsys, "ingest").startswith(told)
    assert not places.ingested("wires").exists()


SIMILAR = [f"{' '.join(f'v{place}' for place in range(40))} end{one}" for one in range(30)]

TEN_MEGABYTES = "word " * 2_000_000

NO_TEXT: dict[str, tuple[list[str], dict[str, object], dict[str, str]]] = {
    "no words": (bodies(at_4="😀😀 😀", at_5=" . - "), {}, {"words": "row 4: 0, row 5: 0"}),
    "too long": (
        bodies(at_7=TEN_MEGABYTES),
        {"longest": 100},
        {"words": "row 7: 2e+06", "longest_line": "row 7: 1e+07"},
    ),
    "garbled": (
        bodies(at_8="caf\ufffd con leche", at_9="maÃ±ana serÃ¡ otro dÃ\xada"),
        {},
        {"replaced": "row 8: 1", "mojibake": "row 9: 3"},
    ),
    "one word": (
        [" ".join(["gold"] * (place + 1)) for place in range(30)],
        {},
        {"split_words": "row 'train gold': 1, row 'train tin': 1"},
    ),
    "another language": (
        [*(f"{ENGLISH} {place}" for place in range(26)), *(f"{SPANISH} {place}" for place in range(4))],
        {"language": "en"},
        {"language": "received 4 of 30 otherwise, row 26: 'es'"},
    ),
    "nearly the same": (SIMILAR, {"near_duplicates": 2}, {"near": "received 30 of 30 otherwise, row 0: "}),
}


@pytest.mark.parametrize("case", NO_TEXT)
def test_a_text_that_breaks_a_promise_is_named(wires: Wires, capsys: pytest.CaptureFixture[str], case: str) -> None:
    made, wanted, told = NO_TEXT[case]
    assert wires.run(packed(made), "ingest", "validate", **wanted) == 3
    message = line(capsys, "validate")
    assert f"{len(told)} of " in message
    for column, rows in told.items():
        assert re.search(f"of column `{column}` [^;]*{re.escape(rows)}", message)
    assert not places.validated("wires").exists()


def test_texts_of_one_class_alone_are_refused(wires: Wires, capsys: pytest.CaptureFixture[str]) -> None:
    assert wires.run(packed(bodies(), topics=("tin",)), "ingest", "validate") == 3
    assert "row 'train tin': 1, row 'validation tin': 1, row 'test tin': 1" in line(capsys, "validate")


def test_what_is_allowed_passes(wires: Wires) -> None:
    """And control characters are left out by the reader, as the wire sent them to printers."""
    made = bodies(at_3="control\x07 bell", at_4="😀", at_5="! one", at_8="caf\ufffd con leche", at_9="maÃ±ana")
    assert wires.run(packed(made), *STEPS, garbled=0.05, shortest=0) == 0


def test_texts_that_are_nearly_the_same_are_shown(wires: Wires) -> None:
    """Of 41 words, 37 runs; another last word leaves 36 of 38."""
    assert wires.run(packed(SIMILAR), *STEPS[:2]) == 0
    page = (places.validated("wires") / "report.html").read_text(encoding="utf-8")
    assert "Texts of which another split has nearly the same" in page
    assert "<td>0.947</td>" in page


def plain(made: list[str], end: str = "\n") -> bytes:
    return f"{end}{end}".join(made).encode()


def test_paragraphs_of_plain_text_are_judged_alike(wires: Wires, capsys: pytest.CaptureFixture[str]) -> None:
    """The file and the line are told; and a control character is no text, where the reader leaves it in."""
    content = plain(bodies(at_3="a bell\x07 rang", at_5="😀"))
    assert wires.run(content, "ingest", "validate", reader="text") == 3
    message = line(capsys, "validate")
    assert "column `controls`" in message
    assert "row 3: 1." in message.replace("; ", ". ")
    assert "Row 3 is `a.txt, line 7`." in message
    assert "Row 5 is `a.txt, line 11`." in message


def test_texts_whose_characters_are_learnt_have_none_that_nobody_wrote(
    wires: Wires, capsys: pytest.CaptureFixture[str]
) -> None:
    content = plain(bodies(at_3="a bell\x07 rang", at_5="caf\ufffd con leche", at_8="maÃ±ana"))
    characters = {"vocabulary": 60, "length": 8}
    assert wires.run(content, "ingest", "validate", reader="text", characters=characters) == 3
    message = line(capsys, "validate")
    for column, row in (("controls", 3), ("replaced", 5), ("mojibake", 8)):
        assert re.search(f"of column `{column}` [^;]*row {row}: 1", message)


def test_marks_and_line_ends_change_nothing(wires: Wires) -> None:
    digests = []
    for content in (plain(bodies()), b"\xef\xbb\xbf" + plain(bodies(), end="\r\n")):
        assert wires.run(content, "ingest", reader="text") == 0
        digests.append(json.loads((places.ingested("wires") / "receipt.json").read_text())["digest"])
    assert digests[0] == digests[1]


class TestDescribe:
    def described(self, *made: str) -> pd.DataFrame:
        words = PROJECT.dataset("reuters").words
        assert words is not None
        return texts.describe(pd.Series(made), np.array(["train"] * len(made)), words)

    def test_lines_and_characters_are_counted(self) -> None:
        found = self.described("ab\nabcd\r\n", "\t\x85\x00\x1b", "«CAFÉ» ñandú São")
        assert found["longest_line"].tolist() == [5, 4, 16]
        assert found["controls"].tolist() == [0, 3, 0]
        assert found["mojibake"].tolist() == [0, 0, 0]
        assert found["words"].tolist() == [2, 0, 3]

    @pytest.mark.parametrize("text", "éñÁüª¿“—™€😀\ufeff\ufffd")
    def test_what_was_read_wrongly_is_found(self, text: str) -> None:
        garbled = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())
        assert self.described(f"x{garbled}y")["mojibake"].tolist() == [1]

    def test_languages_are_told_by_their_small_words(self) -> None:
        german = "Der Hund wollte nicht aus dem Haus gehen weil es schon spät und draußen kalt war"
        found = self.described(ENGLISH, SPANISH, german, "Shr 31 cts vs 42 cts Net 1.2 mln", "", "犬は家を出なかった")
        assert found["language"].tolist() == ["en", "es", *["unclear"] * 4]
