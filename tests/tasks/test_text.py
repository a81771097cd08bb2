"""The reader of plain text: how files are parted into documents, and what is no text."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tasks import catalogue, places
from tasks.catalogue import Source
from tasks.errors import BadData, BadRequest, Refused
from tasks.sources import contents, text

SHARED = places.ROOT.parent / "shared" / "datasets"
CHAPTERS = {"documents": "chapter", "heading": r"(Part|Chapter) \w+"}


def read(folder: Path, members: dict[str, bytes], **settings: str) -> list[tuple[str, str]]:
    """File and text of each document of the zip `a.zip`."""
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return read_file(folder, "a.zip", **settings)


def read_file(folder: Path, file: str, **settings: str) -> list[tuple[str, str]]:
    source = Source(reader="text", files={file: "0" * 64}, samples=1, licence="made up", settings=dict(settings))
    return list(text.read(folder, source).samples[["file", "text"]].itertuples(index=False, name=None))


def test_a_file_is_a_document(tmp_path: Path) -> None:
    members = {"x/b.txt": b"\nsecond\n\nfile\n", "x/a.txt": b"first", "x/readme.md": b"other", "x/c.txt": b""}
    found = [("x/a.txt", "first"), ("x/b.txt", "second\n\nfile"), ("x/c.txt", "")]
    assert read(tmp_path, members, documents="file") == found


def test_a_plain_file_is_read_as_one_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n\ntwo")
    assert read_file(tmp_path, "a.txt", documents="paragraph") == [("a.txt, line 1", "one"), ("a.txt, line 3", "two")]


def test_blank_lines_part_paragraphs(tmp_path: Path) -> None:
    content = b"\n\none\nand one\n \t\n\ntwo\n\n"
    found = read(tmp_path, {"a.txt": content}, documents="paragraph")
    assert [place for place, _ in found] == ["a.txt, line 3", "a.txt, line 7"]
    assert [document.strip() for _, document in found] == ["one\nand one", "two"]


def test_headings_begin_chapters(tmp_path: Path) -> None:
    content = b"Preface\nPart I\nChapter I\nThis Chapter I tells\nChapter II\nend"
    assert read(tmp_path, {"a.txt": content}, **CHAPTERS) == [
        ("a.txt, line 1", "Preface"),
        ("a.txt, line 2", "Part I\nChapter I\nThis Chapter I tells"),
        ("a.txt, line 5", "Chapter II\nend"),
    ]


def test_nothing_before_the_first_heading_is_no_document(tmp_path: Path) -> None:
    assert read(tmp_path, {"a.txt": b"\n \nChapter I\nx"}, **CHAPTERS) == [("a.txt, line 3", "Chapter I\nx")]


def test_marks_and_line_ends_are_of_no_account(tmp_path: Path) -> None:
    plain = read(tmp_path, {"a.txt": "Chapter I\nñandú\n\nb".encode()}, **CHAPTERS)
    for ends in ("\r\n", "\r"):
        content = f"Chapter I{ends}ñandú{ends}{ends}b".encode("utf-8-sig")
        assert read(tmp_path, {"a.txt": content}, **CHAPTERS) == plain


BAD = {
    "Latin-1": ("Añil\nmañana".encode("latin-1"), "`a.txt` must be UTF-8. Received: byte 0xf1 in line 1"),
    "cut short": ("uno\ndos\nmañ".encode()[:-1], "`a.txt` must be UTF-8. Received: byte 0xc3 in line 3"),
    "UTF-16": ("uno".encode("utf-16"), "`a.txt` must be UTF-8. Received: byte 0xff in line 1"),
    "surrogate": (b"uno\n\xed\xa0\x80", "`a.txt` must be UTF-8. Received: byte 0xed in line 2"),
    "NUL": (b"uno\ndos\0", "`a.txt` must be text. Received: a NUL in line 2"),
    "empty": (b"", "`a.zip` must hold documents. Received: none"),
    "blank": (b" \n\r\n\t", "`a.zip` must hold documents. Received: none"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_text_is_told(tmp_path: Path, case: str) -> None:
    content, told = BAD[case]
    with pytest.raises(BadData) as caught:
        read(tmp_path, {"a.txt": content}, documents="paragraph")
    assert str(caught.value) == told


def test_an_archive_without_a_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"`a.zip` must hold documents. Received: none"):
        read(tmp_path, {"a.txt": b"x"}, documents="file", path="b.*")


def test_a_book_without_a_heading_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"`a.txt` must have a line that matches .* Received: none in 2 lines"):
        read(tmp_path, {"a.txt": b"one\nChapter"}, **CHAPTERS)


def test_an_unknown_kind_of_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"`documents` must be one of file, paragraph, chapter. Received: 'verse'"):
        read(tmp_path, {"a.txt": b"one"}, documents="verse")


def test_no_text_may_be_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "BYTES", 2)
    (tmp_path / "a.txt").write_bytes(b"one")
    told = "`a.txt` must have at most 2 bytes. Received: 3"
    with pytest.raises(Refused, match=told):
        read_file(tmp_path, "a.txt", documents="file")
    with pytest.raises(Refused, match=told):
        read(tmp_path, {"a.txt": b"one"}, documents="file")


@pytest.mark.skipif(not (SHARED / "quijote.zip").exists(), reason="the real book is not here")
def test_the_real_book_has_its_chapters() -> None:
    source = catalogue.load().source("quijote")
    texts = text.read(SHARED, source).samples["text"]
    assert len(texts) == source.samples == 52 + 1 + 74
    assert texts[0].startswith("Primera parte del ingenioso hidalgo don Quijote de la Mancha\nCapítulo primero.")
    assert texts[52].startswith("LOS ACADÉMICOS DE LA ARGAMASILLA,")
    assert texts[53].startswith("Segunda parte del ingenioso caballero don Quijote de la Mancha\nCapítulo Primero.")
    assert texts[126].endswith("del todo, sin duda alguna. Vale.\nFin")
    assert sum(len(one.split()) for one in texts) == 375_784


@pytest.mark.parametrize(("most", "wanted"), [(2, ["ab"]), (3, ["ab", "c"]), (5, ["ab", "cde"]), (9, ["ab", "cde"])])
def test_only_the_first_characters_are_kept(most: int, wanted: list[str]) -> None:
    documents = [("one", "ab"), ("two", "cde")]
    assert [one for _, one in text.beginning(documents, most)] == wanted
