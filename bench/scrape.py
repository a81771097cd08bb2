"""What a collection costs: photographs fetched and cleaned, beside img2dataset, and once more with nothing to do.

`python -m bench.scrape --img2dataset ~/img2dataset/bin/python` lets both fetch the same 1,000 photographs from
a server on this machine and reduce them to 256 pixels, in turns, and tells the CPU seconds of each with all of its
processes. The same with a single photograph tells how much of that is imports and other beginnings. Then the step
collect makes a collection of 10,000 images, and what the flow scrape does when there is nothing new to collect is timed
after it. Linux only.

img2dataset goes with older packages than this project, so it needs an environment of its own, of Python 3.11 or 3.12:

    python3.11 -m venv ~/img2dataset
    ~/img2dataset/bin/pip install img2dataset==1.47.0

`--img2dataset` is the interpreter there. The photographs are those of `bench.fetch`.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.fetch import CONNECTIONS, Cost, served, store

if TYPE_CHECKING:
    from tasks.cleaning import Cleaned
    from tasks.outside.fetcher import Fetched

SMALLEST, LARGEST, QUALITY = 64, 256, 95
MANY = 10_000
NAME = "many"
CUTS = 10
"""Crops of each photograph that make up the many images."""

SUBREAPER = 36
"""Linux's PR_SET_CHILD_SUBREAPER: whatever process loses its parent below this one becomes this one's child."""

SAME = {
    "input_format": "txt",
    "output_format": "files",
    "image_size": LARGEST,
    "resize_mode": "keep_ratio_largest",
    "resize_only_if_bigger": True,
    "min_image_size": SMALLEST,
    "encode_quality": QUALITY,
    "processes_count": 1,
    "thread_count": CONNECTIONS,
    "number_sample_per_shard": 1000,
    "retries": 0,
    "enable_wandb": False,
}
"""What makes img2dataset do what is done here."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--img2dataset", type=Path, help="the Python that has it; without, only ours is measured")
    parser.add_argument("--tree", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.add_argument("--collect", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--gather", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--due", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.tree:
        tree(asked.tree)
    elif asked.collect:
        fetch_and_clean(asked.collect[0], Path(asked.collect[1]), int(asked.collect[2]))
    elif asked.gather:
        gather()
    elif asked.due:
        due()
    else:
        with tempfile.TemporaryDirectory(prefix="miar-scrape-") as folder:
            bench(Path(folder), asked.rounds, asked.images, asked.img2dataset)


def bench(folder: Path, rounds: int, images: int, python: Path | None) -> None:
    size = store(folder / "served", images)
    print(f"{images:,} photographs, mean {size / images / 1024:.0f} KB; load {os.getloadavg()[0]:.1f}", flush=True)
    tools: dict[str, Tool] = {"ours": ours} | ({"img2dataset": rival(python)} if python else {})
    with served(folder / "served") as address:
        ran = [
            {name: measure(tool, address, folder / f"{number}-{name}", images) for name, tool in tools.items()}
            for number in range(rounds)
        ]
    print("\n".join(told(ran)), flush=True)
    cut(folder / "served", folder / "many")
    with served(folder / "many") as address:
        print("\n".join(again(address, folder / "collected", rounds)))


Tool = Callable[[str, Path, int], list[str]]
"""Gives the command that brings so many photographs from an address into a folder."""


@dataclass(frozen=True)
class Run:
    """What a tool cost for all photographs, and, started anew, for the first one alone."""

    whole: Cost
    first: Cost

    @property
    def rest(self) -> float:
        """CPU seconds that are not imports and other beginnings."""
        return self.whole.cpu - self.first.cpu


def ours(address: str, folder: Path, images: int) -> list[str]:
    return [sys.executable, "-m", "bench.scrape", "--collect", address, str(folder / "ours"), str(images)]


def rival(python: Path) -> Tool:
    def img2dataset(address: str, folder: Path, images: int) -> list[str]:
        addresses = folder / "addresses.txt"
        addresses.write_text("\n".join(urls(address, images)), encoding="utf-8")
        options = SAME | {"url_list": addresses, "output_folder": folder / "out"}
        return [str(python), "-m", "img2dataset.main", *(f"--{name}={value}" for name, value in options.items())]

    return img2dataset


def urls(address: str, images: int) -> list[str]:
    return [f"{address}/{number}.jpg" for number in range(images)]


def measure(tool: Tool, address: str, folder: Path, images: int) -> Run:
    """Run a tool twice; what it writes must be there."""
    costs = []
    for wanted in (images, 1):
        place = folder / str(wanted)
        place.mkdir(parents=True)
        costs.append(spent(tool(address, place, wanted)))
        if (written := len(list(place.rglob("*.jpg")))) != wanted:
            sys.exit(f"{folder.name} must write {wanted} pictures. Received: {written}")
    return Run(*costs)


def spent(command: Sequence[str]) -> Cost:
    """Seconds of a command and of every process that it starts, also of those that outlive it."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.scrape", "--tree", *command], check=True, stdout=subprocess.PIPE, text=True
    )
    return Cost(*map(float, done.stdout.split()))


def tree(command: Sequence[str]) -> None:
    """Run a command and tell what its processes took: the wall until it ends, the CPU until the last of them does.

    The decoders' parent is Python's forkserver, which nobody waits for; only a subreaper gets to know what it took.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    began = time.perf_counter()
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, cpu, failed = 0.0, 0.0, False
    for process, status, seconds in orphans():
        cpu += seconds
        if process == first.pid:
            wall, failed = time.perf_counter() - began, status != 0
    if failed:
        sys.exit(f"`{' '.join(command[:3])}` must end well")
    print(wall, cpu)


def orphans() -> Iterator[tuple[int, int, float]]:
    """Each process that ends as a child of this one, how it ended, and the CPU seconds of it and its own children."""
    while True:
        try:
            process, status, used = os.wait4(-1, 0)
        except ChildProcessError:
            return
        yield process, status, used.ru_utime + used.ru_stime


def told(ran: Sequence[Mapping[str, Run]]) -> Iterator[str]:
    yield f"{'round':<8}{'tool':<14}{'wall s':>8}{'CPU s':>8}{'first image':>13}"
    for number, runs in enumerate(ran, 1):
        for name, run in runs.items():
            yield f"{number:<8}{name:<14}{run.whole}{run.first.cpu:>13.2f}"
    for name in ran[0]:
        whole, first = median(run[name].whole.cpu for run in ran), median(run[name].first.cpu for run in ran)
        yield f"{name}: median {whole:.2f} CPU seconds, of which {first:.2f} for imports and the first image"
    if "img2dataset" in ran[0]:
        whole = median(run["img2dataset"].whole.cpu / run["ours"].whole.cpu for run in ran)
        rest = median(run["img2dataset"].rest / run["ours"].rest for run in ran)
        yield f"img2dataset takes {whole:.2f} times as many CPU seconds; {rest:.2f} times after the first image"


def fetch_and_clean(address: str, folder: Path, images: int) -> tuple[dict[str, Fetched], dict[str, Cleaned]]:
    """What is timed beside img2dataset, in a process of its own."""
    from tasks import cleaning
    from tasks.outside import fetcher

    manners = fetcher.Manners(connections=CONNECTIONS, per_host=CONNECTIONS, allow_networks=("127.0.0.1/32",))
    brought = fetcher.fetch(urls(address, images), folder, manners=manners)
    if {one.state for one in brought.values()} != {"fetched"}:
        sys.exit("all photographs must be fetched")
    files = {one.sha256: (fetcher.raw(folder, one.sha256), one.format) for one in brought.values()}
    seen = cleaning.clean(files, folder / "cleaned", cleaning.Rules(smallest=SMALLEST, largest=LARGEST))
    return brought, seen


def cut(photographs: Path, folder: Path) -> None:
    """Write many images that are really different: crops of photographs, of other places and qualities."""
    from PIL import Image

    folder.mkdir()
    different: set[bytes] = set()
    for number, path in enumerate(sorted(photographs.iterdir())[: MANY // CUTS]):
        with Image.open(path) as picture:
            picture.draft("RGB", (320, 320))
            small = picture.convert("RGB").resize((320, 320))
        for place in range(CUTS):
            file = io.BytesIO()
            left, top = 16 * place, 16 * (place * 7 % CUTS)
            small.crop((left, top, left + 160, top + 160)).save(file, "JPEG", quality=80 + place)
            (folder / f"{number * CUTS + place}.jpg").write_bytes(file.getvalue())
            different.add(file.getvalue())
    if len(different) != MANY:
        sys.exit(f"there must be {MANY} different images. Received: {len(different)}")


def again(address: str, folder: Path, rounds: int) -> Iterator[str]:
    """What the first run costs, and what those that follow it do, in a copy of the project."""
    from tests.flows.conftest import make

    (folder / "project").mkdir(parents=True)
    project = make(folder / "project", folder / "cache")
    ask_for(project.root, address)
    took, told = {}, []
    for name, command in {
        "search": [".venv/bin/dvc", "repro", "--quiet", "--single-item", f"search@{NAME}"],
        "first": [".venv/bin/python", "-m", "bench.scrape", "--gather"],
        "commit": [".venv/bin/dvc", "commit", "--quiet", "--force", f"collect@{NAME}"],
        **{f"{number}": [".venv/bin/python", "-m", "bench.scrape", "--due"] for number in range(rounds)},
    }.items():
        began = time.perf_counter()
        done = project.run(*command, limit=1800)
        took[name] = time.perf_counter() - began
        told.append(done.stdout)
        if done.returncode:
            sys.exit(f"`{' '.join(command)}` must end well. Received: {done.stderr[-500:]}")
    wall, asking = median(took[f"{number}"] for number in range(rounds)), median(map(float, told[-rounds:]))
    yield f"{MANY:,} images fetched, cleaned, settled, judged and shown: {took['first']:.1f} s"
    yield f"finding out that there is nothing to do: {asking:.2f} s, {took['first'] / asking:.0f} times as fast"
    yield f"the same by a process that has nothing imported yet: {wall:.2f} s, {took['first'] / wall:.0f} times as fast"


def ask_for(root: Path, address: str) -> None:
    """Let the project in `root` have a collection of all images, under two labels."""
    import yaml

    rows = [f"{address}/{number}.jpg,{('even', 'odd')[number % 2]},by" for number in range(MANY)]
    (root / "addresses.csv").write_text("\n".join(["url,label,license", *rows]), encoding="utf-8")
    path = root / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["collections"][NAME] = content["collections"]["flowers"] | {
        "provider": "addresses",
        "settings": {"file": "addresses.csv", "allow_networks": "127.0.0.1/32"},
        "classes": {"even": ["even"], "odd": ["odd"]},
        "wanted": MANY,
        "size": 64,
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def gather() -> None:
    """The step collect, as many requests to one host at a time as there are connections."""
    from tasks import brought, collect

    polite = brought.manners
    brought.manners = lambda collection: replace(polite(collection), connections=CONNECTIONS, per_host=CONNECTIONS)
    receipt = collect.collect(NAME)
    if receipt.candidates != MANY:
        sys.exit(f"all images must be candidates. Received: {receipt}")


def due() -> None:
    """What the flow scrape asks before it collects, of the web's turn and of DVC; tells the seconds of both."""
    from flows.stages import Graph
    from tasks import brought, places

    graph = Graph(places.ROOT)  # the flow has it already, and all that is imported
    began = time.perf_counter()
    if brought.is_due(NAME, places.searched(NAME)) or not graph.is_unchanged(f"collect@{NAME}"):
        sys.exit("there must be nothing to do")
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
