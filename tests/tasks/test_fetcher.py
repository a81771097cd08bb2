"""Images from the web: what comes of every hostile answer, and how politely, safely and resumably it is asked for."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from PIL import Image
from yarl import URL

from tasks import places
from tasks.errors import BadData, BadRequest
from tasks.outside import fetcher
from tasks.outside.fetcher import (
    Fetched,
    Manners,
    Progress,
    addresses,
    crawl,
    formats,
    network,
    robots,
    state,
    transfer,
)
from tasks.outside.fetcher.addresses import Rejected
from tasks.outside.fetcher.hosts import Job
from tests.tasks import hostile
from tests.tasks.hostile import ALLOWED, CASES, LARGEST, Case, Hostile, Wire, jpeg

CHILD = """
import signal
import sys
from pathlib import Path
from tasks.outside import fetcher
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
file, folder, *settings = sys.argv[1:]
changes = {name: int(value) for name, value in (one.split("=") for one in settings)}
manners = fetcher.Manners(allow_networks=("127.0.0.1/32",), **changes)
ended = fetcher.fetch(Path(file).read_text().split("\\n"), Path(folder), manners=manners)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss knows the parent's too
print(peak.split()[1], len(ended))
"""


def manners(**changes: Any) -> Manners:
    """Quick ones, that may ask this machine."""
    quick = {"connect": 2, "read": 1, "total": 2, "backoff": 0.02, "per_host": 8, "breaker": 1000, "largest": LARGEST}
    return Manners(allow_networks=ALLOWED, **{**quick, **changes})


@pytest.fixture(scope="module")
def web() -> Iterator[Hostile]:
    with Hostile() as sites:
        yield sites


@pytest.fixture
def site(web: Hostile) -> Iterator[Hostile]:
    """The sites, whose routes a test may change, and which nobody has asked yet."""
    routes, rules = dict(web.routes), dict(web.robots)
    web.hits.clear()
    web.sent.clear()
    yield web
    web.routes, web.robots = routes, rules


class All:
    """One call for all cases, with what the sites saw of it."""

    def __init__(self, web: Hostile, folder: Path) -> None:
        self.folder = folder
        self.told: list[Progress] = []
        web.hits.clear()
        self.ended = fetcher.fetch(
            (web.url(case.path) for case in CASES), folder, manners=manners(), say=self.told.append
        )
        self.hits, self.sent = list(web.hits), web.sent.copy()

    def of(self, path: str) -> list[hostile.Hit]:
        return [hit for hit in self.hits if hit.path == path]


@pytest.fixture(scope="module")
def everything(web: Hostile, tmp_path_factory: pytest.TempPathFactory) -> All:
    return All(web, tmp_path_factory.mktemp("all"))


def one(site: Hostile, path: str, folder: Path, **changes: Any) -> Fetched:
    """Fetch one address."""
    url = site.url(path)
    return fetcher.fetch([url], folder, manners=manners(**changes))[url]


def parts(folder: Path) -> list[Path]:
    """What a call has left aside."""
    return list((folder / state.PARTS).glob("*"))


def rows(folder: Path) -> dict[str, tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / state.FILE)) as database:
        return {row[0]: row[1:] for row in database.execute("SELECT url, state, sha256, bytes FROM addresses")}


def are_whole(folder: Path) -> bool:
    """Whether each row's file is there, and every file is named by what is in it."""
    for _, sha256, size in rows(folder).values():
        if sha256 and fetcher.raw(folder, sha256).stat().st_size != size:
            return False
    return all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in (folder / "raw").glob("*/*"))


@pytest.mark.parametrize("case", CASES, ids=[case.path[:40] or "nothing" for case in CASES])
def test_case(case: Case, everything: All, web: Hostile) -> None:
    found = everything.ended[web.url(case.path)]
    assert (found.state, found.reason) == case.fetched, case.what
    assert bool(found.sha256) == (found.state == "fetched")


def test_cases_add_up(everything: All) -> None:
    assert len(everything.ended) == len({case.path for case in CASES}) == len(CASES)
    last = everything.told[-1]
    assert last.states.total() == last.total == len(CASES)
    assert f"{len(CASES)} of {len(CASES)} addresses" in str(last)


def test_what_was_kept_is_whole(everything: All) -> None:
    assert are_whole(everything.folder)
    assert not parts(everything.folder)


def test_every_reason_is_explained(everything: All) -> None:
    for found in everything.ended.values():
        code = "http_*" if found.reason.startswith("http_") else found.reason
        explained = {"rejected": fetcher.REJECTED, "failed": fetcher.FAILED, "gone": fetcher.REJECTED}
        assert not found.reason or code in explained[found.state]


def test_private_networks_are_never_asked(everything: All) -> None:
    assert not [hit for hit in everything.hits if hit.site == "other"]


def test_forbidden_addresses_are_never_asked(everything: All) -> None:
    assert not [hit for hit in everything.hits if hit.path.startswith("/forbidden/")]


@pytest.mark.parametrize(
    ("path", "times"),
    [("/resets.jpg", 3), ("/fails.jpg", 3), ("/short.jpg", 3), ("/hangs.jpg", 3), ("/loop.jpg", 6), ("/gone.jpg", 1)],
)
def test_bounded_requests(path: str, times: int, everything: All) -> None:
    assert len(everything.of(path)) == times


@pytest.mark.parametrize(("path", "seconds"), [("/limits.jpg", 1.0), ("/later.jpg", 1.0)])
def test_retry_after_is_waited_for(path: str, seconds: float, everything: All) -> None:
    first, second = everything.of(path)
    assert second.at - first.at >= seconds - 0.02


def test_what_requests_say_of_us(everything: All) -> None:
    for hit in everything.hits:
        assert hit.headers["user-agent"].startswith("miar/")
        assert hit.headers["accept-encoding"] == "identity"
        assert not {"cookie", "authorization", "referer"} & hit.headers.keys()


def test_what_is_known_of_a_redirected_image(everything: All, web: Hostile) -> None:
    found = everything.ended[web.url("/moved.jpg")]
    assert found.final_url == web.url("/target.jpg")
    assert found.sha256 == hashlib.sha256(jpeg(24)).hexdigest()
    assert (found.bytes, found.format, found.http_status) == (len(jpeg(24)), "jpeg", 200)
    assert (found.content_type, found.attempts, found.previous) == ("image/jpeg", 1, "")
    assert datetime.now(UTC) - datetime.fromisoformat(found.fetched_at) < timedelta(minutes=5)
    assert fetcher.raw(everything.folder, found.sha256).read_bytes() == jpeg(24)


def test_a_second_call_asks_for_what_failed_alone(everything: All, site: Hostile) -> None:
    again = fetcher.fetch(everything.ended, everything.folder, manners=manners(attempts=1, read=0.3, total=0.3))
    done = {url for url, found in everything.ended.items() if found.state != "failed"}
    assert {url: again[url] for url in done} == {url: everything.ended[url] for url in done}
    paths = {case.path for case in CASES if case.fetched[0] == "failed"}
    assert {hit.path for hit in site.hits} - {"/robots.txt"} == {path for path in paths if path.startswith("/")}


def test_twenty_at_once_ask_for_robots_once(site: Hostile, tmp_path: Path) -> None:
    urls = [site.url(f"/forbidden/{number}.jpg") for number in range(20)]
    found = fetcher.fetch(urls, tmp_path, manners=manners(per_host=20))
    assert {one.reason for one in found.values()} == {"robots"}
    assert [hit.path for hit in site.hits] == ["/robots.txt"]


def test_rules_that_many_wait_for_are_asked_for_once(site: Hostile) -> None:
    async def ask() -> list[str]:
        async with network.session(manners()) as session:
            known = robots.Robots(session, manners())
            wanted = addresses.check(site.url("/forbidden/1.jpg"))
            return [one.refuses(wanted) for one in await asyncio.gather(*(known.rules(wanted) for _ in range(20)))]

    assert asyncio.run(ask()) == ["robots"] * 20
    assert len(site.hits) == 1


def test_crawl_delay_holds_from_the_first_request_on(site: Hostile, tmp_path: Path) -> None:
    urls = [site.url(path, "slow") for path in ("/ok.jpg", "/photo.webp", "/rgba.png")]
    fetcher.fetch(urls, tmp_path, manners=manners())
    _, *times = (hit.at for hit in site.hits)
    assert all(later - sooner >= 0.28 for sooner, later in pairwise(times))
    assert len(times) == 3


def test_interval(site: Hostile, tmp_path: Path) -> None:
    urls = [site.url(path) for path in ("/ok.jpg", "/photo.webp", "/rgba.png")]
    fetcher.fetch(urls, tmp_path, manners=manners(interval=0.2))
    _, *times = (hit.at for hit in site.hits)
    assert all(later - sooner >= 0.18 for sooner, later in pairwise(times))


def test_no_more_requests_to_a_host_than_it_may_have(site: Hostile, tmp_path: Path) -> None:
    now: list[int] = [0]
    seen: list[int] = []

    async def count(_: Hostile, wire: Wire) -> None:
        now[0] += 1
        seen.append(now[0])
        await asyncio.sleep(0.02)
        now[0] -= 1
        await wire.answer(jpeg(0))

    site.routes |= {f"/count/{number}": count for number in range(20)}
    fetcher.fetch([site.url(f"/count/{number}") for number in range(20)], tmp_path, manners=manners(per_host=3))
    assert max(seen) == 3


def test_hosts_take_turns(site: Hostile, tmp_path: Path) -> None:
    paths = [f"/{number}" for number in range(5)]
    urls = [site.url(path, name) for name in ("busy", "page", "without") for path in paths]
    fetcher.fetch(urls, tmp_path, manners=manners(connections=1, per_host=1))
    asked = [hit.site for hit in site.hits if hit.path != "/robots.txt"]
    assert asked == ["busy", "page", "without"] * 5


def test_a_host_that_fails_again_and_again_is_left_alone(site: Hostile, tmp_path: Path) -> None:
    site.routes |= {f"/down/{number}": hostile.resets for number in range(30)}
    urls = [site.url(f"/down/{number}", "busy") for number in range(30)]
    found = fetcher.fetch(urls, tmp_path, manners=manners(breaker=3, attempts=2, per_host=1))
    reasons = [one.reason for one in found.values()]
    assert (reasons.count("connection"), reasons.count("host_down")) == (3, 27)
    assert {one.state for one in found.values()} == {"failed"}
    assert len(site.hits) == 1 + 3


def test_a_host_that_answers_in_between_is_not_left_alone(site: Hostile, tmp_path: Path) -> None:
    bad = {f"/down/{number}": hostile.resets for number in range(6)}
    site.routes |= bad
    urls = [site.url(path, "busy") for path in [*list(bad)[:2], "/ok.jpg", *list(bad)[2:4], "/404", *list(bad)[4:]]]
    found = fetcher.fetch(urls, tmp_path, manners=manners(breaker=3, attempts=1, per_host=1))
    assert [one.reason for one in found.values()] == [
        *["connection"] * 2, "", *["connection"] * 2, "http_404", *["connection"] * 2,
    ]  # fmt: skip


def test_a_host_that_wants_a_long_rest_gets_it(site: Hostile, tmp_path: Path) -> None:
    site.routes["/rest"] = hostile.refused("429 Too Many", b"", "Retry-After: 121")
    urls = [site.url(path, "busy") for path in ("/rest", "/ok.jpg", "/photo.webp")]
    found = list(fetcher.fetch(urls, tmp_path, manners=manners(per_host=1)).values())
    assert [(one.state, one.reason) for one in found] == [
        ("failed", "http_429"),
        ("failed", "host_parked"),
        ("failed", "host_parked"),
    ]
    assert [hit.path for hit in site.hits] == ["/robots.txt", "/rest"]


def test_one_that_asks_to_wait_holds_up_its_whole_host(site: Hostile, tmp_path: Path) -> None:
    urls = [site.url(path, "busy") for path in ("/limits.jpg", "/ok.jpg")]
    site.routes["/limits.jpg"] = hostile.once("503 Busy", 0, lambda: "Retry-After: 1")
    fetcher.fetch(urls, tmp_path, manners=manners(per_host=1))
    _, first, *others = site.hits
    assert all(hit.at - first.at >= 0.98 for hit in others)
    assert len(others) == 2


def test_who_opts_out_is_not_read(site: Hostile, tmp_path: Path) -> None:
    async def endless(_: Hostile, wire: Wire) -> None:
        await wire.answer(b"", "X-Robots-Tag: noimageai", hostile.CHUNKED, length=False)
        await wire.send(f"{len(jpeg(0)):x}\r\n".encode() + jpeg(0) + b"\r\n")
        await hostile.hangs()

    site.routes["/reserved"] = endless
    told: list[Progress] = []
    found = fetcher.fetch([site.url("/reserved")], tmp_path, manners=manners(), say=told.append)
    assert [one.reason for one in found.values()] == ["opted_out"]
    assert told[-1].bytes == 0


def test_no_more_is_read_than_may_be_kept(site: Hostile, tmp_path: Path) -> None:
    told: list[Progress] = []
    found = fetcher.fetch([site.url("/endless.jpg")], tmp_path, manners=manners(), say=told.append)
    assert [one.reason for one in found.values()] == ["too_big"]
    assert LARGEST < told[-1].bytes <= LARGEST + 2**18
    assert not parts(tmp_path)
    assert not (tmp_path / "raw").exists()


def test_connections_that_servers_close_between_requests(site: Hostile, tmp_path: Path) -> None:
    async def drop(_: Hostile, wire: Wire) -> None:
        await wire.answer(jpeg(0))
        wire.reset()

    site.routes |= {f"/drop/{number}": drop for number in range(10)}
    found = fetcher.fetch([site.url(f"/drop/{number}") for number in range(10)], tmp_path, manners=manners(per_host=1))
    assert {one.state for one in found.values()} == {"fetched"}


def test_an_attempt_ends_with_its_deadline(site: Hostile, tmp_path: Path) -> None:
    began = time.monotonic()
    found = one(site, "/drips.jpg", tmp_path, attempts=2, total=0.4)
    assert (found.reason, found.attempts) == ("timeout", 2)
    assert 0.8 <= time.monotonic() - began < 2.5


def test_redirects_are_part_of_an_attempt(site: Hostile, tmp_path: Path) -> None:
    async def slow(_: Hostile, wire: Wire) -> None:
        await asyncio.sleep(0.3)
        await wire.answer(b"", "Location: /slow", status="302 Found")

    site.routes["/slow"] = slow
    assert one(site, "/slow", tmp_path, attempts=1, total=0.8).reason == "timeout"
    assert 1 < len(site.of("/slow")) <= 3


def test_a_host_that_is_left_alone_is_not_waited_for(site: Hostile, tmp_path: Path) -> None:
    site.routes |= {f"/down/{number}": hostile.resets for number in range(4)}
    urls = [site.url(f"/down/{number}", "busy") for number in range(4)]
    began = time.monotonic()
    found = fetcher.fetch(urls, tmp_path, manners=manners(breaker=1, attempts=1, interval=20))
    assert [one.reason for one in found.values()] == ["connection", *["host_down"] * 3]
    assert time.monotonic() - began < 10


def test_waiting_for_the_hosts_turn_is_not_part_of_an_attempt(site: Hostile, tmp_path: Path) -> None:
    async def slow(_: Hostile, wire: Wire) -> None:
        await asyncio.sleep(0.15)
        await wire.answer(jpeg(0))

    site.routes |= {f"/slow/{number}": slow for number in range(8)}
    urls = [site.url(f"/slow/{number}") for number in range(8)]
    found = fetcher.fetch(urls, tmp_path, manners=manners(per_host=1, total=0.9, attempts=1))
    assert {one.state for one in found.values()} == {"fetched"}


def tag(number: int, name: str = "one") -> hostile.Handler:
    """A photograph whose server knows who has it already."""

    async def send(_: Hostile, wire: Wire) -> None:
        same = wire.hit.headers.get("if-none-match") == f'"{name}"'
        if same:
            await wire.send(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            await wire.answer(jpeg(number), f'ETag: "{name}"', "Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT")

    return send


def test_a_recheck_asks_on_a_condition(site: Hostile, tmp_path: Path) -> None:
    site.routes["/tagged.jpg"] = tag(0)
    first = one(site, "/tagged.jpg", tmp_path)
    later = one(site, "/tagged.jpg", tmp_path, recheck=0)
    assert later == replace(first, state="unchanged", http_status=304)
    _, asked = site.of("/tagged.jpg")
    assert asked.headers["if-none-match"] == '"one"'
    assert asked.headers["if-modified-since"] == "Mon, 02 Jan 2006 15:04:05 GMT"
    assert one(site, "/tagged.jpg", tmp_path) == later
    assert len(site.of("/tagged.jpg")) == 2


def test_a_recheck_asks_on_a_condition_where_the_bytes_came_from(site: Hostile, tmp_path: Path) -> None:
    site.routes |= {"/tagged.jpg": tag(0), "/to_tagged": hostile.redirected("/tagged.jpg")}
    first = one(site, "/to_tagged", tmp_path)
    later = one(site, "/to_tagged", tmp_path, recheck=0)
    assert later == replace(first, state="unchanged", http_status=304)
    assert "if-none-match" not in site.of("/to_tagged")[1].headers
    assert site.of("/tagged.jpg")[1].headers["if-none-match"] == '"one"'


def test_a_recheck_that_gives_the_same_bytes(site: Hostile, tmp_path: Path) -> None:
    first = one(site, "/ok.jpg", tmp_path)
    later = one(site, "/ok.jpg", tmp_path, recheck=0)
    assert later == replace(first, state="unchanged")


def test_a_recheck_that_gives_other_bytes(site: Hostile, tmp_path: Path) -> None:
    site.routes["/tagged.jpg"] = tag(0)
    first = one(site, "/tagged.jpg", tmp_path)
    site.routes["/tagged.jpg"] = tag(1, "two")
    later = one(site, "/tagged.jpg", tmp_path, recheck=0)
    assert (later.state, later.previous, later.etag) == ("fetched", first.sha256, '"two"')
    assert later.sha256 == hashlib.sha256(jpeg(1)).hexdigest()
    assert fetcher.raw(tmp_path, first.sha256).exists()
    third = one(site, "/tagged.jpg", tmp_path, recheck=0)
    assert (third.state, third.sha256, third.previous) == ("unchanged", later.sha256, first.sha256)


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_was_there_before_is_gone(status: str, site: Hostile, tmp_path: Path) -> None:
    site.routes["/tagged.jpg"] = tag(0)
    first = one(site, "/tagged.jpg", tmp_path)
    site.routes["/tagged.jpg"] = hostile.refused(status)
    later = one(site, "/tagged.jpg", tmp_path, recheck=0)
    assert (later.state, later.reason) == ("gone", f"http_{status[:3]}")
    assert (later.sha256, later.previous, later.held) == ("", first.sha256, first.sha256)
    assert fetcher.raw(tmp_path, first.sha256).exists()


def test_what_fails_for_a_while_is_not_forgotten(site: Hostile, tmp_path: Path) -> None:
    site.routes["/tagged.jpg"] = tag(0)
    first = one(site, "/tagged.jpg", tmp_path)
    site.routes["/tagged.jpg"] = hostile.refused("500 Broken")
    failed = one(site, "/tagged.jpg", tmp_path, recheck=0, attempts=1)
    assert (failed.state, failed.reason, failed.sha256, failed.previous) == ("failed", "http_500", "", first.sha256)
    site.routes["/tagged.jpg"] = tag(0)
    later = one(site, "/tagged.jpg", tmp_path)
    assert later == replace(first, state="unchanged", http_status=304)


def test_who_opts_out_later_is_heard(site: Hostile, tmp_path: Path) -> None:
    first = one(site, "/ok.jpg", tmp_path)
    site.routes["/ok.jpg"] = hostile.tagged(0, "X-Robots-Tag: noai")
    later = one(site, "/ok.jpg", tmp_path, recheck=0)
    assert (later.state, later.reason, later.previous) == ("rejected", "opted_out", first.sha256)


def test_a_file_that_is_lost_is_fetched_again(site: Hostile, tmp_path: Path) -> None:
    site.routes["/tagged.jpg"] = tag(0)
    first = one(site, "/tagged.jpg", tmp_path)
    fetcher.raw(tmp_path, first.sha256).unlink()
    later = one(site, "/tagged.jpg", tmp_path)
    assert later == replace(first, state="unchanged")
    assert are_whole(tmp_path)
    assert "if-none-match" not in site.of("/tagged.jpg")[1].headers


def test_ten_thousand_that_are_known_take_no_time(site: Hostile, tmp_path: Path) -> None:
    known = one(site, "/ok.jpg", tmp_path)
    urls = [f"https://example.org/{number}.jpg" for number in range(10_000)]
    with state.opened(tmp_path) as table:
        table.settle([(replace(known, url=url), None) for url in urls])
    began, asked = time.process_time(), len(site.hits)
    found = fetcher.fetch(urls, tmp_path, manners=manners())
    assert time.process_time() - began < 1
    assert list(found) == urls
    assert len(site.hits) == asked


def test_calls_with_one_folder_wait_for_each_other(site: Hostile, tmp_path: Path) -> None:
    urls = [site.url(path) for path in ("/ok.jpg", "/photo.webp", "/rgba.png")]
    found: list[dict[str, Fetched]] = []
    calls = [
        threading.Thread(target=lambda: found.append(fetcher.fetch(urls, tmp_path, manners=manners())))
        for _ in range(3)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert found[0] == found[1] == found[2]
    assert len([hit for hit in site.hits if hit.path != "/robots.txt"]) == 3


def test_what_a_kill_left_aside_is_removed(tmp_path: Path) -> None:
    (tmp_path / state.PARTS).mkdir()
    (tmp_path / state.PARTS / "7").write_bytes(b"half")
    with state.opened(tmp_path):
        assert not parts(tmp_path)


def test_a_state_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / state.FILE).write_bytes(b"not a database, but longer than the header of one" * 100)
    with pytest.raises(BadData, match=r"state\.db must be a database of fetched addresses"):
        fetcher.fetch(["http://127.0.0.1/"], tmp_path, manners=manners())


def many(site: Hostile, count: int) -> list[str]:
    """Addresses that answer after a moment, with 10 different photographs and some refusals."""

    def slow(number: int) -> hostile.Handler:
        async def send(_: Hostile, wire: Wire) -> None:
            await asyncio.sleep(0.02)
            await (wire.answer(jpeg(number % 10)) if number % 7 else wire.answer(b"", status="404 Not Found"))

        return send

    site.routes |= {f"/many/{number}": slow(number) for number in range(count)}
    return [site.url(f"/many/{number}") for number in range(count)]


def start(urls: list[str], folder: Path, **changes: int) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    file = folder.with_suffix(".txt")
    file.write_text("\n".join(urls), encoding="utf-8")
    command = [
        sys.executable,
        "-c",
        CHILD,
        str(file),
        str(folder),
        *(f"{key}={value}" for key, value in changes.items()),
    ]
    return subprocess.Popen(command, cwd=places.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(reached: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.005)


def without_time(found: dict[str, Fetched]) -> list[Fetched]:
    return [replace(one, fetched_at="") for one in found.values()]


def test_killed_again_and_again(site: Hostile, tmp_path: Path) -> None:
    urls = many(site, 240)
    folder = tmp_path / "killed"
    for share in (1, 50, 110):
        enough = len(site.hits) + share
        with start(urls, folder, per_host=6) as process:
            wait_for(partial(lambda least: len(site.hits) >= least, enough))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert are_whole(folder)
    done, asked = set(rows(folder)), len(site.hits)
    assert 20 < len(done) < len(urls)
    found = fetcher.fetch(urls, folder, manners=manners())
    again = {site.site(hit.site) + hit.path for hit in site.hits[asked:] if hit.path != "/robots.txt"}
    assert again == set(urls) - done
    assert are_whole(folder)
    assert not parts(folder)
    assert without_time(found) == without_time(fetcher.fetch(urls, tmp_path / "straight", manners=manners()))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_asked_to_end(number: signal.Signals, code: int, site: Hostile, tmp_path: Path) -> None:
    urls = many(site, 200)
    folder = tmp_path / "ended"
    with start(urls, folder, per_host=4) as process:
        wait_for(lambda: len(site.hits) >= 60)
        process.send_signal(number)
        process.wait(10)
    assert process.returncode == code
    assert not parts(folder)
    assert are_whole(folder)
    done, asked = set(rows(folder)), len(site.hits)
    assert 40 <= len(done) < 200
    fetcher.fetch(urls, folder, manners=manners())
    assert len([hit for hit in site.hits[asked:] if hit.path != "/robots.txt"]) == 200 - len(done)


def test_a_disk_that_is_full_when_it_comes_to_it(
    site: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = many(site, 150)
    real, left = os.fsync, iter(range(40))

    def fsync(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="No space left") as error:
            fetcher.fetch(urls, tmp_path, manners=manners())
    assert error.value.errno == errno.ENOSPC
    assert not parts(tmp_path)
    assert are_whole(tmp_path)
    assert len(fetcher.fetch(urls, tmp_path, manners=manners())) == 150
    assert {row[0] for row in rows(tmp_path).values()} == {"fetched", "rejected"}


def test_a_full_disk(site: Hostile, tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    site.routes |= {f"/{number}": hostile.tagged(number) for number in range(48)}
    urls = [site.url(f"/{number}") for number in range(48)]
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("file systems may not be mounted here")
    try:
        with pytest.raises(OSError, match="No space left") as error:
            fetcher.fetch(urls, place, manners=manners())
        assert error.value.errno == errno.ENOSPC
        assert not parts(place)
        assert are_whole(place)
        subprocess.run(["mount", "-o", "remount,size=16m", str(place)], check=True)
        found = fetcher.fetch(urls, place, manners=manners())
        assert {one.state for one in found.values()} == {"fetched"}
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_memory(site: Hostile, tmp_path: Path) -> None:
    """Two dozen bodies at once, each longer than may be kept, and what else would like to fill it."""
    site.routes |= {f"/endless/{number}": hostile.endless for number in range(24)}
    paths = [*(f"/endless/{number}" for number in range(24)), "/gzip.jpg", "/headers.jpg", "/line.jpg", "/bomb.png"]
    with start([site.url(path) for path in paths], tmp_path / "big", per_host=64, attempts=1) as process:
        told, complaint = process.communicate(timeout=40)
    assert process.returncode == 0, complaint
    kilobytes, ended = map(int, told.split())
    assert ended == len(paths)
    assert {row[0] for row in rows(tmp_path / "big").values()} == {"rejected", "failed", "fetched"}
    assert kilobytes < 300 * 1024


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Names with the addresses that they have, one list for each time that somebody asks; the last one stays."""
    known: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *how: Any, **more: Any) -> Any:
        if host not in known:
            return real(host, port, *how, **more)
        found = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(network, "REMEMBERED", 0)
    return known


def test_a_name_of_a_private_address(site: Hostile, tmp_path: Path, names: dict[str, list[list[str]]]) -> None:
    names["private.example"] = [["127.0.0.2"]]
    found = one(site, f"http://private.example:{site.ports['other']}/ok.jpg", tmp_path)
    assert (found.state, found.reason) == ("rejected", "ssrf")
    assert not site.hits


def test_a_name_that_changes_its_address(site: Hostile, tmp_path: Path, names: dict[str, list[list[str]]]) -> None:
    """Its robots.txt comes from where it may, and the image would come from elsewhere."""

    async def close(_: Hostile, wire: Wire) -> None:
        await wire.answer(b"User-agent: *\nAllow: /\n", "Connection: close")
        wire.writer.close()

    site.routes["/robots.txt"] = close
    names["rebinds.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    found = one(site, f"http://rebinds.example:{site.ports['main']}/ok.jpg", tmp_path)
    assert (found.state, found.reason) == ("rejected", "ssrf")
    assert [hit.path for hit in site.hits] == ["/robots.txt"]


def test_a_name_with_an_address_that_may_be_asked(
    site: Hostile, tmp_path: Path, names: dict[str, list[list[str]]]
) -> None:
    names["both.example"] = [["127.0.0.2", "127.0.0.1"]]
    assert one(site, f"http://both.example:{site.ports['main']}/ok.jpg", tmp_path).state == "fetched"
    assert {hit.site for hit in site.hits} == {"main"}


def test_a_name_without_an_address(
    tmp_path: Path, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names == {}

    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    url = "http://nowhere.example/ok.jpg"
    found = fetcher.fetch([url], tmp_path, manners=manners())[url]
    assert (found.state, found.reason) == ("failed", "robots_unreachable")


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::93.184.215.14", True),
        ("2002:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("2001:db8::1", False),
    ],
)
def test_where_may_be_connected_to(address: str, may: bool) -> None:
    assert network.may_reach(address, []) == may


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("7", 7), (" 7 ", 7), ("-1", 0), ("1.5", 0), ("soon", 0), ("", 0), ("9" * 400, 0), ("٣", 0),
     ("Mon, 99 Jan 2006 15:04:05 GMT", 0), ("Mon, 02 Jan 2006 15:04:05 GMT", 0)],
)  # fmt: skip
def test_retry_after(text: str, seconds: float) -> None:
    assert transfer.retry_after({"Retry-After": text}) == seconds


def test_retry_after_a_date() -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 < transfer.retry_after({"Retry-After": when}) <= 90


@pytest.mark.parametrize(
    ("values", "out"),
    [
        (["noai"], True),
        (["NoImageAI"], True),
        (["noindex, nofollow"], True),
        (["nofollow,noimageindex"], True),
        (["none"], True),
        (["miar: noai"], True),
        (["Miar : noai"], True),
        (["*: noindex"], True),
        (["otherbot: noai, noindex"], False),
        (["otherbot: noai, miar: noindex"], True),
        (["nofollow", "noai"], True),
        (["nofollow"], False),
        (["max-image-preview: none"], False),
        (["unavailable_after: 25 Jun 2090 15:00:00 PST, noai"], True),
        (["noaim", "xnoai", ""], False),
    ],
)
def test_opting_out(values: list[str], out: bool) -> None:
    headers = CIMultiDictProxy(CIMultiDict([("X-Robots-Tag", value) for value in values]))
    assert robots.opts_out(headers, "miar") == out


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "ICO", "JPEG2000"])
def test_formats_are_known_by_their_first_bytes(kind: str) -> None:
    file = io.BytesIO()
    try:
        Image.new("RGB", (64, 64), "red").save(file, kind)
    except (KeyError, OSError):
        pytest.skip(f"Pillow writes no {kind} here")
    assert formats.sniff(file.getvalue()[: formats.HEAD]) == {"JPEG2000": "jp2"}.get(kind, kind.lower())


@pytest.mark.parametrize("head", [b"", b"\xff\xd8", b"BM text that is no image", b"<svg>", b"\x89PNG", b"RIFF1234WAVE"])
def test_what_is_no_image(head: bytes) -> None:
    assert formats.sniff(head) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"agent": "mi ar"},
        {"agent": "x\r\nHost: y"},
        {"contact": "a b"},
        {"contact": "a)\r\nX: y"},
        {"connections": 0},
        {"total": float("nan")},
        {"recheck": -1},
        {"formats": ("jpg",)},
        {"allow_networks": ("everywhere",)},
        {"allow_networks": ("10.0.0.1/8",)},
    ],
)
def test_manners_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=f"`{next(iter(changes))}` must be"):
        Manners(**changes)


def test_agent() -> None:
    assert network.agent(Manners(contact="https://example.org/bot")).endswith(" (+https://example.org/bot)")


def test_progress_is_told_now_and_then(site: Hostile, tmp_path: Path) -> None:
    told: list[float] = []
    urls = many(site, 150)
    fetcher.fetch(urls, tmp_path, manners=manners(per_host=2), say=lambda _: told.append(time.monotonic()))
    assert len(told) >= 2
    assert all(later - sooner >= 0.99 for sooner, later in pairwise(told[:-1]))


def test_a_full_disk_is_the_same_for_the_database() -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    with pytest.raises(OSError, match="No space left") as raised, state.full_disk():
        raise error
    assert raised.value.errno == errno.ENOSPC


def test_a_prior_reason_does_not_outlive_its_cause() -> None:
    job = Job("http://h/", addresses.check("http://h/"), Fetched("http://h/", "rejected", "http_404", http_status=404))
    found = crawl.verdict(job, transfer.Answer(status=200, sha256="1" * 64, bytes=9, format="png"), "now")
    assert (found.state, found.reason, found.previous, found.http_status) == ("fetched", "", "", 200)


HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9.-]{1,30}", fullmatch=True),
    st.ip_addresses().map(lambda one: f"[{one}]" if one.version == 6 else str(one)),
    st.text(max_size=20),
)
URLS = st.one_of(
    st.text(max_size=80),
    st.builds(
        "{}://{}{}{}/{}".format,
        st.sampled_from(["http", "https", "HTTP", "ftp", "file", " http", "http:http"]),
        st.sampled_from(["", "", "user@", "user:word@", "@"]),
        HOSTS,
        st.one_of(st.just(""), st.integers(-1, 70_000).map(":{}".format)),
        st.text(max_size=40),
    ),
)


def passed(check: Callable[[], URL]) -> URL | None:
    """What a check lets pass; None where it says why not."""
    try:
        return check()
    except Rejected as error:
        if str(error) not in ("scheme", "address"):
            raise
        return None


@settings(max_examples=300, deadline=None)
@given(URLS)
@example("http://127.0.0.1\\@example.org/")
@example("http://example.org/\udcff")
@example("http://１２７。0。0。1/")
@example("http://[::1]@example.org/")
@example("http://" + "a." * 200 + "org/")
@example("http://0x7f000002/")
def test_whatever_passes_the_gate_has_one_form(text: str) -> None:
    if (address := passed(lambda: addresses.check(text))) is None:
        return
    assert address.scheme in ("http", "https")
    assert address.user is None
    assert address.password is None
    assert not address.raw_fragment
    assert str(address).isascii()
    assert str(address).isprintable()
    assert " " not in str(address)
    assert addresses.check(str(address)) == address
    assert ".." not in address.raw_path.split("/")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
@example("//example.org/x")
@example("?\udc80")
@example("http:relative")
@example("https://user@example.org/")
def test_wherever_a_redirect_leads_has_passed_the_gate(location: str) -> None:
    here = addresses.check("http://example.org/a/b?c")
    if address := passed(lambda: addresses.join(here, location)):
        assert addresses.check(str(address)) == address


LINES = st.sampled_from(
    [
        b"Content-Length: 20", b"Content-Length: 0", b"Content-Length: x", b"Content-Length: 99999999999999999999999",
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Content-Encoding: gzip", b"Location: /fuzz",
        b"Location: \xff\xfe", b"Retry-After: \xf0", b"X-Robots-Tag: \xff:", b"Connection: close", b"ETag: \xe9",
        b"Content-Type: \xff\x01", b"Set-Cookie: a=\xff; Expires=never", b"Upgrade: h2c", b"\xff: \xff", b": x", b" x",
    ]
)  # fmt: skip
ANSWERS = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda status, lines, body: b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", body]),
        st.sampled_from(
            [b"200 OK", b"200", b"301 X", b"101 X", b"103 X", b"304 X", b"429 X", b"999 X", b"0 X", b"-1 X"]
        ),
        st.lists(LINES, max_size=4),
        st.one_of(
            st.binary(max_size=60), st.just(b"5\r\n\xff\xd8\xff12\r\nz\r\n"), st.just(b"\xff\xd8\xff" + bytes(17))
        ),
    ),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ANSWERS, min_size=20, max_size=30))
def test_whatever_comes_ends_in_one_verdict(
    site: Hostile, tmp_path_factory: pytest.TempPathFactory, answers: list[bytes]
) -> None:
    site.routes |= {f"/fuzz/{number}": hostile.verbatim(answer) for number, answer in enumerate(answers)}
    urls = [site.url(f"/fuzz/{number}") for number in range(len(answers))]
    folder = tmp_path_factory.mktemp("fuzz")
    found = fetcher.fetch(urls, folder, manners=manners(attempts=1, total=0.5, read=0.5, retry_after=10**9, interval=0))
    assert list(found) == urls
    assert are_whole(folder)
    assert not parts(folder)
