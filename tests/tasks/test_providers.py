"""Providers of images: what they are asked and how often, what is taken of their answers, and what is never told."""

from __future__ import annotations

import html
import itertools
import json
import logging
import re
import sys
import types
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import places
from tasks.errors import BadData, BadRequest, MiarError, Refused, Unavailable
from tasks.outside import providers
from tasks.outside.providers import Candidate, ask, licensing, texts
from tests.tasks.providers import (
    BEARER,
    BRAVE_KEY,
    BROKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    CUT,
    DOWN,
    FLICKR_KEY,
    JSON,
    PAGE,
    Failure,
    PhotoAPI,
    Photograph,
    busy,
)

IMAGES = "https://images.example.org"
FREE = ("cc0", "pdm", "by", "by-sa")
SECRETS = (FLICKR_KEY, BRAVE_KEY, CLIENT_SECRET, BEARER)
NETWORKED = ("openverse", "commons", "flickr", "brave")


def photographs(count: int, *, name: str = "cat", **facts: Any) -> list[Photograph]:
    return [Photograph(f"{name}_{number}.jpg", title=f"{name} {number}", **facts) for number in range(count)]


MIXED = [
    Photograph("a.jpg", license="by", version="2.0"),
    Photograph("b.jpg", license="by-nc-sa", version="2.0"),
    Photograph("c.jpg", license="cc0", version="1.0"),
    Photograph("d.jpg", license="by-sa", version="2.0"),
    Photograph("e.jpg", license="pdm", version="1.0"),
]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLICKR_API_KEY", FLICKR_KEY)
    monkeypatch.setenv("BRAVE_API_KEY", BRAVE_KEY)


@pytest.fixture
def api() -> Iterator[PhotoAPI]:
    found = {"cat": photographs(130), "dog": photographs(3, name="dog"), "mixed": MIXED}
    with PhotoAPI(found, IMAGES) as server:
        yield server


class Search:
    """Finds by a server on this machine, without the pauses that a real one is given; keeps what was said."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.said = folder, list[str]()
        self.settings: dict[str, Any] = {
            "address": address,
            "contact": "test@example.org",
            "interval": 0,
            "backoff": 0.01,
        }

    def __call__(
        self, provider: str, *queries: str, wanted: int = 10, licences: tuple[str, ...] = FREE, **settings: Any
    ) -> list[Candidate]:
        licences = ("unknown",) if provider in ("brave", "ddgs") else licences
        return providers.find(
            provider,
            queries,
            wanted=wanted,
            licences=licences,
            settings={**self.settings, **settings},
            folder=self.folder,
            say=self.said.append,
        )

    def pages(self) -> list[Path]:
        return sorted((self.folder / "pages").rglob("*.json"))

    def failure(self, *arguments: Any, **named: Any) -> MiarError:
        with pytest.raises(MiarError) as caught:
            self(*arguments, **named)
        assert "\n" not in str(caught.value)
        return caught.value


@pytest.fixture
def search(tmp_path: Path, api: PhotoAPI) -> Search:
    return Search(tmp_path / "search", api.address)


def files(found: list[Candidate]) -> list[str]:
    return [one.url.removeprefix(f"{IMAGES}/") for one in found]


def names(count: int) -> list[str]:
    return [f"cat_{number}.jpg" for number in range(count)]


@pytest.mark.parametrize(
    ("provider", "pages"), [("openverse", [1, 2, 2, 3]), ("commons", [1, 1, 1, 1]), ("flickr", [2, 2, 2, 2])]
)
@pytest.mark.parametrize(("at", "wanted"), list(enumerate([20, 21, 40, 41])))
def test_no_page_more_than_needed(
    search: Search, api: PhotoAPI, provider: str, pages: list[int], at: int, wanted: int
) -> None:
    found = search(provider, "cat", wanted=wanted)
    assert files(found) == names(wanted)
    assert [one.rank for one in found] == list(range(wanted))
    assert len(api.requests) == pages[at]


@pytest.mark.parametrize(("provider", "requests"), [("openverse", 7), ("commons", 3), ("flickr", 3), ("brave", 1)])
def test_the_last_page_ends_the_search(search: Search, api: PhotoAPI, provider: str, requests: int) -> None:
    found = search(provider, "cat", wanted=500)
    assert files(found) == names(130)
    assert len(api.requests) == requests
    assert search.said == [f"{provider}: `cat`: 130 of 500 wanted"]


@pytest.mark.parametrize("provider", NETWORKED)
def test_nothing_found_is_nothing_given(search: Search, provider: str) -> None:
    assert search(provider, "axolotl") == []
    assert search.said == [f"{provider}: `axolotl`: 0 of 10 wanted"]


@pytest.mark.parametrize("provider", ["openverse", "commons", "flickr"])
def test_only_licences_that_are_taken(search: Search, provider: str) -> None:
    assert files(search(provider, "mixed")) == ["a.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert [(one.rank, one.license) for one in search(provider, "mixed")] == [
        (0, "by"),
        (1, "cc0"),
        (2, "by-sa"),
        (3, "pdm"),
    ]
    assert files(search(provider, "mixed", licences=("by-nc-sa", "cc0"))) == ["b.jpg", "c.jpg"]


def test_openverse_is_asked_as_its_documentation_says(search: Search, api: PhotoAPI) -> None:
    search("openverse", "cat")
    asked = api.requests[0]
    assert (asked.method, asked.path) == ("GET", "/v1/images/")
    assert asked.query == {
        "q": "cat",
        "license": "by,by-sa,cc0,pdm",
        "mature": "false",
        "page": "1",
        "page_size": "20",
    }
    assert asked.headers["user-agent"] == f"{ask.agent('')} (+test@example.org)"
    assert re.match(r"miar/\d+\.\d+", asked.headers["user-agent"])


def test_every_field_of_openverse(search: Search) -> None:
    assert search("openverse", "dog", wanted=1) == [
        Candidate(
            url=f"{IMAGES}/dog_0.jpg",
            source_page="https://example.org/page/dog_0.jpg",
            title="dog 0",
            author="Ann Lee",
            author_url="https://example.org/people/1",
            license="by",
            license_version="2.0",
            license_url="https://creativecommons.org/licenses/by/2.0/",
            attribution='"dog 0" by Ann Lee is licensed under CC BY 2.0.',
            provider="openverse",
            provider_id="id-dog_0.jpg",
            query="dog",
            rank=0,
            width=640,
            height=480,
            mime="image/jpeg",
        )
    ]


def test_openverse_ends_at_its_depth(tmp_path: Path) -> None:
    with PhotoAPI({"cat": photographs(450)}, IMAGES) as api:
        search = Search(tmp_path, api.address)
        assert len(search("openverse", "cat", wanted=450)) == 400
        assert len(api.requests) == 20


def test_openverse_may_give_fewer_pages_than_it_counted(search: Search, api: PhotoAPI) -> None:
    search("openverse", "cat", wanted=20)
    api.fail_next(Failure(401, b'{"detail": "too deep"}', JSON))
    assert len(search("openverse", "cat", wanted=40)) == 20
    assert "`cat` ends before page 2" in search.said[1]
    assert '401, {"detail": "too deep"}' in search.said[1]
    assert len(search("openverse", "cat", wanted=40)) == 40  # it is not kept


def test_openverse_without_sensitive_images(tmp_path: Path) -> None:
    with PhotoAPI({"cat": [Photograph("a.jpg", mature=True), Photograph("b.jpg")]}, IMAGES) as api:
        assert files(Search(tmp_path, api.address)("openverse", "cat")) == ["b.jpg"]


def test_openverse_with_credentials(search: Search, api: PhotoAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVERSE_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("OPENVERSE_CLIENT_SECRET", CLIENT_SECRET)
    assert files(search("openverse", "cat", "dog", wanted=60)) == names(60) + [f"dog_{n}.jpg" for n in range(3)]
    assert [one.path for one in api.requests] == ["/v1/auth_tokens/token/"] + ["/v1/images/"] * 3
    assert api.requests[1].query["page_size"] == "50"
    search("openverse", "cat", "dog", wanted=60)
    assert len(api.requests) == 4  # where all is kept, no token is needed
    monkeypatch.setenv("OPENVERSE_CLIENT_SECRET", "another-secret-canary")
    refused = search.failure("openverse", "mixed")
    assert isinstance(refused, Unavailable)
    assert "invalid_client" in str(refused)
    assert "another-secret-canary" not in str(refused)
    monkeypatch.delenv("OPENVERSE_CLIENT_SECRET")
    assert "must both be set" in str(search.failure("openverse", "cat"))


def test_commons_is_asked_as_its_documentation_says(search: Search, api: PhotoAPI) -> None:
    search("commons", "cat", width=1280)
    asked = api.requests[0].query
    assert api.requests[0].path == "/w/api.php"
    assert asked["gsrsearch"] == "filetype:bitmap cat"
    assert (asked["gsrnamespace"], asked["gsrlimit"], asked["iiurlwidth"]) == ("6", "50", "1280")
    assert set(asked["iiprop"].split("|")) >= {"url", "size", "mime", "sha1", "extmetadata"}


def test_every_field_of_commons(search: Search) -> None:
    assert search("commons", "dog", wanted=1) == [
        Candidate(
            url=f"{IMAGES}/dog_0.jpg",
            source_page="https://commons.example.org/wiki/File:dog_0.jpg",
            title="dog 0",
            author="Ann Lee",
            author_url="https://commons.example.org/wiki/User:Ann",
            license="by",
            license_version="2.0",
            license_url="https://creativecommons.org/licenses/by/2.0/",
            attribution='"dog 0" by Ann Lee, CC BY 2.0, https://creativecommons.org/licenses/by/2.0/',
            provider="commons",
            provider_id="1000",
            query="dog",
            rank=0,
            width=960,
            height=720,
            mime="image/jpeg",
        )
    ]


def test_commons_describes_a_batch_in_several_answers(tmp_path: Path) -> None:
    with PhotoAPI({"cat": photographs(70)}, IMAGES, infos=20) as api:
        assert files(Search(tmp_path, api.address)("commons", "cat", wanted=70)) == names(70)
        assert len(api.requests) == 4  # 20, 20 and 10 of the first batch, 20 of the second


def test_commons_asks_for_a_contact_and_a_width_that_is_ready(search: Search, api: PhotoAPI) -> None:
    for settings, told in (({"contact": ""}, "`contact` must be set"), ({"width": 800}, "`width` must be one of")):
        error = search.failure("commons", "cat", **settings)
        assert isinstance(error, BadRequest)
        assert told in str(error)
    assert api.requests == []


def test_errors_that_commons_and_flickr_call_a_success_are_errors(search: Search, api: PhotoAPI) -> None:
    api.fail_next(Failure(200, b'{"error": {"code": "readonly", "info": "<b>down</b> for work"}}', JSON))
    assert "readonly, down for work" in str(search.failure("commons", "cat"))
    api.fail_next(Failure(200, b'{"stat": "fail", "code": 105, "message": "Service unavailable"}', JSON))
    assert "105, Service unavailable" in str(search.failure("flickr", "cat"))
    assert search.pages() == []


def test_flickr_is_asked_as_its_documentation_says(search: Search, api: PhotoAPI) -> None:
    search("flickr", "cat")
    terms, asked = api.requests
    assert terms.form["method"] == "flickr.photos.licenses.getInfo"
    assert (asked.method, asked.path, asked.query) == ("POST", "/services/rest/", {})
    assert asked.form["license"] == "4,5,9,10,11"
    assert set(asked.form["extras"].split(",")) >= {"license", "owner_name", "url_l", "url_c", "o_dims"}


def test_every_field_of_flickr(tmp_path: Path) -> None:
    found = [Photograph("7.jpg", title="Big", license="by", version="4.0", width=1024, height=683)]
    with PhotoAPI({"cat": found}, IMAGES) as api:
        assert Search(tmp_path, api.address)("flickr", "cat") == [
            Candidate(
                url=f"{IMAGES}/7.jpg",
                source_page="https://www.flickr.com/photos/12@N01/7",
                title="Big",
                author="Ann Lee",
                author_url="https://www.flickr.com/people/12@N01/",
                license="by",
                license_version="4.0",
                license_url="https://creativecommons.org/licenses/by/4.0/",
                attribution='"Big" by Ann Lee, CC BY 4.0, https://creativecommons.org/licenses/by/4.0/',
                provider="flickr",
                provider_id="7",
                query="cat",
                rank=0,
                width=1024,
                height=683,
                mime="",
            )
        ]


def test_flickr_is_not_searched_for_licences_that_it_has_not(search: Search, api: PhotoAPI) -> None:
    assert search("flickr", "cat", licences=("by-nd",)) == []
    assert [one.form["method"] for one in api.requests] == ["flickr.photos.licenses.getInfo"]


def test_brave_gives_images_of_unknown_licence(search: Search, api: PhotoAPI) -> None:
    found = search("brave", "dog", wanted=2)
    assert api.requests[0].query["safesearch"] == "strict"
    assert [(one.title, one.license, one.source_page) for one in found] == [
        ("dog 0", "unknown", "https://example.org/page/dog_0.jpg"),
        ("dog 1", "unknown", "https://example.org/page/dog_1.jpg"),
    ]


def test_what_a_provider_cannot_give_is_not_asked_for(search: Search, api: PhotoAPI) -> None:
    error = search.failure("openverse", "cat", licences=("unknown",))
    assert isinstance(error, BadRequest)
    with pytest.raises(BadRequest, match=r"that brave gives: unknown\. Received: by, cc0"):
        providers.find("brave", ["cat"], wanted=1, licences=("cc0", "by"), settings={}, folder=search.folder, say=print)
    assert api.requests == []


def test_of_one_address_the_first_keyword_keeps_it(tmp_path: Path) -> None:
    shared = photographs(3)
    with PhotoAPI({"cat": shared[:2], "kitten": [shared[1], shared[2]]}, IMAGES) as api:
        search = Search(tmp_path, api.address)
        found = search("openverse", "cat", "kitten")
    assert [(one.url[-9:], one.query, one.rank) for one in found] == [
        ("cat_0.jpg", "cat", 0),
        ("cat_1.jpg", "cat", 1),
        ("cat_2.jpg", "kitten", 1),
    ]
    assert search.said[1] == "openverse: `kitten`: 1 of 10 wanted, and 1 that other keywords gave"


def test_an_image_that_a_provider_repeats_is_given_once(tmp_path: Path) -> None:
    twice = [*photographs(2), *photographs(3)]
    with PhotoAPI({"cat": twice}, IMAGES) as api:
        search = Search(tmp_path, api.address)
        assert files(search("openverse", "cat", wanted=3)) == names(3)
    assert search.said == ["openverse: `cat`: 3 of 3 wanted"]


@pytest.mark.parametrize("provider", NETWORKED)
def test_kept_pages_are_not_asked_for_again(search: Search, api: PhotoAPI, provider: str) -> None:
    first = search(provider, "cat", "dog", wanted=45)
    asked = len(api.requests)
    api.fail_next(DOWN, DOWN, DOWN)
    assert search(provider, "cat", "dog", wanted=45) == first
    assert search(provider, "cat", wanted=20) == first[:20]
    assert len(api.requests) == asked == len(search.pages())


def test_a_search_that_broke_goes_on(search: Search, api: PhotoAPI) -> None:
    search("openverse", "cat", wanted=40)
    api.fail_next(DOWN, DOWN, DOWN)
    assert isinstance(search.failure("openverse", "cat", wanted=60), Unavailable)
    assert files(search("openverse", "cat", wanted=60)) == names(60)
    pages = [request.query["page"] for request in api.requests]
    assert pages == ["1", "2", "3", "3", "3", "3"]


@pytest.mark.parametrize("damage", ["", "{", '{"asked": {}, "answer": {"results": []}}', '{"answer": 1}'])
def test_a_damaged_page_is_asked_for_again(search: Search, api: PhotoAPI, damage: str) -> None:
    first = search("openverse", "dog")
    search.pages()[0].write_text(damage, encoding="utf-8")
    assert search("openverse", "dog") == first
    assert len(api.requests) == 2


def test_other_licences_are_another_search(search: Search) -> None:
    assert files(search("openverse", "mixed", licences=("cc0",))) == ["c.jpg"]
    assert files(search("openverse", "mixed", licences=("by",))) == ["a.jpg"]
    assert len(search.pages()) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for(search: Search, api: PhotoAPI, status: int) -> None:
    api.fail_next(busy("1", status))
    assert len(search("openverse", "dog")) == 3
    first, second = api.requests
    assert 1 <= second.at - first.at < 3
    assert search.said[0] == "openverse: waits 1 s"


def test_a_date_says_how_long_too(search: Search, api: PhotoAPI) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    api.fail_next(busy(format_datetime(until, usegmt=True)))
    assert len(search("openverse", "dog")) == 3
    assert until <= datetime.now(UTC) < until + timedelta(seconds=3)


@pytest.mark.parametrize("after", ["soon", "-5", "1e9", "", "Wed, 99 Foo 2026 00:00:00 GMT", "99999999999999999999"])
def test_a_wait_that_cannot_be_understood_is_none(search: Search, api: PhotoAPI, after: str) -> None:
    api.fail_next(busy(after))
    assert len(search("openverse", "dog")) == 3
    assert api.requests[1].at - api.requests[0].at < 1


def test_a_server_that_asks_for_too_long_a_wait_is_left_alone(search: Search, api: PhotoAPI) -> None:
    api.fail_next(busy("3600"))
    error = search.failure("openverse", "dog")
    assert isinstance(error, Unavailable)
    assert "it asks to wait 3600 s" in str(error)
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("failure", "requests", "told"),
    [
        (DOWN, 3, "must answer 200 at {}/v1/images/?***. Received: 500, Internal Server Error"),
        (CUT, 3, "must answer at {}/v1/images/. Received: RemoteProtocolError peer closed"),
        (BROKEN, 1, "must answer a JSON object at {}/v1/images/?***. Received: application/json: "),
        (PAGE, 1, "must answer a JSON object at {}/v1/images/?***. Received: text/html: Sign in"),
        (Failure(200, b"[1]"), 1, "must answer a JSON object"),
        (Failure(200, b"[" * 100_000), 1, "must answer a JSON object"),
        (Failure(200, b'{"results": [1]}'), 1, "must answer a list of objects as `results`. Received: list"),
        (Failure(200, b"{}"), 1, "must answer a list of objects as `results`. Received: NoneType"),
        (Failure(200, b"x", {"Content-Encoding": "gzip"}), 1, "must answer an unpacked body at"),
        (Failure(200, endless=21 * 1024**2), 1, "must answer at most 20971520 bytes at"),
        (
            Failure(302, headers={"Location": "http://127.0.0.2/"}),
            1,
            "must answer 200 at {}/v1/images/?***. Received: 302",
        ),
        (Failure(404, b"<h1>gone</h1>"), 1, "Received: 404, gone"),
    ],
)
def test_what_is_no_answer_is_one_clear_line(
    search: Search, api: PhotoAPI, failure: Failure, requests: int, told: str
) -> None:
    api.fail_next(*[failure] * requests)
    error = search.failure("openverse", "cat")
    assert isinstance(error, Unavailable)
    assert told.format(api.address) in str(error)
    assert len(str(error)) < 600
    assert len(api.requests) == requests
    assert search.pages() == []


def test_nobody_there(search: Search) -> None:
    error = search.failure("openverse", "cat", address="http://127.0.0.1:1")
    assert isinstance(error, Unavailable)
    assert "must answer at http://127.0.0.1:1/v1/images/. Received: ConnectError" in str(error)


@pytest.mark.parametrize("address", ["http://example.org", "ftp://127.0.0.1", "file:///etc"])
def test_keys_go_over_https_alone(search: Search, address: str) -> None:
    assert isinstance(search.failure("brave", "cat", address=address), BadRequest | Refused)


def test_requests_keep_their_distance(search: Search, api: PhotoAPI) -> None:
    search("openverse", "cat", wanted=60, interval=0.2)
    times = [request.at for request in api.requests]
    assert len(times) == 3
    assert all(later - earlier >= 0.2 for earlier, later in itertools.pairwise(times))


def test_the_next_search_keeps_its_distance_too(search: Search, api: PhotoAPI) -> None:
    for query in ("cat", "dog", "cat"):
        search("openverse", query, interval=0.5)
    first, second = api.requests  # what is kept waits for nothing
    assert second.at - first.at > 0.4  # the clock of files is coarser


@pytest.mark.parametrize("provider", NETWORKED)
def test_keys_are_in_no_error_page_line_or_log(
    search: Search, api: PhotoAPI, provider: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where a server says the key back, in a good answer or in a bad one."""
    monkeypatch.setenv("OPENVERSE_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("OPENVERSE_CLIENT_SECRET", CLIENT_SECRET)
    caplog.set_level(logging.DEBUG)
    said = " ".join(SECRETS)
    echo = {"results": [], "query": {"pages": []}, "licenses": {"license": []}, "said": said, said: [{"x": said}]}
    search("openverse", "dog")  # has its token, where it needs one
    api.fail_next(Failure(500, said.encode()), Failure(401, said.encode(), JSON))
    told = [str(search.failure(provider, "mixed"))]
    api.fail_next(*[Failure(200, json.dumps(echo).encode(), JSON)] * (2 if provider == "openverse" else 1))
    told += [str(search.failure(provider, "mixed"))] if provider == "openverse" else [str(search(provider, "mixed"))]
    told += [*search.said, caplog.text, *(page.read_text() for page in search.pages())]
    mine = {"openverse": (CLIENT_SECRET,), "commons": (), "flickr": (FLICKR_KEY,), "brave": (BRAVE_KEY,)}[provider]
    assert not [secret for secret in mine for text in told if secret in text]
    assert all("key" not in one.query and "api_key" not in one.query for one in api.requests)


def test_a_token_is_in_no_kept_page(search: Search, api: PhotoAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVERSE_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("OPENVERSE_CLIENT_SECRET", CLIENT_SECRET)
    echo = Failure(200, json.dumps({"results": [], "said": BEARER}).encode(), JSON)
    given = Failure(200, json.dumps({"access_token": BEARER}).encode(), JSON)
    api.fail_next(given, echo)
    assert search("openverse", "cat") == []
    assert '"said": "***"' in search.pages()[0].read_text()


def test_a_wrong_key_is_told_without_it(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", "wrong-canary-123")
    monkeypatch.setenv("BRAVE_API_KEY", "wrong-canary-123")
    flickr, brave = search.failure("flickr", "cat"), search.failure("brave", "cat")
    assert "100, Invalid API Key (Key has invalid format: ***). Check FLICKR_API_KEY" in str(flickr)
    assert "422" in str(brave)
    assert "SUBSCRIPTION_TOKEN_INVALID" in str(brave)
    assert "canary" not in f"{flickr}{brave}"


@pytest.mark.parametrize("key", ["bad\ncanary", "schlüssel-canary", "two canaries"])
def test_a_key_that_cannot_be_sent_is_not_told(search: Search, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("BRAVE_API_KEY", key)
    error = search.failure("brave", "cat")
    assert isinstance(error, BadRequest)
    assert "canar" not in str(error)


@pytest.mark.parametrize(("name", "block"), [("FLICKR_API_KEY", "flickr-api-key"), ("BRAVE_API_KEY", "brave-api-key")])
def test_a_missing_key_says_where_it_belongs(monkeypatch: pytest.MonkeyPatch, name: str, block: str) -> None:
    monkeypatch.setenv(name, " ")
    with pytest.raises(Unavailable, match=rf"variable {name}\. .*Secret block `{block}`"):
        providers.check(name.split("_")[0].lower())


def test_every_file_is_a_provider_or_a_part() -> None:
    assert providers.names() == ["addresses", "brave", "commons", "ddgs", "flickr", "folder", "openverse"]
    for name in providers.names():
        source = providers.load(name)
        assert source.LICENCES <= licensing.CODES
        assert source.INTERVAL >= 0
        assert not source.ADDRESS or source.ADDRESS.startswith("https://")
        providers.check(name)


def test_bing_is_no_more() -> None:
    with pytest.raises(BadRequest, match="retired on 2025-08-11; use `openverse`"):
        providers.check("bing")


@pytest.mark.parametrize(("name", "hint"), [("openvers", "did you mean 'openverse'"), ("ask", ""), ("../x", "")])
def test_an_unknown_provider(name: str, hint: str) -> None:
    with pytest.raises(BadRequest, match=f"must be one of addresses, .*{hint}"):
        providers.check(name)


@pytest.mark.parametrize(
    ("queries", "named", "told"),
    [
        ((), {}, "at least one keyword"),
        (("",), {}, "one line of plain text"),
        (("cat\ndog",), {}, "one line of plain text"),
        (("c" * 201,), {}, "one line of plain text"),
        (("cat",), {"wanted": 0}, "`wanted` must be at least 1"),
        (("cat",), {"licences": ()}, "`licences` must be some of"),
        (("cat",), {"licences": ("by-as",)}, "Received: 'by-as'; did you mean 'by-sa'"),
        (("cat",), {"interval": -1}, "`interval` must be a number of seconds"),
        (("cat",), {"backoff": "long"}, "`backoff` must be a number of seconds"),
        (("cat",), {"longest_wait": float("nan")}, "`longest_wait` must be a number of seconds"),
        (("cat",), {"contact": "me\r\nX: y"}, "`contact` must be"),
    ],
)
def test_a_search_that_is_none(
    search: Search, api: PhotoAPI, queries: tuple[str, ...], named: dict[str, Any], told: str
) -> None:
    error = search.failure("openverse", *queries, **named)
    assert isinstance(error, BadRequest)
    assert told in str(error)
    assert api.requests == []


def test_markup_is_stripped_and_lengths_are_capped(tmp_path: Path) -> None:
    rude = Photograph(
        "a.jpg", title="<b>R&amp;D</b>\x00 \u202ecat " + "x" * 5000, author="&lt;script&gt;x()&lt;/script&gt;Ann"
    )
    with PhotoAPI({"cat": [rude]}, IMAGES) as api:
        for provider in ("openverse", "commons", "flickr"):
            found = Search(tmp_path, api.address)(provider, "cat")[0]
            assert found.title == "R&D cat " + "x" * 492
            assert found.author == "Ann"
            assert "<" not in found.attribution
            assert len(found.attribution) <= 1000


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ('<a href="//x.org" title="a">Jo <b>B</b></a>', "Jo B"),
        ("<style data-x>.a{b:c}</style>Ann<br>Lee<!-- no -->", "Ann Lee"),
        ("3 < 4 & 5 > 2", "3 < 4 & 5 > 2"),
        ("&amp;amp;lt;i&amp;amp;gt;q", "q"),
        ("x<\u200eb>y", "xy"),
        ("unclosed <a href='", "unclosed"),
        ("a\u2028b\tc\u00a0d", "a b c d"),
        (7, "7"),
        (None, ""),
        (True, ""),
        ({"a": 1}, ""),
    ],
)
def test_plain(said: object, text: str) -> None:
    assert texts.plain(said) == text


PIECES = st.sampled_from(["<", ">", "b", "/", "!--", "script", "&", "amp;", "lt", ";", "#60;", "\x00", "\u202e", " "])
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))


@given(TEXTS, st.integers(1, 60))
def test_texts_are_plain(said: str, longest: int) -> None:
    text = texts.plain(said, longest)
    assert len(text) <= longest
    assert not re.search(r"<[a-zA-Z/!?]", text)
    assert html.unescape(text) == text
    assert text == " ".join(text.split())
    assert all(unicodedata.category(char)[0] != "C" or char in "\u200c\u200d" for char in text)
    assert texts.plain(text, longest) == text
    text.encode()


@given(st.one_of(TEXTS, st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.integers())))
def test_numbers_and_addresses_are_ones(said: Any) -> None:
    number, address = texts.number(said), texts.address(said)
    assert number is None or (type(number) is int and 1 <= number <= 10**9)
    assert not address or re.fullmatch(r"https?://\S{1,1992}", address)


@given(st.text(max_size=40))
def test_no_header_breaks_the_wait(header: str) -> None:
    after = ask.retry_after(header)
    assert after is None or after >= 0


@given(st.dictionaries(st.sampled_from(sorted(Candidate.__slots__)), st.one_of(TEXTS, st.integers(), st.none())))
def test_a_candidate_is_plain_whatever_is_said_of_it(fields: dict[str, Any]) -> None:
    made = providers.candidate(fields, provider="openverse", query="cat", rank=3)
    assert made.license in licensing.CODES
    assert (made.query, made.rank) == ("cat", 3)
    for name in ("title", "author", "attribution", "license_version", "provider", "provider_id", "mime"):
        assert getattr(made, name) == texts.plain(getattr(made, name), 1000)


@pytest.mark.parametrize(
    ("address", "name", "code", "version"),
    [
        ("https://creativecommons.org/licenses/by-sa/4.0/", "", "by-sa", "4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/deed.en", "", "cc0", "1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "", "pdm", "1.0"),
        ("https://creativecommons.org/licenses/by/2.0/", "CC BY-SA 4.0", "by", "2.0"),
        ("https://creativecommons.org/licenses/sampling+/1.0/", "", "unknown", ""),
        ("", "CC BY-SA 3.0 de", "by-sa", "3.0"),
        ("", "CC-BY-NC-ND-2.5", "by-nc-nd", "2.5"),
        ("", "CC0", "cc0", ""),
        ("", "Public domain", "pdm", ""),
        ("", "GFDL", "unknown", ""),
        ("", "CC BY-SA", "by-sa", ""),
        ("", "Bye", "unknown", ""),
        ("https://example.org/licenses/by/4.0/", "", "unknown", ""),
    ],
)
def test_licences_are_read(address: str, name: str, code: str, version: str) -> None:
    assert licensing.read(address, name) == (code, version)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def offline(tmp_path: Path) -> Search:
    return Search(tmp_path / "search", "http://127.0.0.1:1")


ROWS: list[dict[str, Any]] = [
    {"url": "https://a.org/1.jpg", "query": "cat", "license": "by", "title": "<i>One</i>", "width": 640},
    {"url": "https://a.org/2.jpg", "query": "dog", "license": "cc0", "title": "NA", "width": None},
    {"url": "https://a.org/3.jpg", "query": "cat", "license": None, "title": None, "width": None},
]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    if path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    elif path.suffix == ".csv":
        pd.DataFrame(rows).astype({"width": "Int64"}).to_csv(path, index=False)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.parquet"])
def test_addresses_of_a_file(root: Path, offline: Search, name: str) -> None:
    write_rows(root / name, ROWS)
    found = offline("addresses", "cat", "dog", licences=("by", "cc0", "unknown"), file=name)
    facts = [(one.url, one.query, one.rank, one.license, one.title, one.width, one.provider) for one in found]
    assert facts == [
        ("https://a.org/1.jpg", "cat", 0, "by", "One", 640, "addresses"),
        ("https://a.org/3.jpg", "cat", 1, "unknown", "", None, "addresses"),
        ("https://a.org/2.jpg", "dog", 0, "cc0", "NA", None, "addresses"),
    ]
    assert len(offline("addresses", "cat", licences=("unknown",), file=name)) == 1
    assert len(offline("addresses", "cat", wanted=1, licences=("by", "unknown"), file=name)) == 1


def test_a_label_is_a_query_and_any_address_is_let_through(root: Path, offline: Search) -> None:
    """What is no web address is the fetcher's to reject, so that it is counted."""
    (root / "list.csv").write_text("\ufefflabel,url,colour\ncat,file:///etc/passwd,red\n", encoding="utf-8")
    found = offline("addresses", "cat", licences=("unknown",), file="list.csv")
    assert [(one.url, one.query) for one in found] == [("file:///etc/passwd", "cat")]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("list.csv", "query,address\ncat,x\n", "list.csv, line 2: `url` must be a text. Received: None"),
        ("list.csv", "url,query\nhttps://a,cat\nhttps://b,\n", "list.csv, line 3: `query` must be a text"),
        ("list.csv", "url,query,license\nx,cat,mine\n", "line 2: `license` must be one of .* Received: 'mine'"),
        ("list.csv", "url,query,width\nx,cat,-3\n", "line 2: `width` must be a whole number above 0. Received: '-3'"),
        ("list.csv", 'url,query\n"x"y,cat\n', "list.csv must be CSV in UTF-8"),
        ("list.jsonl", '{"url": "x", "query": "cat"}\n[1]\n', "list.jsonl, line 2 must be a JSON object"),
        ("list.jsonl", '{"url": "x", \n', "list.jsonl, line 1 must be a JSON object"),
        ("list.jsonl", '{"url": 5, "query": "cat"}', "line 1: `url` must be a text. Received: 5"),
        ("list.jsonl", '{"url": "x", "query": "cat", "license": ["by"]}', "line 1: `license` must be one of"),
        ("list.parquet", "no parquet", "list.parquet must be a parquet file"),
    ],
)
def test_an_error_names_file_and_row(root: Path, offline: Search, name: str, text: str, told: str) -> None:
    (root / name).write_text(text, encoding="utf-8")
    error = offline.failure("addresses", "cat", file=name)
    assert isinstance(error, BadData)
    assert re.search(told, str(error))


def test_a_file_in_another_encoding(root: Path, offline: Search) -> None:
    (root / "list.csv").write_bytes("url,query\nx,señal\n".encode("latin-1"))
    assert isinstance(offline.failure("addresses", "cat", file="list.csv"), BadData)


@pytest.mark.parametrize("name", [None, "", "missing.csv", "list.xlsx", "."])
def test_a_file_that_is_none(root: Path, offline: Search, name: str | None) -> None:
    (root / "list.xlsx").write_bytes(b"")
    assert isinstance(offline.failure("addresses", "cat", file=name), BadRequest)


@pytest.fixture
def pictures(root: Path) -> Path:
    """A folder `pictures` with cats of all kinds, and what is none."""
    folder = root / "pictures"
    for name in ("cat/b.jpg", "cat/a.JPG", "cat/c 1.webp", "cat/notes.txt", "cat/._a.jpg", "dog/d.png", "e.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"bytes")
    return folder


def test_images_of_a_folder(pictures: Path, offline: Search) -> None:
    assert pictures.is_absolute()
    found = offline("folder", "cat", "dog", folder="pictures", licence="cc0")
    assert [(one.url, one.query, one.rank, one.mime) for one in found] == [
        ("file:cat/a.JPG", "cat", 0, "image/jpeg"),
        ("file:cat/b.jpg", "cat", 1, "image/jpeg"),
        ("file:cat/c 1.webp", "cat", 2, "image/webp"),
        ("file:dog/d.png", "dog", 0, "image/png"),
    ]
    assert {one.license for one in found} == {"cc0"}
    assert offline("folder", "cat", folder="pictures", licences=FREE) == []  # nobody said what their licence is
    assert len(offline("folder", "cat", folder="pictures", licences=("unknown",), wanted=2)) == 2


@pytest.mark.parametrize(
    ("query", "settings", "kind", "told"),
    [
        ("cats", {}, BadRequest, "each query must be a folder in pictures. Received: 'cats'; did you mean 'cat'"),
        ("../other", {}, Refused, "must be the name of a folder"),
        ("..", {}, Refused, "must be the name of a folder"),
        ("cat", {"folder": "missing"}, BadRequest, "`folder` must be a folder"),
        ("cat", {"folder": None}, BadRequest, "`folder` must be a folder"),
        ("cat", {"licence": "mine"}, BadRequest, "Received: 'mine'"),
    ],
)
def test_a_folder_that_is_none(
    pictures: Path, offline: Search, query: str, settings: dict[str, Any], kind: type[MiarError], told: str
) -> None:
    error = offline.failure("folder", query, **{"folder": pictures.name, "licence": "by", **settings})
    assert isinstance(error, kind)
    assert told in str(error)


@pytest.mark.parametrize("link", ["cat/z.jpg", "far"])
def test_what_leads_outside_of_the_folder_is_refused(pictures: Path, offline: Search, link: str) -> None:
    outside = pictures.parent / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"bytes")
    (pictures / link).symlink_to(outside / "secret.jpg" if link.endswith("jpg") else outside)
    error = offline.failure("folder", link.split("/")[0], folder="pictures", licence="by")
    assert isinstance(error, Refused)
    assert f"{link.removesuffix('/secret.jpg')}" in str(error)
    assert str(pictures) not in str(error)


def package(found: Any) -> dict[str, types.ModuleType]:
    """Stands for the package `ddgs`: its `images` gives or raises `found`."""
    module, errors = types.ModuleType("ddgs"), types.ModuleType("ddgs.exceptions")

    class DDGSException(Exception):
        pass

    class DDGS:
        def images(self, query: str, *, max_results: int, safesearch: str) -> list[dict[str, Any]]:
            assert (query, max_results, safesearch) == ("cat", 2, "on")
            if isinstance(found, str):
                raise DDGSException(found)
            return list(found)

    module.DDGS, errors.DDGSException = DDGS, DDGSException  # type: ignore[attr-defined]
    return {"ddgs": module, "ddgs.exceptions": errors}


IMAGE = {
    "title": "A <b>cat</b>",
    "image": "https://a.org/1.jpg",
    "url": "https://a.org/1",
    "width": "640",
    "height": "",
}


def test_ddgs_is_not_there(offline: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ddgs", None)
    error = offline.failure("ddgs", "cat")
    assert isinstance(error, Unavailable)
    assert "pip install ddgs" in str(error)


def test_what_ddgs_finds(offline: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in package([IMAGE, {**IMAGE, "image": None}]).items():
        monkeypatch.setitem(sys.modules, name, module)
    found = offline("ddgs", "cat", wanted=2)
    facts = [(one.url, one.source_page, one.title, one.license, one.width, one.height) for one in found]
    assert facts == [("https://a.org/1.jpg", "https://a.org/1", "A cat", "unknown", 640, None)]
    monkeypatch.setitem(sys.modules, "ddgs", None)
    assert offline("ddgs", "cat", wanted=2) == found  # it is kept


def test_what_ddgs_says(offline: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in package("403 Ratelimit at https://a.org/?vqd=canary").items():
        monkeypatch.setitem(sys.modules, name, module)
    assert "403 Ratelimit at https://a.org/?***" in str(offline.failure("ddgs", "cat", wanted=2))
    for name, module in package("No results found.").items():
        monkeypatch.setitem(sys.modules, name, module)
    assert offline("ddgs", "cat", wanted=2) == []


def test_kept_pages_say_what_was_asked(search: Search) -> None:
    search("openverse", "dog")
    (page,) = search.pages()
    assert re.fullmatch(r"[0-9a-f]{16}\.json", page.name)
    assert page.parent == search.folder / "pages" / "openverse"
    kept = json.loads(page.read_text())
    assert (kept["asked"]["q"], kept["asked"]["page"], len(kept["answer"]["results"])) == ("dog", 1, 3)
    assert list(page.parent.iterdir()) == [page]
