"""The loop that asks: as many requests at a time as may be, and one verdict for each address."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp

from tasks.outside.fetcher import FAILED, Fetched, Manners, State, network, transfer
from tasks.outside.fetcher.hosts import Host, Job, Queue
from tasks.outside.fetcher.progress import Counts
from tasks.outside.fetcher.robots import Robots
from tasks.outside.fetcher.state import Ended, Table
from tasks.outside.fetcher.transfer import AGAIN, Answer, Disk

BATCH = 64
GATHER = 0.05
UNSETTLED = 512
"""Files that are settled together, seconds in which they come together, and files that may wait for it."""


def run(jobs: Sequence[Job], table: Table, manners: Manners, counts: Counts) -> dict[str, Fetched]:
    """Do all jobs. What has come when a call is ended is kept.

    Raises:
        OSError: if the disk does not work.
        SystemExit: after SIGTERM.
        KeyboardInterrupt: after Ctrl-C.
    """
    return asyncio.run(crawl(jobs, table, manners, counts))


async def crawl(jobs: Sequence[Job], table: Table, manners: Manners, counts: Counts) -> dict[str, Fetched]:
    names = ThreadPoolExecutor(manners.connections + 1)  # the few of the default would wait for slow name servers
    asyncio.get_running_loop().set_default_executor(names)
    async with network.session(manners) as session:
        with ended_by_sigterm():
            return await Crawl(session, table, manners, counts).run(jobs)


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the task in the block as Ctrl-C does: by cancelling it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    came = False

    def hear(*_: object) -> None:
        nonlocal came
        if task and not came:
            came = True
            loop.call_soon_threadsafe(task.cancel)

    before = signal.signal(signal.SIGTERM, hear)
    try:
        yield
    except asyncio.CancelledError:
        if came:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class Crawl:
    """One call of `fetch`: requests run beside each other, and one keeper settles what they end with."""

    def __init__(self, session: aiohttp.ClientSession, table: Table, manners: Manners, counts: Counts) -> None:
        self.session, self.table, self.manners, self.counts = session, table, manners, counts
        self.queue = Queue(manners, asyncio.get_running_loop().time)
        self.robots = Robots(session, manners)
        self.ended: dict[str, Fetched] = {}
        self.unsettled: asyncio.Queue[Ended | None] = asyncio.Queue(UNSETTLED)
        self.running: set[asyncio.Task[None]] = set()
        self.changed = asyncio.Event()
        self.broken: BaseException | None = None

    async def run(self, jobs: Sequence[Job]) -> dict[str, Fetched]:
        keeper = asyncio.create_task(self.keep())
        try:
            await self.ask_all(jobs)
        finally:
            await self.stop()
            await self.unsettled.put(None)
            await keeper
        self.check()
        return self.ended

    async def ask_all(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.queue.put(job)
        while len(self.ended) < len(jobs):
            while len(self.running) < self.manners.connections and (taken := self.queue.take()):
                task = asyncio.create_task(self.work(*taken))
                self.running.add(task)
                task.add_done_callback(self.done)
            await self.change()
            self.check()

    async def change(self) -> None:
        """Wait until a request has ended, or time has made something ready."""
        self.changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.queue.delay()):
                await self.changed.wait()

    def done(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.changed.set()
        if not task.cancelled() and (error := task.exception()):
            self.broken = self.broken or error

    def check(self) -> None:
        """Raise what made it impossible to go on."""
        if isinstance(self.broken, Disk):
            raise self.broken.error
        if self.broken:
            raise self.broken

    async def stop(self) -> None:
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)

    async def work(self, host: Host, job: Job) -> None:
        """Ask for one address of a host whose turn it is."""
        try:
            if host.closed:
                await self.end(job, Answer(reason=job.reason or host.closed))
                return
            rules = await self.robots.rules(job.address)
            self.queue.learn(host, rules.delay)
            if refusal := rules.refuses(job.address):
                await self.end(job, Answer(reason=refusal))
                return
            await self.judge(host, job, await self.ask(job))
        finally:
            self.queue.free(host)

    async def ask(self, job: Job) -> Answer:
        began = self.queue.clock()
        job.attempts += not job.redirects
        answer = await transfer.ask(self.session, job, self.manners, self.table.part())
        job.spent += self.queue.clock() - began
        self.counts.bytes += answer.bytes
        return answer

    async def judge(self, host: Host, job: Job, answer: Answer) -> None:
        """Go on from an answer: elsewhere, once more, or with a verdict."""
        if answer.wait > self.manners.retry_after:
            self.queue.close(host, "host_parked")
        elif answer.wait:
            self.queue.pause(host, answer.wait)
        self.queue.count(host, failed=state(answer.reason) == "failed")
        if answer.location is not None and job.redirects < self.manners.redirects:
            job.address, job.redirects = answer.location, job.redirects + 1
            self.queue.put(job)
        elif answer.reason in AGAIN and job.attempts < self.manners.attempts and not host.closed:
            job.start_over(answer.reason)
            self.queue.put(job, wait=self.manners.backoff * 2 ** (job.attempts - 1) * random.uniform(0.5, 1.5))
        else:
            await self.end(job, answer)

    async def end(self, job: Job, answer: Answer) -> None:
        """Say what became of an address; its row is written when the keeper comes to it."""
        if answer.location is not None:
            answer.reason = "too_many_redirects"
        one = verdict(job, answer, datetime.now(UTC).isoformat(timespec="seconds"))
        await self.unsettled.put((one, answer.part))
        self.ended[job.url] = one
        self.counts.end(one)

    async def keep(self) -> None:
        """Settle what has ended, as many at a time as come together; after an error nothing more."""
        while batch := await self.gather():
            if self.broken is None:
                try:
                    await asyncio.to_thread(self.table.settle, batch)
                except Exception as error:
                    self.broken = error
                    self.changed.set()

    async def gather(self) -> list[Ended]:
        """At least one, or none if there are no more."""
        batch = [await self.unsettled.get()]
        if batch[0] is not None and self.unsettled.empty():
            await asyncio.sleep(GATHER)
        while batch[-1] is not None and len(batch) < BATCH and not self.unsettled.empty():
            batch.append(self.unsettled.get_nowait())
        if batch[-1] is None and len(batch) > 1:
            self.unsettled.put_nowait(None)
        return [one for one in batch if one is not None]


def state(reason: str) -> State:
    """What a reason means where nothing had come from the address before."""
    if reason in FAILED:
        return "failed"
    status = int(reason.removeprefix("http_")) if reason.startswith("http_") else 0
    if status == HTTPStatus.GONE:
        return "gone"
    return "failed" if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in transfer.PASSING else "rejected"


def verdict(job: Job, answer: Answer, now: str) -> Fetched:
    """What became of an address, by its last answer and by what had come before.

    Args:
        now: UTC.
    """
    prior = job.prior or Fetched(job.url, "failed")
    held = prior.held
    claimed = answer.content_type if answer.sha256 or not held else prior.content_type
    said = replace(prior, http_status=answer.status, attempts=job.attempts, content_type=claimed)
    if answer.reason:
        found = "gone" if held and answer.status == HTTPStatus.NOT_FOUND else state(answer.reason)
        final = prior.final_url if held else str(job.address)
        return replace(said, state=found, reason=answer.reason, sha256="", previous=held, final_url=final)
    if answer.status == HTTPStatus.NOT_MODIFIED or answer.sha256 == held:
        earlier = prior.previous if prior.sha256 else ""
        said = replace(said, state="unchanged", reason="", sha256=held, previous=earlier, final_url=str(job.address))
        return replace(said, etag=answer.etag or prior.etag, last_modified=answer.last_modified or prior.last_modified)
    came = replace(said, sha256=answer.sha256, bytes=answer.bytes, format=answer.format, fetched_at=now)
    came = replace(came, etag=answer.etag, last_modified=answer.last_modified, final_url=str(job.address))
    return replace(came, state="fetched", reason="", previous=held)
