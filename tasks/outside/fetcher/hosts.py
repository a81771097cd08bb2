"""Whose turn it is: one host after the other, each no faster than it may be asked."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from yarl import URL

from tasks.outside.fetcher import Fetched, Manners
from tasks.outside.fetcher.addresses import place


@dataclass(eq=False, slots=True)
class Job:
    """An address on its way.

    Args:
        url: as it was asked for.
        first: in its one form.
        prior: what became of it in an earlier call.
        conditional: whether the bytes of then are still here, so that only others are wanted.
        address: what is to be asked for next; another one than `first` after a redirect.
        spent: s of this attempt.
        reason: why the last attempt failed.
    """

    url: str
    first: URL
    prior: Fetched | None = None
    conditional: bool = False
    address: URL = field(init=False)
    attempts: int = 0
    redirects: int = 0
    spent: float = 0.0
    reason: str = ""

    def __post_init__(self) -> None:
        self.address = self.first

    def start_over(self, reason: str) -> None:
        self.address, self.redirects, self.spent, self.reason = self.first, 0, 0.0, reason


@dataclass(eq=False, slots=True)
class Host:
    """A host and port.

    Args:
        active: requests that are under way.
        limit: of those; one until its robots.txt is known, so that its Crawl-delay holds from the beginning.
        interval: s between the starts of two requests.
        next: when it may be asked again.
        failures: requests that failed in a row.
        closed: why it is not asked any more.
        queued: whether it waits for its turn.
    """

    interval: float
    jobs: deque[Job] = field(default_factory=deque)
    active: int = 0
    limit: int = 1
    next: float = 0.0
    failures: int = 0
    closed: str = ""
    queued: bool = False

    @property
    def has_work(self) -> bool:
        return bool(self.jobs) and self.active < self.limit


class Queue:
    """All hosts. Times are those of `clock`, in seconds."""

    def __init__(self, manners: Manners, clock: Callable[[], float]) -> None:
        self.manners, self.clock = manners, clock
        self.hosts: dict[str, Host] = {}
        self.ready: deque[Host] = deque()
        self.later: list[tuple[float, int, Host | Job]] = []
        self.numbers = itertools.count()

    def put(self, job: Job, *, wait: float = 0) -> None:
        """Let a job be taken in its turn, and not before `wait` seconds."""
        if wait > 0:
            self.defer(self.clock() + wait, job)
            return
        host = self.host(job)
        host.jobs.append(job)
        self.offer(host)

    def host(self, job: Job) -> Host:
        return self.hosts.setdefault(place(job.address), Host(self.manners.interval))

    def offer(self, host: Host) -> None:
        """Let a host have its turn if it has work; a closed one at once, since nobody asks it."""
        if host.queued or not host.has_work:
            return
        host.queued = True
        if host.next > self.clock() and not host.closed:
            self.defer(host.next, host)
        else:
            self.ready.append(host)

    def defer(self, when: float, what: Host | Job) -> None:
        heapq.heappush(self.later, (when, next(self.numbers), what))

    def take(self) -> tuple[Host, Job] | None:
        """The next job that may start now; its host must be freed after it."""
        self.wake()
        while self.ready:
            host = self.ready.popleft()
            host.queued = False
            if host.has_work and (host.closed or host.next <= self.clock()):
                job = host.jobs.popleft()
                host.active += 1
                self.space(host)
                self.offer(host)
                return host, job
            self.offer(host)
        return None

    def wake(self) -> None:
        while self.later and self.later[0][0] <= self.clock():
            _, _, what = heapq.heappop(self.later)
            if isinstance(what, Job):
                self.put(what)
            else:
                what.queued = False
                self.offer(what)

    def delay(self) -> float | None:
        """Seconds until time alone makes something ready; None if it never does."""
        return max(self.later[0][0] - self.clock(), 0) if self.later else None

    def free(self, host: Host) -> None:
        host.active -= 1
        self.offer(host)

    def learn(self, host: Host, delay: float) -> None:
        """The rules of a host are known, and one request to it starts."""
        if host.limit == 1 and host.interval < delay:
            host.interval = delay
            self.space(host)
        host.limit = self.manners.per_host
        self.offer(host)

    def space(self, host: Host) -> None:
        if host.interval:
            self.pause(host, host.interval)

    def pause(self, host: Host, seconds: float) -> None:
        host.next = max(host.next, self.clock() + seconds)

    def count(self, host: Host, *, failed: bool) -> None:
        """Close a host that fails again and again."""
        host.failures = host.failures + 1 if failed else 0
        if host.failures >= self.manners.breaker:
            self.close(host, "host_down")

    def close(self, host: Host, reason: str) -> None:
        """Let what a host still has to do come at once, even if it waits until it may be asked."""
        host.closed, host.queued = host.closed or reason, False
        self.offer(host)
