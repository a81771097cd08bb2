"""How far a call is: a bar for whoever watches, and counts for whoever keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from time import monotonic
from types import TracebackType
from typing import Self

from tqdm import tqdm

from tasks.outside.fetcher import Fetched, Progress

SECONDS = 1.0
"""Between two reports."""


class Counts:
    """Counts what ends, and reports it while the block lasts, and at its end."""

    def __init__(self, ended: Mapping[str, Fetched], *, total: int, say: Callable[[Progress], None]) -> None:
        self.total, self.say = total, say
        self.states: Counter[str] = Counter(one.state for one in ended.values())
        self.bytes = self.images = 0
        self.began = self.told = monotonic()
        self.bar = tqdm(total=total, initial=len(ended), desc="fetch", unit="image", mininterval=SECONDS, disable=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()
        self.tell()

    def end(self, one: Fetched) -> None:
        self.states[one.state] += 1
        self.images += one.state in ("fetched", "unchanged")
        self.bar.update()
        if monotonic() - self.told >= SECONDS:
            self.tell()

    def tell(self) -> None:
        self.told = monotonic()
        seconds = self.told - self.began
        rate = self.images / seconds if seconds else 0.0
        self.say(Progress(self.total, self.states.copy(), self.bytes, seconds, rate))
