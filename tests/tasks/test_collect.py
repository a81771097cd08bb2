"""Collecting: what becomes of every hostile answer in the end, what a second run changes, and what a refusal leaves."""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import brought, catalogue, cleaning, collect, gallery, ingested, places, removed
from tasks.catalogue import Catalogue, Collection
from tasks.collected import ATTRIBUTION, METADATA, OUTCOMES
from tasks.errors import BadData, Unavailable
from tasks.outside import expectations, fetcher
from tasks.outside.expectations import Expectation, Verdict
from tasks.outside.fetcher import Manners
from tasks.outside.providers import Candidate
from tasks.receipts import Collected, Ingested, Searched, seal
from tasks.search import CANDIDATES
from tests.tasks import photoserver
from tests.tasks.conftest import move
from tests.tasks.hostile import ALLOWED, CASES, LARGEST, Case, Hostile, jpeg, packed, refused, scenes
from tests.tasks.photoserver import PhotoServer

NAME = "things"
SETTINGS: dict[str, Any] = {
    "provider": "urls",
    "settings": {"allow_networks": " ".join(ALLOWED)},
    "classes": {"coffee": ["coffee"], "web": ["web"]},
    "wanted": 100,
    "least": 8,
    "licences": ["by"],
    "largest": 256,
    "size": 32,
    "test": 0.3,
    "seed": 0,
}
LABELS = list(SETTINGS["classes"])
QUICK: dict[str, Any] = {
    "connect": 2,
    "read": 1,
    "total": 2,
    "backoff": 0.02,
    "per_host": 8,
    "breaker": 1000,
    "largest": LARGEST,
}

Row = tuple[str, str]
"""Label and address of a candidate."""


class Workplace:
    """A project with one collection and nothing else, whose fetcher is quick to give up."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.patch, self.folder, self.data = patch, folder, move(folder, patch)
        patch.setattr(places, "REMOVED", self.data / "removed.txt")
        patch.setattr(brought, "Manners", partial(Manners, **QUICK))
        self.set()

    def set(self, **changes: Any) -> None:
        """Let the collection be SETTINGS with `changes`."""
        collection = Collection.model_validate(SETTINGS | changes)
        known = Catalogue(sources={}, collections={NAME: collection}, datasets={}, recipes={})
        self.patch.setattr(catalogue, "load", lambda: known)

    def search(self, rows: list[Row], **changes: Any) -> None:
        """Write what the step search writes when it finds these."""
        table = pd.DataFrame([candidate(number, url) | changes for number, (_, url) in enumerate(rows)], columns=FIELDS)
        table.insert(0, "label", [label for label, _ in rows])
        with places.whole_folder(places.searched(NAME)) as folder:
            table.astype({"width": "Int64", "height": "Int64"}).to_parquet(folder / CANDIDATES, index=False)
            counts = dict(Counter(label for label, _ in rows))
            Searched(name=NAME, digest=seal(folder, [CANDIDATES]), provider="urls", candidates=counts).write(folder)

    @property
    def metadata(self) -> pd.DataFrame:
        return pd.read_parquet(places.collected(NAME) / METADATA)

    @property
    def outcomes(self) -> dict[str, tuple[str, str]]:
        """Outcome and reason by address."""
        table = pd.read_parquet(places.collected(NAME) / OUTCOMES)
        return dict(zip(table["url"], zip(table["outcome"], table["reason"], strict=True), strict=True))

    @property
    def report(self) -> str:
        return (places.collected(NAME) / "report.html").read_text(encoding="utf-8")

    def picture(self, url: str) -> Path:
        """Where the picture from an address is kept."""
        (path,) = self.metadata.loc[self.metadata["url"] == url, "path"]
        return places.collected(NAME) / str(path)


FIELDS = [field.name for field in fields(Candidate)]


def candidate(number: int, url: str) -> dict[str, Any]:
    """What a provider says of an image."""
    return asdict(
        Candidate(
            url=url,
            source_page=f"https://example.org/{number}",
            title=f"picture {number}",
            author="A. Nyone",
            author_url="",
            license="by",
            license_version="4.0",
            license_url="https://creativecommons.org/licenses/by/4.0/",
            attribution="",
            provider="urls",
            provider_id=f"{number:04}",
            query="anything",
            rank=number,
            width=None,
            height=None,
            mime="",
        )
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    return Workplace(tmp_path, monkeypatch)


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every expectation hold, at no cost: for what is not about them."""

    def judge(_: str, __: object, asked: list[Expectation], docs: Path) -> list[Verdict]:
        docs.mkdir()
        return [Verdict(one, True, "") for one in asked]

    monkeypatch.setattr(expectations, "judge", judge)


@pytest.fixture(scope="module")
def web() -> Iterator[Hostile]:
    with Hostile() as sites:
        yield sites


@cache
def photographs(count: int = 14) -> dict[str, bytes]:
    """Photographs of two classes, by path."""
    crops = photoserver.crops(count)
    return {f"{label}{number}.jpg": one for label in ("coffee", "cat") for number, one in enumerate(crops[label])}


@pytest.fixture
def photos() -> Iterator[PhotoServer]:
    with PhotoServer(photographs()) as server:
        yield server


def ordinary(photos: PhotoServer) -> list[Row]:
    """Two classes of photographs, of which the cats are those from the web."""
    return [("coffee" if path.startswith("coffee") else "web", f"{photos.address}/{path}") for path in photos.files]


class Ear:
    """Hears which files this process writes."""

    def __init__(self) -> None:
        self.listens, self.heard = False, list[str]()
        sys.addaudithook(self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self.listens and event == "open" and isinstance(args[0], str) and args[2] & (os.O_WRONLY | os.O_RDWR):
            self.heard.append(args[0])

    @contextmanager
    def listening(self) -> Iterator[None]:
        self.listens = True
        try:
            yield
        finally:
            self.listens = False


def content(folder: Path) -> dict[str, str]:
    """The sha256 of every file, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Everything:
    """One run over all hostile cases, among ordinary photographs."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, web: Hostile) -> None:
        place, ear = Workplace(folder, patch), Ear()
        self.folder, self.data = folder, place.data
        with PhotoServer(photographs(30)) as photos:
            others = [row for row in ordinary(photos) if row[0] == "coffee"]
            self.candidates = [*(("web", web.url(case.path)) for case in CASES), *others]
            place.search(self.candidates)
            web.hits.clear()
            with ear.listening():
                self.receipt = collect.collect(NAME)
        self.heard, self.hits = ear.heard, list(web.hits)
        self.outcomes, self.metadata, self.report = place.outcomes, place.metadata, place.report
        self.collected, self.ingested = places.collected(NAME), places.ingested(NAME)

    def row(self, url: str) -> dict[str, Any]:
        (row,) = self.metadata[self.metadata["url"] == url].to_dict("records")
        return {str(column): value for column, value in row.items()}


@pytest.fixture(scope="module")
def everything(web: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    with pytest.MonkeyPatch.context() as patch:
        return Everything(tmp_path_factory.mktemp("everything"), patch, web)


@pytest.mark.parametrize("case", CASES, ids=[case.path[:40] or "nothing" for case in CASES])
def test_every_hostile_case_ends_as_it_must(case: Case, everything: Everything, web: Hostile) -> None:
    assert everything.outcomes[web.url(case.path)] == case.right, case.what


def test_totals_add_up(everything: Everything) -> None:
    receipt, total = everything.receipt, len(everything.candidates)
    assert total == len(CASES) + 30 == receipt.candidates == sum(receipt.outcomes.values())
    assert len(everything.outcomes) == total
    right = Counter(case.right[0] for case in CASES) + Counter(kept=30)
    assert receipt.outcomes == {outcome: right[outcome] for outcome in receipt.outcomes}
    assert sum(receipt.kept.values()) == len(everything.metadata) == right["kept"]
    assert receipt.kept["coffee"] == 30


def test_nothing_else_is_kept(everything: Everything, web: Hostile) -> None:
    right = {web.url(case.path) for case in CASES if case.right[0] == "kept"}
    assert set(everything.metadata.loc[everything.metadata["label"] == "web", "url"]) == right
    files = {str(path.relative_to(everything.collected)) for path in everything.collected.glob("images/**/*.jpg")}
    assert files == set(everything.metadata["path"])
    for path in files:
        assert hashlib.sha256((everything.collected / path).read_bytes()).hexdigest() == Path(path).stem


def test_all_is_written_below_the_data_folder_and_nothing_is_left_aside(everything: Everything) -> None:
    assert [path.name for path in everything.folder.iterdir()] == ["data"]
    assert [one for one in everything.heard if everything.data not in Path(one).absolute().parents] == []
    assert everything.heard
    left = [path for path in everything.data.rglob("*") if path.name.endswith((".part", ".old", ".tmp"))]
    assert left == []
    assert not (everything.data / "scratch" / "fetched" / "tmp").exists()
    assert not (everything.data / "scratch" / "collections" / NAME).exists()


def test_private_and_forbidden_addresses_are_never_asked(everything: Everything) -> None:
    assert everything.hits
    assert [hit for hit in everything.hits if hit.site == "other" or hit.path.startswith("/forbidden/")] == []


def test_near_duplicates_are_one_group_in_one_split(everything: Everything, web: Hostile) -> None:
    ok, near, other = (everything.row(web.url(path)) for path in ("/ok.jpg", "/near.jpg", "/photo.webp"))
    assert ok["sha256"] != near["sha256"]
    assert (ok["group_id"], ok["split"]) == (near["group_id"], near["split"])
    assert other["group_id"] != ok["group_id"]
    assert set(everything.metadata["split"]) == {"train", "test"}
    assert (everything.metadata.groupby("group_id")["split"].nunique() == 1).all()


def test_what_is_turned_is_upright_and_tells_nothing_of_its_place(everything: Everything, web: Hostile) -> None:
    row = everything.row(web.url("/turned.jpg"))
    assert (row["source_width"], row["source_height"], row["width"], row["height"]) == (280, 320, 224, 256)
    with Image.open(everything.collected / row["path"]) as picture:
        assert not picture.getexif()
        shown = np.asarray(picture, float)
    upright = scenes()[11].transpose(Image.Transpose.ROTATE_270).resize((224, 256), Image.Resampling.LANCZOS)
    assert np.abs(shown - np.asarray(upright, float)).mean() < 6


@pytest.mark.parametrize("mark", [b"Exif", b"ICC_PROFILE", b"ns.adobe.com", b"Photoshop", b"PK\x03\x04", b"Adobe"])
def test_no_picture_keeps_anything_but_what_it_shows(mark: bytes, everything: Everything) -> None:
    assert not [path for path in everything.collected.glob("images/**/*.jpg") if mark in path.read_bytes()]


def test_models_get_a_square_of_every_image(everything: Everything) -> None:
    folder = everything.ingested / ingested.SAMPLES
    images, table = np.load(folder / "images.npy"), pd.read_parquet(folder / "table.parquet")
    assert (images.shape, images.dtype) == ((len(everything.metadata), 32, 32, 3), np.uint8)
    for column in ("label", "split", "group_id", "sample_id"):
        assert table[column].tolist() == everything.metadata[column].tolist()
    one = everything.metadata["path"].iloc[3]
    with Image.open(everything.collected / one) as picture:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        middle = picture.crop((left, top, left + side, top + side)).resize((32, 32), Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(middle, float) - images[3]).mean() < 6


def test_whoever_made_an_image_is_thanked(everything: Everything) -> None:
    thanks = (everything.collected / ATTRIBUTION).read_text(encoding="utf-8")
    assert all(f"`{sample}`" in thanks for sample in everything.metadata["sample_id"])
    assert thanks.count("A. Nyone") == len(everything.metadata)


def test_the_report_has_every_reason(everything: Everything) -> None:
    for outcome, reason in {case.right for case in CASES if case.right[0] != "kept"}:
        assert f"{outcome}: {reason} (" in everything.report


@pytest.mark.usefixtures("unjudged")
def test_one_picture_under_two_labels_is_quarantined_and_shown(
    place: Workplace, photos: PhotoServer, web: Hostile
) -> None:
    web.routes["/again.jpg"] = lambda _, wire: wire.answer(packed(scenes()[0].resize((200, 175)), quality=70))
    both = [("coffee", web.url("/ok.jpg")), ("web", web.url("/again.jpg"))]
    place.search([*ordinary(photos), *both], title="<script>alert(1)</script>")
    receipt = collect.collect(NAME)
    assert [place.outcomes[url] for _, url in both] == [("quarantined", "two_labels")] * 2
    assert receipt.outcomes["quarantined"] == 2
    shown = place.report.partition("quarantined: two_labels (2)")[2].partition("</details>")[0]
    assert shown.count("<img ") == 2
    assert all(url in shown for _, url in both)
    assert "<script>alert" not in place.report


@pytest.mark.usefixtures("unjudged")
def test_a_recheck_that_finds_all_unchanged_changes_nothing(place: Workplace, photos: PhotoServer) -> None:
    place.set(recheck=0.0)
    place.search(ordinary(photos))
    first = collect.collect(NAME)
    before = (places.collected(NAME) / METADATA).read_bytes(), Ingested.read(places.ingested(NAME))
    again = collect.collect(NAME)
    assert all(photos.asked(path) == [200, 304] for path in photos.files)
    assert ((places.collected(NAME) / METADATA).read_bytes(), Ingested.read(places.ingested(NAME))) == before
    assert again == first


@pytest.mark.usefixtures("unjudged")
def test_what_is_known_is_not_asked_for_again(place: Workplace, photos: PhotoServer) -> None:
    place.search(ordinary(photos))
    assert brought.is_due(NAME, places.searched(NAME))
    first = collect.collect(NAME)
    asked = list(photos.requests)
    assert not brought.is_due(NAME, places.searched(NAME))
    assert collect.collect(NAME) == first
    assert photos.requests == asked
    place.set(recheck=0.0)
    assert brought.is_due(NAME, places.searched(NAME))


@pytest.mark.usefixtures("unjudged")
def test_a_bad_night_takes_no_image_away_but_its_owner_does(
    place: Workplace, photos: PhotoServer, web: Hostile
) -> None:
    fails, gone = ("web", web.url("/tonight.jpg")), ("web", web.url("/owned.jpg"))
    web.routes |= {
        "/tonight.jpg": lambda _, wire: wire.answer(jpeg(2)),
        "/owned.jpg": lambda _, wire: wire.answer(jpeg(3)),
    }
    place.set(recheck=0.0)
    place.search([*ordinary(photos), fails, gone])
    collect.collect(NAME)
    before, picture = place.metadata, place.picture(gone[1])
    web.routes |= {
        "/tonight.jpg": lambda _, wire: wire.answer(b"<p>Sorry", status="500 Error", kind="text/html"),
        "/owned.jpg": refused("410 Gone"),
    }
    for _ in range(2):
        collect.collect(NAME)
        assert place.outcomes[fails[1]] == ("kept", "")
        assert place.outcomes[gone[1]] == ("gone", "http_410")
        assert place.metadata.equals(before[before["url"] != gone[1]].reset_index(drop=True))
        assert not picture.exists()


@pytest.mark.usefixtures("unjudged")
def test_what_is_on_the_list_is_not_kept_whatever_names_it(place: Workplace, photos: PhotoServer) -> None:
    place.set(recheck=0.0)
    place.search(ordinary(photos))
    assert collect.collect(NAME).removed == ""
    before = place.metadata
    first, second, third = before.index[[2, 9, 15]]
    lines = [before.loc[first, "url"], before.loc[second, "source_sha256"], before.loc[third, "sha256"]]
    gone = before.loc[[first, second, third]]
    thumbnails = [gallery.thumbnail(places.collected(NAME) / path) for path in gone["path"]]
    assert all(thumbnail in place.report for thumbnail in thumbnails)
    places.REMOVED.write_text("".join(f"{line} its owner asked\n" for line in lines), encoding="utf-8")
    receipt = collect.collect(NAME)
    assert receipt.removed == hashlib.sha256(places.REMOVED.read_bytes()).hexdigest()
    assert [place.outcomes[url] for url in gone["url"]] == [("rejected", "removed")] * 3
    assert set(place.metadata["url"]) == set(before["url"]) - set(gone["url"])
    assert not [path for path in gone["path"] if (places.collected(NAME) / path).exists()]
    assert not [thumbnail for thumbnail in thumbnails if thumbnail in place.report]
    path = gone["url"].iloc[0].rpartition("/")[2]
    assert photos.asked(path) == [200]  # nobody asks for an address that is on the list
    assert not fetcher.raw(places.fetched(), gone["source_sha256"].iloc[1]).exists()
    assert not list(places.cleaned().glob(f"*/*/{gone['sha256'].iloc[2]}.jpg"))


@pytest.mark.usefixtures("unjudged")
def test_an_image_is_known_by_all_its_names(place: Workplace, photos: PhotoServer) -> None:
    place.search(ordinary(photos))
    collect.collect(NAME)
    image = place.metadata.iloc[4]
    names = sorted({image["url"], image["source_sha256"], image["sha256"]})
    assert all(removed.names(name) == names for name in names)
    assert removed.names("f" * 64) == ["f" * 64]


@pytest.mark.usefixtures("unjudged")
def test_images_of_a_folder(place: Workplace, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("mine")
    folder = outside / "images"
    for path, photograph in photographs().items():
        kind = "coffee" if path.startswith("coffee") else "web"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / path).write_bytes(photograph)
    good = [(path.parent.name, f"file:{path.relative_to(folder)}") for path in sorted(folder.rglob("*.jpg"))]
    (outside / "secret.jpg").write_bytes(jpeg(5))
    (folder / "web" / "leads_out.jpg").symlink_to(outside / "secret.jpg")
    (folder / "web" / "text.jpg").write_text("no picture at all", encoding="utf-8")
    (folder / "web" / "photo.tiff").write_bytes(packed(scenes()[6], "TIFF"))
    bad = {
        "file:web/leads_out.jpg": ("rejected", "address"),
        "file:../secret.jpg": ("rejected", "address"),
        f"file:{outside}/secret.jpg": ("rejected", "address"),
        "file:web/text.jpg": ("rejected", "not_an_image"),
        "file:web/photo.tiff": ("rejected", "format"),
        "file:web/went_away.jpg": ("gone", "no_file"),
    }
    place.set(provider="folder", settings={"folder": str(folder)})
    place.search([*good, *(("web", url) for url in bad)])
    before = content(outside)
    receipt = collect.collect(NAME)
    assert place.outcomes == {url: ("kept", "") for _, url in good} | bad
    assert receipt.kept == {"coffee": 14, "web": 14}
    assert content(outside) == before
    first = (places.collected(NAME) / METADATA).read_bytes()
    assert collect.collect(NAME) == receipt
    assert (places.collected(NAME) / METADATA).read_bytes() == first
    assert brought.is_due(NAME, places.searched(NAME)), "a folder is always looked at"


def test_a_shortfall_is_refused_and_leaves_what_was_there(place: Workplace, photos: PhotoServer, web: Hostile) -> None:
    for folder in (places.collected(NAME), places.ingested(NAME)):
        places.write_whole(folder / "of_before", "what an earlier run wrote")
    before = [content(place.data / part) for part in ("collected", "ingested")]
    place.set(least=15)
    place.search([*ordinary(photos), *(("coffee", web.url(f"/{path}.jpg")) for path in ("ok", "octet"))])
    with pytest.raises(BadData, match="row 'web': 14") as error:
        collect.collect(NAME)
    assert "coffee" not in str(error.value)
    assert [content(place.data / part) for part in ("collected", "ingested")] == before
    report = Path(str(error.value).rpartition("Report: ")[2])
    assert report.is_relative_to(places.SCRATCH)
    assert "15 of each class are needed" in report.read_text(encoding="utf-8")
    assert (report.parent / "docs" / "index.html").is_file()


@pytest.mark.parametrize("lost", [["web"], ["web", "coffee"]], ids=["one class", "all"])
def test_a_class_of_which_nothing_comes_is_named(
    lost: list[str], place: Workplace, photos: PhotoServer, web: Hostile
) -> None:
    good = [row for row in ordinary(photos) if row[0] not in lost]
    place.search([*good, *((label, web.url(path)) for label in lost for path in ("/missing.jpg", "/truncated.jpg"))])
    with pytest.raises(BadData) as error:
        collect.collect(NAME)
    assert all(f"row '{label}': 0" in str(error.value) for label in lost)
    assert not places.collected(NAME).exists()
    assert not places.ingested(NAME).exists()


def test_a_licence_that_is_not_allowed_is_not_even_asked_for(place: Workplace, photos: PhotoServer) -> None:
    place.search(ordinary(photos), license="by-nd")
    with pytest.raises(BadData):
        collect.collect(NAME)
    assert photos.requests == []


def test_where_no_address_answers_the_web_is_not_there(place: Workplace) -> None:
    place.search([(label, f"http://127.0.0.1:1/{label}{number}.jpg") for number in range(5) for label in LABELS])
    with pytest.raises(Unavailable, match="none of 10, the first robots_unreachable"):
        collect.collect(NAME)
    assert not places.collected(NAME).exists()


@pytest.mark.usefixtures("unjudged")
def test_a_stored_picture_that_was_altered_is_found_before_anything_is_written(
    place: Workplace, photos: PhotoServer
) -> None:
    place.search(ordinary(photos))
    collect.collect(NAME)
    before = [content(place.data / part) for part in ("collected", "ingested")]
    stored = next(path for path in places.cleaned().rglob("*.jpg"))
    stored.write_bytes(packed(scenes()[7], quality=95))
    with pytest.raises(BadData, match="must have the sha256 of its name"):
        collect.collect(NAME)
    assert [content(place.data / part) for part in ("collected", "ingested")] == before


def test_the_receipt_says_what_there_is(everything: Everything) -> None:
    assert Collected.read(everything.collected) == everything.receipt
    assert everything.receipt.expectations == 34
    assert set(everything.metadata["pipeline_version"]) == {cleaning.VERSION}
