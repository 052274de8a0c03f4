"""A market in memory for batches: an escrow that streams, providers that behave or do not, and a power switch that goes
off at any step. Time is the loop's, which jumps."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.rates import seconds_for, streamed
from assay.renter.batch import rules
from assay.renter.batch.batch_journal import BatchJournal
from assay.renter.batch.batch_run import BatchOutcome, BatchRun
from assay.renter.batch.job_list import BatchJob
from assay.renter.batch.ports import BatchWork, OpenedLease
from assay.renter.batch.rules import BatchLimits, JobStatus
from assay.renter.errors import BadInput, ProofRejected, ProviderRefused, Unreachable
from assay.renter.market.listing import Listing
from assay.renter.session import jobs as session_jobs
from assay.renter.session.provider_session import JobState
from tests.unit.renter.leased import LEASE

TOKEN = "0x" + "33" * 20
BLOCK_S = 1
RATE = 10**18


class Killed(BaseException):
    """The process is gone: nothing more of it runs."""


class _Jumping(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    loop: JumpingLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self.loop.jumped += timeout
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Whoever waits is there at once."""

    def __init__(self) -> None:
        selector = _Jumping()
        selector.loop = self
        self.jumped = 10_000.0
        super().__init__(selector)

    def time(self) -> float:
        return self.jumped


@dataclass
class Behaviour:
    """How a provider is; `seconds` is what a job takes. `job` ends each: exit code and output, None never."""

    rate: int = RATE
    seconds: float = 5.0
    exit_code: int | None = 0
    fails: frozenset[str] = frozenset()  # jobs that end badly here
    invents: bool = False  # ends at once, with a status and nothing behind it
    refuses: bool = False
    unproven: bool = False
    dies_at: float = 9e18
    notice_at: float = 9e18
    notice: int = 30
    min_duration: int = 60
    max_duration: int = 100_000


@dataclass
class Running:
    """A job at a provider."""

    job: str
    folder: str
    until: float
    exit_code: int | None
    stopped: bool = False


@dataclass
class World:
    """`providers` by name; `kill_at` counts steps of the process until it is gone."""

    providers: dict[str, Behaviour]
    loop: JumpingLoop
    into: Path
    kill_at: int | None = None
    steps: int = 0
    leases: dict[int, Lease] = field(default_factory=dict)
    of: dict[int, tuple[str, Listing, int]] = field(default_factory=dict)
    jobs: dict[int, dict[str, Running]] = field(default_factory=dict)
    rented: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    highest: int = 0
    journal: BatchJournal | None = None
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def time(self) -> int:
        return int(self.loop.time())

    def step(self) -> None:
        """One thing that the process does."""
        self.steps += 1
        if self.kill_at is not None and self.steps >= self.kill_at:
            raise Killed

    def cost(self) -> int:
        return sum(rules.exposure(self.seen(number)) for number in self.leases)

    def seen(self, number: int) -> Lease:
        lease = self.leases[number]
        if lease.status is LeaseStatus.ACTIVE:
            notice_at = self.providers[self.of[number][0]].notice_at
            if self.time >= notice_at and lease.start:
                lease = replace(lease, notice_at=int(notice_at), notice=self.providers[self.of[number][0]].notice)
                self.leases[number] = lease
            if lease.notice_at and self.time >= lease.notice_at + lease.notice and lease.stop > self.time:
                lease = replace(lease, stop=lease.notice_at + lease.notice)
                self.leases[number] = lease
            if self.time >= lease.stop:
                lease = replace(lease, status=LeaseStatus.ENDED)
        return lease

    def refundable(self, number: int) -> int:
        lease = self.seen(number)
        if lease.status is LeaseStatus.CANCELLED:
            return lease.deposit - lease.refunded
        if lease.status is LeaseStatus.ENDED:
            return lease.deposit - streamed(lease.rate, lease.stop - lease.start) - lease.refunded
        return 0

    # --- the market

    async def settle(self) -> None:
        self.step()

    async def block(self) -> int:
        self.step()
        return self.time

    async def now(self) -> int:
        self.step()
        return self.time

    async def opened_since(self, block: int) -> list[OpenedLease]:
        self.step()
        return [
            OpenedLease(number, self.of[number][1].offer_hash, self.of[number][2])
            for number, lease in self.leases.items()
            if lease.opened_block >= block
        ]

    async def offers(self) -> list[Listing]:
        self.step()
        await asyncio.sleep(1)
        busy = {self.of[n][0] for n in self.leases if self.seen(n).status is LeaseStatus.ACTIVE}
        return [listing(name, one) for name, one in self.providers.items() if name not in busy and self.alive(name)]

    def alive(self, name: str) -> bool:
        return self.time < self.providers[name].dies_at

    async def open(self, wanted: Listing, deposit: int) -> int:
        self.step()
        await asyncio.sleep(2)
        number = next(self.numbers)
        name = next(one for one in self.providers if listing(one, self.providers[one]).provider == wanted.provider)
        self.leases[number] = replace(
            LEASE, lease_id=number, status=LeaseStatus.PENDING, deposit=deposit, rate=0, start=0, stop=0,
            min_duration=wanted.min_duration, max_duration=wanted.max_duration, opened_block=self.time,
        )  # fmt: skip
        self.of[number] = (name, wanted, deposit)
        self.rented[name] += 1
        self.jobs[number] = {}
        self.highest = max(self.highest, self.cost())
        self.step()
        return number

    async def start(self, lease_id: int) -> None:
        self.step()
        await asyncio.sleep(5)
        name, wanted, deposit = self.of[lease_id]
        if self.providers[name].unproven or not self.alive(name):
            self.leases[lease_id] = replace(self.leases[lease_id], status=LeaseStatus.CANCELLED, refunded=deposit)
            raise ProofRejected("it proved nothing")
        stop = self.time + min(seconds_for(wanted.rate, deposit), wanted.max_duration)
        self.leases[lease_id] = replace(
            self.leases[lease_id], status=LeaseStatus.ACTIVE, rate=wanted.rate, start=self.time, stop=stop
        )
        self.step()

    async def lease(self, lease_id: int) -> Lease:
        self.step()
        return self.seen(lease_id)

    async def top_up(self, lease_id: int, amount: int) -> None:
        self.step()
        lease = self.seen(lease_id)
        if lease.status is not LeaseStatus.ACTIVE:
            raise BadInput("over")
        deposit = lease.deposit + amount
        stop = lease.start + min(seconds_for(lease.rate, deposit), lease.max_duration)
        self.leases[lease_id] = replace(lease, deposit=deposit, stop=stop)
        self.highest = max(self.highest, self.cost())
        self.step()

    async def end(self, lease_id: int) -> None:
        self.step()
        lease = self.seen(lease_id)
        if lease.status is LeaseStatus.PENDING:
            self.leases[lease_id] = replace(lease, status=LeaseStatus.CANCELLED)
        elif lease.status is LeaseStatus.ACTIVE and not lease.left_early:
            least = lease.start + lease.min_duration
            early = self.time < least and not lease.notice_at
            self.leases[lease_id] = replace(lease, stop=least if early else self.time, left_early=early)
        else:
            raise BadInput(f"lease {lease_id} is over")
        self.step()

    async def refund(self, lease_id: int) -> int:
        self.step()
        due = self.refundable(lease_id)
        self.leases[lease_id] = replace(self.leases[lease_id], refunded=self.leases[lease_id].refunded + due)
        return due

    async def place(self, lease_id: int) -> Place:
        self.step()
        return Place(self, lease_id)

    def tell(self, text: str) -> None:
        self.told.append(f"{self.time} {text}")


@dataclass
class Place:
    """One lease's jobs."""

    world: World
    lease_id: int

    def _there(self) -> Behaviour:
        self.world.step()
        name = self.world.of[self.lease_id][0]
        if not self.world.alive(name):
            raise Unreachable(f"{name} does not answer")
        if self.world.seen(self.lease_id).status is not LeaseStatus.ACTIVE:
            raise ProviderRefused(409, "the lease is over")
        return self.world.providers[name]

    async def put_folder(self, path: str, mode: int) -> None:
        self._there()

    async def create_job(
        self,
        command: Sequence[str],
        files: Mapping[str, bytes],
        environment: Mapping[str, str],
        limits: Mapping[str, Any],
        image: str | None = None,
    ) -> str:
        behaviour, world = self._there(), self.world
        if behaviour.refuses:
            raise ProviderRefused(409, "not today")
        job = environment["ASSAY_JOB"]
        if world.journal is not None:
            (known,) = (one for one in world.journal.jobs() if one.id == job)
            assert known.status is not JobStatus.DONE, f"{job} is run again though it has ended"
        running = world.jobs[self.lease_id]
        assert not any(one.job == job and one.until > world.time for one in running.values()), "twice at once"
        name = world.of[self.lease_id][0]
        exit_code = 1 if job in behaviour.fails else behaviour.exit_code
        takes = 0.0 if behaviour.invents else behaviour.seconds
        job_id = f"{len(running):016x}"
        running[job_id] = Running(job, environment["ASSAY_RESULTS"], world.loop.time() + takes, exit_code)
        world.asked.append((job, name))
        world.step()
        return job_id

    def _state(self, job_id: str) -> JobState:
        one = self.world.jobs[self.lease_id][job_id]
        if one.stopped:
            return JobState(job_id, "killed", None, "stopped")
        if one.exit_code is None or self.world.loop.time() < one.until:
            return JobState(job_id, "running", None, None)
        return JobState(job_id, "exited", one.exit_code, None)

    async def jobs(self) -> list[JobState]:
        self._there()
        return [self._state(job_id) for job_id in self.world.jobs[self.lease_id]]

    async def job(self, job_id: str) -> JobState:
        self._there()
        return self._state(job_id)

    async def stop_job(self, job_id: str) -> JobState:
        self._there()
        self.world.jobs[self.lease_id][job_id].stopped = True
        return self._state(job_id)

    async def output(self, job_id: str, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
        self._there()
        text = f"output of {self.world.jobs[self.lease_id][job_id].job}".encode()
        if text[offset:]:
            yield text[offset:]
        if follow and not self._state(job_id).over:
            await asyncio.sleep(1)


def number_of(name: str) -> int:
    return sum((n + 1) * ord(c) for n, c in enumerate(name))


def listing(name: str, one: Behaviour) -> Listing:
    """What a provider offers."""
    number = number_of(name).to_bytes(32, "big")
    return Listing(
        device_ids=(number,), offer_hash=number,
        provider=f"0x{number_of(name):040x}", endpoint=f"http://{name}", model="", region="", profile=1, epoch=1,
        score_gops=1, memory_mib=1, uptime_bps=1, token=TOKEN, decimals=0, rate=one.rate,
        min_duration=one.min_duration, max_duration=one.max_duration, valid_until=1 << 39,
    )  # fmt: skip


class TornJournal(BatchJournal):
    """Goes with its process, before a line is written or behind."""

    world: World

    def _transaction(self) -> Any:
        self.world.step()
        return super()._transaction()


def work_of(world: World) -> BatchWork:
    """Collects what an honest execution leaves."""

    async def prepare(place: Place) -> None:
        place._there()

    async def collect(place: Place, remote: str, target: Path) -> None:
        behaviour = place._there()
        (one,) = (one for one in world.jobs[place.lease_id].values() if one.folder == remote)
        if not behaviour.invents:
            (target / "frame").write_text(f"{one.job} done")
        world.step()

    async def check(job: BatchJob, folder: Path) -> str:
        world.step()
        return ""

    return BatchWork(prepare, collect, check)


def jobs_of(count: int, expect: tuple[str, ...] = ("frame",), max_time: int = 600) -> list[BatchJob]:
    return [BatchJob(f"j{n}", ("run", "{results}"), (), expect, max_time) for n in range(count)]


@dataclass
class Bench:
    """Runs batches on a world."""

    world: World
    monkeypatch: pytest.MonkeyPatch

    def run(self, jobs: list[BatchJob], limits: BatchLimits) -> BatchOutcome | None:
        """One run; None where it was killed."""
        world = self.world
        journal = TornJournal.__new__(TornJournal)
        journal.world = world
        BatchJournal.__init__(journal, world.into / "batch.sqlite")
        world.journal = journal
        try:
            journal.take(jobs)
            run = BatchRun(
                world, journal, jobs, limits, work_of(world), world.into, world.tell, clock=world.loop.time
            )  # fmt: skip
            return self._on_loop(run.run())
        except Killed:
            return None
        finally:
            world.journal = None
            BatchJournal.close(journal)

    def _on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        loop = self.world.loop
        asyncio.set_event_loop(loop)
        self.monkeypatch.setattr(session_jobs, "time", SimpleNamespace(monotonic=loop.time))
        try:
            return loop.run_until_complete(asyncio.wait_for(work, 1_000_000))
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            asyncio.set_event_loop(None)

    def frames(self) -> dict[str, str]:
        """The results that have come, by job."""
        return {path.parent.name: path.read_text() for path in self.world.into.glob("j*/frame")}

    def check_money(self, budget: int) -> None:
        """Nothing runs, nothing is left in the escrow, and never more was at stake than the budget."""
        assert self.world.highest <= budget and self.world.cost() <= budget
        for number in self.world.leases:
            lease = self.world.seen(number)
            assert lease.status in (LeaseStatus.ENDED, LeaseStatus.CANCELLED) or lease.left_early, lease
            assert self.world.refundable(number) == 0 or lease.left_early, lease
