"""What becomes of a web that means no good: all cases of tests/tasks/hostile.py, fetched, decoded and settled.

`python -m bench.hostile` serves them on this machine, lets a process of its own fetch and clean them, and writes to
docs/hostile.md what came of each beside what must, and how much memory that process and its decoders took at most.
It fails where one came out otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from tasks.cleaning import Cleaned
    from tasks.outside.fetcher import Fetched

PAGE = Path(__file__).resolve().parent.parent / "docs" / "hostile.md"
TITLE = """# Hostile answers

What becomes of everything that a bad web may serve, as `python -m bench.hostile` found it last."""
REASONS = """## Reasons

A candidate that is not kept ends as `duplicate`, `rejected`, `failed` (it is asked for again the next time) or
`gone`, with one of these reasons."""
Peaks = dict[str, list[int]]
"""Most memory of processes, bytes, by what they do."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--take", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.take:
        take(asked.take)
    else:
        tell()


def tell() -> None:
    """Let another process take all cases, and write down what it found."""
    from tests.tasks.hostile import CASES, Hostile

    with Hostile() as web, tempfile.TemporaryDirectory(prefix="miar-hostile-") as folder:
        urls = [web.url(case.path) for case in CASES]
        (Path(folder) / "urls.json").write_text(json.dumps(urls), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "bench.hostile", "--take", folder], check=True)
        found = json.loads((Path(folder) / "found.json").read_text(encoding="utf-8"))
        private = sum(hit.site == "other" for hit in web.hits)
    lines = [Line(case.what, case.right, tuple(found["ended"][url])) for case, url in zip(CASES, urls, strict=True)]
    PAGE.write_text(page(lines, found["peaks"], private), encoding="utf-8")
    right = sum(line.right == line.received for line in lines)
    print(f"{len(lines)} tried, {right} right; {memory(found['peaks'])}. Written: {PAGE.name}")
    if right < len(lines) or private:
        sys.exit("every case must end as it should, and a private network must not be asked")


@dataclass(frozen=True)
class Line:
    """A case: outcome and reason that are right, and those that it ended in."""

    what: str
    right: tuple[str, ...]
    received: tuple[str, ...]

    def __str__(self) -> str:
        return f"| {self.what} | {said(self.right)} | {said(self.received)} |"


def said(ended: tuple[str, ...]) -> str:
    return ": ".join(part for part in ended if part)


def page(lines: list[Line], peaks: Peaks, private: int) -> str:
    """The page, in Markdown."""
    right = sum(line.right == line.received for line in lines)
    counts = Counter(line.received[0] for line in lines)
    ended = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    table = ["| what is served | right outcome | received |", "|---|---|---|", *map(str, lines)]
    summary = [
        f"* {len(lines)} tried, {right} right: {ended}.",
        f"* Requests that reached the private network: {private}.",
        f"* Memory: {memory(peaks)}.",
    ]
    return "\n\n".join([TITLE, "\n".join(summary), "\n".join(table), REASONS, "\n".join(reasons())]) + "\n"


def memory(peaks: Peaks) -> str:
    fetching, decoding = (max(peaks[name]) / 1e6 for name in ("fetcher", "decoder"))
    start = max(peaks["start"]) / 1e6
    return (
        f"the process that fetches took {fetching:.0f} MB at most, {start:.0f} MB of them before its first request; "
        f"the largest of {len(peaks['decoder'])} decoders {decoding:.0f} MB"
    )


def reasons() -> list[str]:
    from tasks import cleaning, outcomes
    from tasks.outside import fetcher

    parts = {
        "What the fetcher rejects": fetcher.REJECTED,
        "What failed, and may not the next time": fetcher.FAILED,
        "What the decoder rejects": cleaning.REASONS,
        "What the comparison with the others finds": outcomes.REASONS,
    }
    lines: list[str] = []
    for title, known in parts.items():
        lines += [f"### {title}", "", *(f"* `{reason}`: {why}" for reason, why in sorted(known.items())), ""]
    return lines[:-1]


def take(folder: Path) -> None:
    """Fetch and clean the addresses in `folder`, which is measured, and settle what they end as."""
    urls = json.loads((folder / "urls.json").read_text(encoding="utf-8"))
    brought, seen, peaks = measured(urls, folder)
    ended = settled(urls, brought, seen)
    (folder / "found.json").write_text(json.dumps({"ended": ended, "peaks": peaks}), encoding="utf-8")


def measured(urls: list[str], folder: Path) -> tuple[dict[str, Fetched], dict[str, Cleaned], Peaks]:
    from tasks import cleaning
    from tasks.outside import fetcher
    from tests.tasks.hostile import ALLOWED, LARGEST

    quick: dict[str, Any] = {"connect": 2, "read": 1, "total": 2, "backoff": 0.02, "per_host": 8, "breaker": 1000}
    manners = fetcher.Manners(allow_networks=ALLOWED, largest=LARGEST, **quick)
    peaks: Peaks = {"start": [peak(os.getpid())], "decoder": []}
    cleaning.dismiss = partial(noted, cleaning.dismiss, peaks)
    brought = fetcher.fetch(urls, folder / "fetched", manners=manners)
    files = {
        one.sha256: (fetcher.raw(folder / "fetched", one.sha256), one.format) for one in brought.values() if one.sha256
    }
    seen = cleaning.clean(files, folder / "cleaned", cleaning.Rules(smallest=64, largest=512))
    return brought, seen, peaks | {"fetcher": [peak(os.getpid())]}


def settled(urls: list[str], brought: dict[str, Fetched], seen: dict[str, Cleaned]) -> dict[str, tuple[str, str]]:
    """Outcome and reason by address."""
    from tasks import outcomes
    from tasks.removed import Removed

    nothing = Removed(frozenset(), frozenset())
    table = outcomes.settle(candidates(urls), brought, seen, collection(), nothing)
    return dict(zip(table["url"], zip(table["outcome"], table["reason"], strict=True), strict=True))


def peak(process: int) -> int:
    """Most memory that a process ever held, in bytes; 0 of one that has died."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def noted(dismiss: Any, peaks: Peaks, desk: Any) -> None:
    """Let a decoder go, and remember how large it was."""
    peaks["decoder"].append(peak(desk.process.pid))
    dismiss(desk)


def candidates(urls: list[str]) -> pd.DataFrame:
    import pandas as pd

    from tasks.outside.providers import Candidate

    table = pd.DataFrame({"url": urls}).reindex(columns=["label", *(field.name for field in fields(Candidate))])
    return table.assign(label="web", license="by")


def collection() -> Any:
    from tasks.catalogue import Collection

    return Collection.model_validate(
        {
            "provider": "urls",
            "settings": {},
            "classes": {"web": ["web"], "other": ["other"]},
            "wanted": 100,
            "least": 1,
            "licences": ["by"],
            "size": 224,
            "test": 0.2,
            "seed": 0,
        }
    )


if __name__ == "__main__":
    main()
