"""What fetching images costs: 1,000 photographs from a server 30 ms away, beside curl, which only writes them down.

`python -m bench.fetch` lets both fetch the same in turns, from a server in a process of its own on this machine, and
tells the seconds and the CPU seconds of each; then it times a call that finds everything fetched already. The
photographs are those of the mirror's zip files (`MIAR_MIRROR`), or views of two that a package brings.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import cast

LATENCY = 0.03
CONNECTIONS = 64
ROWS = 10_000
ZIPS = ("oxford_pets_3breeds.zip", "coco128.zip", "flowers5.zip")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--fetch", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(asked.serve))
    elif asked.fetch:
        fetch(asked.fetch[0], Path(asked.fetch[1]), int(asked.fetch[2]))
    else:
        compare(asked.rounds, asked.images)


def compare(rounds: int, images: int) -> None:
    with tempfile.TemporaryDirectory(prefix="miar-fetch-") as name:
        folder = Path(name)
        size = store(folder / "served", images)
        print(f"{images:,} photographs, mean {size / images / 1024:.0f} KB; load {os.getloadavg()[0]:.1f}", flush=True)
        with served(folder / "served") as address:
            ran = [both(address, folder / str(number), images) for number in range(rounds)]
        print(f"{'round':<8}{'curl s':>8}{'CPU s':>8}{'fetch s':>9}{'CPU s':>8}{'times curl':>12}")
        for number, (curl, ours) in enumerate(ran, 1):
            print(f"{number:<8}{curl}{ours!s:>17}{ours.wall / curl.wall:>12.2f}")
        print(f"median {median(ours.wall / curl.wall for curl, ours in ran):.2f} times curl's seconds")
        print(f"{ROWS:,} addresses that are fetched already: {again(folder / '0' / 'ours'):.2f} s")


@dataclass(frozen=True)
class Cost:
    """Seconds of a process, from its start to its end, and of the CPU."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:>8.2f}{self.cpu:>8.2f}"


def store(folder: Path, wanted: int) -> int:
    """Write photographs by number; returns their bytes."""
    folder.mkdir()
    size = 0
    photographs = mirrored() if os.environ.get("MIAR_MIRROR") else views()
    for number, photograph in zip(range(wanted), photographs, strict=False):
        size += (folder / f"{number}.jpg").write_bytes(photograph)
    if not (folder / f"{wanted - 1}.jpg").exists():
        sys.exit(f"there must be {wanted} photographs. Received: {len(list(folder.iterdir()))}")
    return size


def mirrored() -> Iterator[bytes]:
    for name in ZIPS:
        with zipfile.ZipFile(Path(os.environ["MIAR_MIRROR"]) / name) as archive:
            yield from (archive.read(one) for one in archive.namelist() if one.lower().endswith((".jpg", ".jpeg")))


def views() -> Iterator[bytes]:
    from PIL import Image
    from sklearn.datasets import load_sample_images

    for photograph in load_sample_images().images:
        whole = Image.fromarray(photograph)
        for left in range(0, 320, 8):
            for top in range(0, 210, 10):
                file = io.BytesIO()
                whole.crop((left, top, left + 320, top + 210)).resize((640, 420)).save(file, "JPEG", quality=92)
                yield file.getvalue()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which another process serves `folder`."""
    command = [sys.executable, "-m", "bench.fetch", "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


class Server(asyncio.Protocol):
    """Answers every request after the latency, with no more than curl and the fetcher need."""

    def __init__(self, files: dict[bytes, bytes]) -> None:
        self.files = files

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        found = self.files.get(data.split(b" ", 2)[1], b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        asyncio.get_running_loop().call_later(LATENCY, self.transport.write, found)


async def serve(folder: Path) -> None:
    files: dict[bytes, bytes] = {}
    for path in folder.iterdir():
        body = path.read_bytes()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        files[f"/{path.name}".encode()] = head.encode() + body
    server = await asyncio.get_running_loop().create_server(lambda: Server(files), "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def both(address: str, folder: Path, images: int) -> tuple[Cost, Cost]:
    """One round: curl, then the fetcher."""
    (folder / "curl").mkdir(parents=True)
    config = folder / "curl.txt"
    lines = (f'url = "{address}/{number}.jpg"\noutput = "{folder}/curl/{number}.jpg"' for number in range(images))
    config.write_text("\n".join(lines), encoding="utf-8")
    curl = timed(["curl", "--no-progress-meter", "-Z", "--parallel-max", str(CONNECTIONS), "-K", str(config)])
    ours = timed([sys.executable, "-m", "bench.fetch", "--fetch", address, str(folder / "ours"), str(images)])
    if len(list((folder / "curl").iterdir())) != images:
        sys.exit("curl must write all photographs")
    return curl, ours


def timed(command: Sequence[str]) -> Cost:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def fetch(address: str, folder: Path, images: int) -> None:
    """What is timed beside curl, in a process of its own."""
    from tasks.outside import fetcher

    manners = fetcher.Manners(connections=CONNECTIONS, per_host=CONNECTIONS, allow_networks=("127.0.0.1/32",))
    ended = fetcher.fetch((f"{address}/{number}.jpg" for number in range(images)), folder, manners=manners)
    if {one.state for one in ended.values()} != {"fetched"}:
        sys.exit("all photographs must be fetched")


def again(folder: Path) -> float:
    """Seconds of a call over many rows, with nothing to do."""
    from tasks.outside import fetcher
    from tasks.outside.fetcher import state

    manners = fetcher.Manners()
    with state.opened(folder) as table:
        (url,) = table.database.execute("SELECT url FROM addresses LIMIT 1").fetchone()
        ((row, _),) = table.rows([url])
        table.settle([(replace(row, url=f"https://example.org/{number}.jpg"), None) for number in range(ROWS)])
    began = time.perf_counter()
    ended = fetcher.fetch((f"https://example.org/{number}.jpg" for number in range(ROWS)), folder, manners=manners)
    took = time.perf_counter() - began
    if {one.sha256 for one in ended.values()} != {row.sha256}:
        sys.exit("what is fetched must be known")
    return took


if __name__ == "__main__":
    main()
