"""Images by keyword, from a search to a champion: a real server for the search, another one for the images."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.flows.conftest import Project, Servers, make, until
from tests.tasks.photoserver import PhotoServer, crops
from tests.tasks.providers import FLICKR_KEY, PhotoAPI, Photograph

pytestmark = pytest.mark.slow

WHAT, RECIPE, EACH = "things", "cnn_things", 24


@pytest.fixture(scope="module")
def photos() -> Iterator[PhotoServer]:
    files = {f"{label}/{number}.jpg": one for label, all_ in crops(EACH).items() for number, one in enumerate(all_)}
    with PhotoServer(files) as server:
        yield server


@pytest.fixture(scope="module")
def search(photos: PhotoServer) -> Iterator[PhotoAPI]:
    with PhotoAPI(listed(photos), images=photos.address) as server:
        yield server


def listed(photos: PhotoServer) -> dict[str, list[Photograph]]:
    """What is found by each keyword: all photographs of it, one of them under a licence that is not allowed."""
    found: dict[str, list[Photograph]] = {}
    for path in sorted(photos.files):
        label = path.partition("/")[0]
        licence = "by-nc" if path == "cat/0.jpg" else "by"
        found.setdefault(label, []).append(Photograph(path, title=f"{label} & {path}", license=licence))
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path, search: PhotoAPI) -> Project:
    """A copy with a collection, and a small network that learns from it."""
    made = make(tmp_path_factory.mktemp("things"), cache)
    path = made.root / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["collections"] = {
        WHAT: {
            "provider": "openverse",
            "settings": {"address": search.address, "interval": 0.01, "allow_networks": "127.0.0.1/32"},
            "classes": {label: [label] for label in search.photographs},
            "wanted": EACH,
            "licences": ["cc0", "by"],
            "least": 10,
            "size": 32,
            "smallest": 32,
            "test": 0.3,
            "seed": 1,
        }
    }
    content["datasets"] = {
        "digits": content["datasets"]["digits"],
        WHAT: {
            "source": WHAT,
            "problem": "classification",
            "image": [32, 32, 3],
            "classes": sorted(search.photographs),
            "validation": 0.2,
            "smallest_class": 0.0,  # there are few, and fewer where a form asks for fewer
            "test": "official",
            "seed": 0,
            "group": "group_id",
        },
    }
    recipe = content["recipes"]["cnn_digits"] | {"dataset": WHAT}
    recipe["gate"] = recipe["gate"] | {"at_least": 0.2, "mode": "dry_run"}
    content["recipes"] |= {RECIPE: recipe}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    made.git("commit", "--quiet", "--no-verify", "--all", "-m", "Collect things")
    return made


def metadata(project: Project) -> pd.DataFrame:
    return pd.read_parquet(project.root / "data" / "collected" / WHAT / "metadata.parquet")


def test_a_dry_run_says_how_much_there_is_and_changes_nothing(project: Project, photos: PhotoServer) -> None:
    before = project.files()
    answer = project.miar("scrape", WHAT, "--dry-run")
    assert answer.returncode == 0, answer.stderr
    assert f"{WHAT}: {3 * EACH - 1} candidates named by openverse; nothing was fetched" in answer.stdout
    assert photos.requests == []
    assert {path for path in project.files() - before if not path.startswith("data/scratch")} == set()
    assert project.git("status", "--porcelain") == ""


def test_a_search_becomes_images_with_all_that_is_known_of_them(project: Project, photos: PhotoServer) -> None:
    answer = project.miar("scrape", WHAT)
    assert answer.returncode == 0, answer.stderr
    table = metadata(project)
    assert f"{WHAT}: {len(table)} images kept of {3 * EACH - 1} candidates" in answer.stdout
    assert len(table) > 60
    assert "cat/0.jpg" not in "".join(table["url"])  # another licence
    assert set(table["license"]) == {"by"}
    assert set(table["title"].str[:3]) == {"cat", "cof", "roc"}
    folder = project.root / "data" / "collected" / WHAT
    thanks = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "cat &amp; cat/1.jpg" in thanks
    assert all((folder / path).is_file() for path in table["path"])
    assert "robots.txt" in [path for path, _ in photos.requests]
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    receipt = json.loads((folder / "receipt.json").read_text(encoding="utf-8"))
    assert sum(receipt["outcomes"].values()) == receipt["candidates"] == len(outcomes) == 3 * EACH - 1


def test_a_model_learns_from_them_and_says_which_it_saw(project: Project) -> None:
    answer = project.miar("run", RECIPE)
    assert answer.returncode == 0, answer.stderr
    image = metadata(project).iloc[0]
    for name in (image["url"], image["source_sha256"], image["sha256"][:12]):
        seen = project.miar("lineage", "--data", name, "--json")
        assert seen.returncode == 0, seen.stderr
        (version,) = json.loads(seen.stdout)["versions"]
        assert (version["model"], version["version"], version["split"]) == (RECIPE, 1, image["split"])
    assert json.loads(project.miar("lineage", "--data", "f" * 64, "--json").stdout)["versions"] == []


def test_where_nothing_is_new_nothing_is_fetched_and_dvc_has_nothing_to_do(
    project: Project, photos: PhotoServer
) -> None:
    before = len(photos.requests)
    answer = project.miar("scrape", WHAT)
    assert answer.returncode == 0, answer.stderr
    assert re.search(rf"collect@{WHAT} +Finished in state Unchanged\(", answer.stderr), answer.stderr
    assert len(photos.requests) == before
    assert "is up to date" in project.dvc("status", f"collect@{WHAT}", f"validate@{WHAT}").stdout.replace("are", "is")


def test_a_form_s_values_are_tried_out_and_not_adopted(project: Project) -> None:
    before = metadata(project)
    answer = project.miar("scrape", WHAT, "--wanted", "20")
    assert answer.returncode == 0, answer.stderr
    assert "images kept of 60 candidates" in answer.stdout
    assert metadata(project).equals(before)


def test_a_shortfall_stops_the_run_and_names_the_class(project: Project) -> None:
    answer = project.miar("scrape", WHAT, "--wanted", "9")
    assert answer.returncode == 3
    (line,) = [line for line in answer.stderr.splitlines() if line.startswith("ERROR 3 collect things: ")]
    assert "of column `kept` in table `classes` (min_value=10)" in line
    report = Path(line.partition("Report: ")[2])
    assert report.is_file()
    assert "expectations hold" in report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("provider", "told"),
    [("bing", "was retired on 2025-08-11; use `openverse`"), ("openvers", "did you mean 'openverse'?")],
)
def test_a_provider_that_is_none_is_one_line(project: Project, provider: str, told: str) -> None:
    answer = project.miar("scrape", WHAT, "--provider", provider)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_what_is_to_be_forgotten_is_kept_nowhere_from_then_on(project: Project) -> None:
    image = metadata(project).iloc[3]
    answer = project.miar("forget", image["url"], "--reason", "its owner asked")
    assert answer.returncode == 0, answer.stderr
    assert f"{RECIPE} version 1 saw it ({image['split']}): {image['url']}" in answer.stdout
    assert "its owner asked" in (project.root / "data" / "removed.txt").read_text(encoding="utf-8")
    assert project.miar("scrape", WHAT).returncode == 0
    assert image["url"] not in set(metadata(project)["url"])
    table = pd.read_parquet(project.root / "data" / "collected" / WHAT / "outcomes.parquet")
    (row,) = table[table["url"] == image["url"]].itertuples()
    assert (row.outcome, row.reason) == ("rejected", "removed")


def test_new_images_train_the_models_that_learn_from_them(
    servers: Servers, project: Project, photos: PhotoServer, search: PhotoAPI
) -> None:
    project.git("commit", "--quiet", "--no-verify", "--all", "-m", "Forget an image")
    newest = crops(4, seed=9)["coffee"]
    photos.files |= {f"coffee/new{number}.jpg": one for number, one in enumerate(newest)}
    search.photographs["coffee"] = listed(photos)["coffee"][::-1]
    state = servers.ended(servers.start("scrape", collection=WHAT))
    assert state["name"] == "Collected", state["message"]
    until(lambda: servers.runs("retrain"), "a run has begun", 300)
    run = servers.runs("retrain")[0]
    assert run["parameters"] == {"recipe": RECIPE, "cause": "data"}
    ended = servers.ended(str(run["id"]))
    assert ended["type"] == "COMPLETED", ended["message"]
    seen = project.miar("lineage", "--data", f"{photos.address}/coffee/new0.jpg", "--json")
    assert [one["version"] for one in json.loads(seen.stdout)["versions"]] == [2]
    again = servers.ended(servers.start("scrape", collection=WHAT))
    assert again["name"] == "NothingNew", again["message"]


def test_a_provider_s_key_comes_from_a_secret_block_and_is_told_nobody(
    servers: Servers, project: Project, search: PhotoAPI
) -> None:
    refused = servers.ended(servers.start("scrape", collection=WHAT, provider="flickr", dry_run=True))
    assert "none in the environment variable FLICKR_API_KEY" in str(refused["message"])
    save = f"from prefect.blocks.system import Secret; Secret(value={FLICKR_KEY!r}).save('flickr-api-key')"
    saved = project.run(".venv/bin/python", "-c", f"from flows import settings; settings.apply(); {save}")
    assert saved.returncode == 0, saved.stderr
    state = servers.ended(servers.start("scrape", collection=WHAT, provider="flickr", dry_run=True))
    assert state["name"] == "DryRun", state["message"]
    assert "named by flickr" in str(state["message"])
    assert FLICKR_KEY in str(search.requests)
    written = [path for path in project.root.rglob("*") if not {".venv", "tests"} & set(path.parts) and path.is_file()]
    assert not [path for path in written if FLICKR_KEY.encode() in path.read_bytes()]
