"""Readers of sources: small made-up files, good and bad, and generators that give equal bytes for equal seeds."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeRegressor

from tasks import catalogue, places
from tasks.catalogue import Source
from tasks.errors import BadData, BadRequest, Refused
from tasks.sources import books, cifar10, clothes, contents, houses, imdb, photographs, points, reuters

KNOWN = catalogue.load()
SHARED = places.ROOT.parent / "shared" / "datasets"


def made(name: str, **changes: object) -> Source:
    return KNOWN.source(name).model_copy(update=changes)


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


class TestCifar10:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Files of 20 photographs each instead of 10,000."""
        monkeypatch.setattr(cifar10, "ROWS", 20)
        for number, name in enumerate([*(f"data_batch_{one}.png" for one in range(1, 6)), "test_batch.png"]):
            Image.fromarray(np.full((20, 1024, 3), number, np.uint8)).save(tmp_path / name)
        (tmp_path / "train_lables.json").write_text(json.dumps([one % 10 for one in range(100)]))
        (tmp_path / "test_lables.json").write_text(json.dumps([3] * 20))
        return tmp_path

    def test_training_samples_come_first(self, folder: Path) -> None:
        raw = cifar10.read(folder, made("cifar10"))
        assert raw.images is not None
        assert raw.images.shape == (120, 32, 32, 3)
        assert raw.images[:, 0, 0, 0].tolist() == sorted(list(range(6)) * 20)
        assert raw.samples["label"][[0, 9, 100]].tolist() == ["airplane", "truck", "cat"]
        assert (raw.samples["split"] == "test").sum() == 20

    @pytest.mark.parametrize(
        ("file", "content"),
        [
            ("train_lables.json", b"[1, 2]"),
            ("train_lables.json", json.dumps([0.5] * 100).encode()),
            ("train_lables.json", json.dumps([10] * 100).encode()),
            ("train_lables.json", b"{"),
            ("data_batch_2.png", b"\x89PNG\r\n\x1a\n"),
            ("data_batch_2.png", jpeg((0, 0, 0))),
        ],
    )
    def test_a_broken_file_is_named(self, folder: Path, file: str, content: bytes) -> None:
        (folder / file).write_bytes(content)
        with pytest.raises(BadData, match=f"`{file}` must"):
            cifar10.read(folder, made("cifar10"))

    def test_another_size_is_refused(self, folder: Path) -> None:
        Image.new("L", (1024, 20)).save(folder / "test_batch.png")
        with pytest.raises(BadData, match=r"test_batch.png.*RGB"):
            cifar10.read(folder, made("cifar10"))


class TestReuters:
    def read(self, folder: Path, documents: object, smallest: int = 1) -> list[tuple[str, str]]:
        (folder / "a.json").write_text(json.dumps(documents))
        source = made("reuters", files={"a.json": "0" * 64}, settings={"smallest_class": smallest})
        return list(reuters.read(folder, source).samples[["label", "text"]].itertuples(index=False, name=None))

    def test_one_topic_and_a_body_are_kept(self, tmp_path: Path) -> None:
        documents = [
            {"title": "T", "body": "text\x03", "topics": ["tin"]},
            {"title": "two", "body": "b", "topics": ["tin", "gold"]},
            {"title": "no body", "topics": ["tin"]},
            {"body": "no topic"},
            {"body": "rare", "topics": ["gold"]},
            {"body": "second", "topics": ["tin"]},
        ]
        assert self.read(tmp_path, documents, smallest=2) == [("tin", "T\ntext"), ("tin", "\nsecond")]

    @pytest.mark.parametrize("documents", [{"a": 1}, [1], [{"body": 3, "topics": ["x"]}], [{"topics": 5, "body": "b"}]])
    def test_what_is_no_list_of_documents_is_refused(self, tmp_path: Path, documents: object) -> None:
        with pytest.raises(BadData, match=r"`a.json` must"):
            self.read(tmp_path, documents)


class TestImdb:
    def read(self, folder: Path, content: bytes) -> list[tuple[str, str, str]]:
        (folder / "a.json").write_bytes(content)
        samples = imdb.read(folder, made("imdb", files={"a.json": "0" * 64})).samples
        return list(samples[["label", "text", "split"]].itertuples(index=False, name=None))

    def test_sentiments_are_named_and_breaks_are_new_lines(self, tmp_path: Path) -> None:
        reviews = [{"t": "Bad.<br /><br />Very <i>bad</i>.<BR>", "s": 0}, {"t": "Bon caf\u00e9<br/>", "s": 1}]
        wanted = [("negative", "Bad.\n\nVery <i>bad</i>.\n", ""), ("positive", "Bon café\n", "")]
        assert self.read(tmp_path, json.dumps(reviews).encode()) == wanted

    def test_control_characters_are_the_marks_that_they_stand_for_or_blanks(self, tmp_path: Path) -> None:
        reviews = [{"t": "\x93So\x94 \x96 it\x92s\x85\x81bad\x07\x7f\tcaf\u00e9\r\n", "s": 0}]
        wanted = [("negative", "“So” – it’s… bad  \tcafé\r\n", "")]
        assert self.read(tmp_path, json.dumps(reviews).encode()) == wanted

    @pytest.mark.parametrize(
        "content",
        [
            b'{"t": "x", "s": 1}',
            b"[1]",
            b'[{"t": "x"}]',
            b'[{"s": 1}]',
            b'[{"t": 3, "s": 1}]',
            b'[{"t": "x", "s": 2}]',
            b'[{"t": "x", "s": true}]',
            b'[{"t": "x", "s": 1.0}]',
            b"[{",
            b'[{"t": "\xff", "s": 1}]',
        ],
    )
    def test_what_is_no_list_of_reviews_is_refused(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(BadData, match=r"`a.json` must"):
            self.read(tmp_path, content)


COLOURS = {
    "bathroom": (250, 10, 10),
    "bedroom": (10, 250, 10),
    "frontal": (10, 10, 250),
    "kitchen": (240, 240, 240),
}


class TestHouses:
    def archive(self, folder: Path, rows: list[str], **changes: bytes) -> Source:
        members = {"x/HousesInfo.txt": "\n".join(rows).encode()}
        for house in range(1, len(rows) + 1):
            members |= {f"x/{house}_{room}.jpg": jpeg(colour) for room, colour in COLOURS.items()}
        members |= {f"x/{name}": content for name, content in changes.items()}
        zipped(folder / "houses.zip", members)
        return made("houses", settings={"size": 16, "smallest_zipcode": 2})

    def test_the_mosaic_goes_clockwise(self, tmp_path: Path) -> None:
        source = self.archive(tmp_path, ["3 2 1500 90210 500000", "1 1 900 90210 80000", "2 1 800 11111 70000"])
        raw = houses.read(tmp_path, source)
        assert raw.images is not None
        corners = {"bathroom": (4, 4), "bedroom": (4, 12), "frontal": (12, 12), "kitchen": (12, 4)}
        for room, (row, column) in corners.items():
            assert np.abs(raw.images[0, row, column].astype(int) - COLOURS[room]).max() < 12, room
        assert raw.samples["zipcode"].tolist() == ["90210", "90210"]
        assert raw.samples["price"].tolist() == [500000, 80000]

    @pytest.mark.parametrize("row", ["3 2 1500 90210", "three 2 1500 90210 500000"])
    def test_a_broken_row_is_told(self, tmp_path: Path, row: str) -> None:
        with pytest.raises(BadData, match=r"HousesInfo.txt"):
            houses.read(tmp_path, self.archive(tmp_path, [row, row]))

    def test_a_broken_photograph_is_named(self, tmp_path: Path) -> None:
        rows = ["3 2 1500 90210 500000", "1 1 900 90210 80000"]
        source = self.archive(tmp_path, rows, **{"2_kitchen.jpg": jpeg((0, 0, 0))[:200]})
        with pytest.raises(BadData, match=r"2_kitchen.jpg"):
            houses.read(tmp_path, source)

    @pytest.mark.skipif(not (SHARED / "houses.zip").exists(), reason="the real houses are not here")
    def test_the_real_ones_are_the_course_s(self) -> None:
        raw = houses.read(SHARED, made("houses"))
        assert len(raw.samples) == 384
        assert raw.samples["zipcode"].nunique() == 8
        assert raw.samples["price"].agg(["min", "max", "mean"]).tolist() == [36_000, 5_858_000, 527_956.125]
        train, test = train_test_split(np.arange(384), test_size=0.25, random_state=42)
        assert np.flatnonzero(raw.samples["split"] == "test").tolist() == sorted(test)
        assert (len(train), len(test)) == (288, 96)


PATHS = {"size": 8, "path": r"(.*/)?(?P<label>cat|dog)/[^/]+\.jpg"}


class TestPhotographs:
    def read(self, folder: Path, members: dict[str, bytes]) -> photographs.Raw:
        zipped(folder / "a.zip", members)
        return photographs.read(folder, made("pets", files={"a.zip": "0" * 64}, settings=PATHS))

    def test_the_class_is_in_the_path(self, tmp_path: Path) -> None:
        raw = self.read(tmp_path, {"p/dog/1.jpg": jpeg((250, 0, 0)), "p/cat/2.jpg": jpeg((0, 0, 250)), "p/readme": b""})
        assert raw.samples[["label", "file"]].values.tolist() == [["cat", "p/cat/2.jpg"], ["dog", "p/dog/1.jpg"]]
        assert raw.images is not None
        assert raw.images.shape == (2, 8, 8, 3)
        assert raw.images[1, 4, 4].tolist() == pytest.approx([250, 0, 0], abs=8)

    def test_a_turned_photograph_is_turned_back(self, tmp_path: Path) -> None:
        picture = Image.new("RGB", (32, 32))
        picture.paste((255, 255, 255), (0, 0, 32, 16))  # bright above, but the camera lay on its side
        stream, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = 6
        picture.save(stream, "JPEG", exif=exif, quality=95)
        raw = self.read(tmp_path, {"cat/1.jpg": stream.getvalue()})
        assert raw.images is not None
        assert raw.images[0, :, 6].min() > 200
        assert raw.images[0, :, 1].max() < 60

    def test_nothing_that_matches_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(BadData, match=r"`a.zip` must hold photographs"):
            self.read(tmp_path, {"cow/1.jpg": jpeg((0, 0, 0))})

    @pytest.mark.parametrize("cap", ["MEMBERS", "BYTES", "PIXELS"])
    def test_no_archive_may_be_too_much(self, tmp_path: Path, cap: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(contents, cap, 1)
        with pytest.raises(Refused, match="at most 1"):
            self.read(tmp_path, {"cat/1.jpg": jpeg((0, 0, 0)), "cat/2.jpg": jpeg((0, 0, 0))})

    def test_a_file_that_is_no_archive_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "a.zip").write_bytes(b"PK no")
        with pytest.raises(BadData, match=r"`a.zip` must be a whole zip"):
            photographs.read(tmp_path, made("pets", files={"a.zip": "0" * 64}, settings=PATHS))


GENERATED: dict[str, Callable[[Path, Source], photographs.Raw]] = {
    "circle": points.read,
    "xor": points.read,
    "spiral": points.read,
    "gauss": points.read,
    "clothes": clothes.read,
    "books": books.read,
}


@pytest.mark.parametrize("name", list(GENERATED))
def test_a_seed_says_all(name: str) -> None:
    def bytes_of(seed: int) -> bytes:
        raw = GENERATED[name](Path(), made(name, samples=60, settings={**KNOWN.source(name).settings, "seed": seed}))
        return raw.samples.to_csv().encode() + (b"" if raw.images is None else raw.images.tobytes())

    assert bytes_of(0) == bytes_of(0)
    assert bytes_of(0) != bytes_of(1)


@pytest.mark.parametrize("name", ["circle", "xor", "spiral", "gauss"])
def test_points_are_half_and_half(name: str) -> None:
    raw = points.read(Path(), made(name))
    assert raw.samples["label"].value_counts().to_dict() == {"a": 500, "b": 500}


def test_points_lie_where_their_shape_says() -> None:
    def found(shape: str) -> tuple[np.ndarray, np.ndarray]:
        table = points.read(Path(), made("circle", settings={"shape": shape, "noise": 0, "seed": 0})).samples
        return table[["x1", "x2"]].to_numpy(), table["label"].to_numpy() == "b"

    where, second = found("circle")
    radius = np.hypot(*where.T)
    assert radius[~second].max() <= 2.5 < 3.5 <= radius[second].min()
    where, second = found("xor")
    np.testing.assert_array_equal(where.prod(axis=1) < 0, second)


def test_an_unknown_shape_lists_the_known() -> None:
    with pytest.raises(BadRequest, match="circle, xor, spiral, gauss"):
        points.read(Path(), made("circle", settings={"shape": "star", "noise": 0, "seed": 0}))


def test_the_price_of_clothes_needs_every_branch() -> None:
    """Of the facts that made it, a tree without one branch's errs at least a fifth more."""
    rng = np.random.default_rng(3)
    facts = clothes.draw_facts(3000, rng)
    price = np.log(clothes.price(facts, rng))
    columns = {
        "brand": facts["brand"].map(clothes.BRANDS),
        "months": facts["months"],
        "fabric": facts["fabric"].map(clothes.FABRICS),
        "condition": facts["condition"],
        "kind": facts["kind"].map(clothes.KINDS),
        "stained": facts["stained"],
    }
    branches = {
        "metadata": ("brand", "months"),
        "description": ("fabric", "condition"),
        "photograph": ("kind", "stained"),
    }

    def error(left_out: tuple[str, ...]) -> float:
        known = np.stack([column for name, column in columns.items() if name not in left_out], axis=1)
        tree = DecisionTreeRegressor(min_samples_leaf=3, random_state=0).fit(known[:2000], price[:2000])
        return float(np.abs(tree.predict(known[2000:]) - price[2000:]).mean())

    whole = error(())
    assert all(error(branch) > 1.2 * whole for branch in branches.values())


def test_the_year_of_a_book_is_in_its_paper() -> None:
    raw = books.read(Path(), made("books", samples=300))
    assert raw.images is not None
    paper = np.median(raw.images.mean(axis=3), axis=(1, 2))
    assert np.corrcoef(paper, raw.samples["year"])[0, 1] > 0.95
    assert set(raw.samples["label"]) == set(books.STYLES)
