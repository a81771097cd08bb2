"""Five flowers by keyword, from a search of the web to a champion: how many images, how many seconds, which score.

`python -m bench.flowers` copies the project and lets `./miar scrape flowers` and `./miar run resnet50_flowers` run
there. The web is two servers on this machine: one speaks Openverse's protocol, one gives the photographs of
flowers5.zip (600 real ones, CC BY 2.0), which lies in the folder MIAR_MIRROR. ResNet50's weights come from npm.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import yaml

COLLECTION, RECIPE = "flowers", "resnet50_flowers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="an empty folder for the copy, which then stays")
    asked = parser.parse_args()
    from tests.tasks.photoserver import PhotoServer
    from tests.tasks.providers import PhotoAPI

    files = photographs()
    with (
        tempfile.TemporaryDirectory(prefix="miar-flowers-") as folder,
        PhotoServer(files) as photos,
        PhotoAPI(listed(files), images=photos.address) as search,
    ):
        project = copy(asked.keep or Path(folder) / "project", Path(folder) / "cache", search.address)
        for verb, limit in ((("scrape", COLLECTION), 600), (("scrape", COLLECTION), 600), (("run", RECIPE), 3600)):
            began = time.monotonic()
            answer = project.miar(*verb, limit=limit, MIAR_MIRROR=os.environ["MIAR_MIRROR"])
            if answer.returncode:
                sys.exit(answer.stderr[-2000:])
            print(f"./miar {' '.join(verb)}: {time.monotonic() - began:.1f} s\n{answer.stdout.strip()}", flush=True)


def photographs() -> dict[str, bytes]:
    """The photographs by path: the class, then the name."""
    archive = Path(os.environ.get("MIAR_MIRROR", "")) / "flowers5.zip"
    if not archive.is_file():
        sys.exit(f"flowers5.zip must lie in the folder MIAR_MIRROR. Received: {archive}")
    with zipfile.ZipFile(archive) as packed:
        names = [name for name in packed.namelist() if name.endswith(".jpg")]
        return {"/".join(Path(name).parts[-2:]): packed.read(name) for name in names}


def listed(files: dict[str, bytes]) -> dict[str, list[Any]]:
    """What a search finds by each keyword of the collection."""
    from tasks import catalogue
    from tests.tasks.providers import Photograph

    found: dict[str, list[Any]] = {}
    for label, keywords in catalogue.load().collection(COLLECTION).classes.items():
        names = [name for name in sorted(files) if name.startswith(f"{label}/")]
        found[keywords[0]] = [Photograph(name, title=f"{label} {Path(name).stem.split('_')[0]}") for name in names]
    return found


def copy(root: Path, cache: Path, address: str) -> Any:
    """The project with its own catalogue, but for where it searches."""
    from tests.flows.conftest import ROOT, make

    root.mkdir(parents=True, exist_ok=True)
    project = make(root, cache)
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings = {"address": address, "interval": 0.01, "allow_networks": "127.0.0.1/32"}
    content["collections"][COLLECTION]["settings"] = settings
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    project.git("commit", "--quiet", "--no-verify", "--all", "-m", "Search on this machine")
    return project


if __name__ == "__main__":
    main()
