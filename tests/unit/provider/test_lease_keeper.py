"""The keeper brings what runs into line with the chain, after a restart too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from assay.chain.errors import ChainError
from assay.chain.leases import Lease, LeaseStatus
from assay.protocol.signing import sign_compact
from assay.provider.database import open_database
from assay.provider.device import Device
from assay.provider.jobs import JobBook, JobRequest
from assay.provider.lease_book import LeaseBook
from assay.provider.lease_keeper import LeaseKeeper
from assay.provider.lease_rules import Policy
from assay.provider.ports import Mined
from assay.provider.runtime.workload import Limits, Outcome, Workload
from assay.provider.wipe_records import WipeRecords

from .conftest import DEVICE_ID, ESCROW, ChainFake, key


@dataclass
class EscrowFake:
    due: int = 0
    bond: int = 0
    calls: list[tuple[str, int]] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)

    async def start(self, lease: Lease, result_root: bytes, valid_until: int, signature: bytes) -> Mined:
        raise NotImplementedError

    async def claim(self, lease_id: int) -> Mined:
        self.calls.append(("claim", lease_id))
        self.due = 0
        return Mined("0x", 1)

    async def return_bond(self, lease_id: int) -> Mined:
        self.calls.append(("bond", lease_id))
        self.bond = 0
        return Mined("0x", 1)

    async def claimable(self, lease_id: int) -> int:
        if lease_id in self.failing:
            raise ChainError("no answer")
        return self.due

    async def bond_returnable(self, lease_id: int) -> int:
        return self.bond


@dataclass
class RuntimeFake:
    """Jobs that run until they are killed, known by their control folder."""

    name: str = "fake"
    running: dict[Path, float] = field(default_factory=dict)
    killed: dict[Path, str] = field(default_factory=dict)

    def check(self) -> None: ...

    def launch(self, workload: Workload) -> None:
        self.running[workload.control] = workload.deadline

    def inspect(self, control: Path) -> Outcome:
        if control in self.running:
            return Outcome("running")
        return Outcome("killed", 137, self.killed.get(control))

    def extend(self, control: Path, deadline: float) -> None:
        self.running[control] = deadline

    def shell(self, workload: Workload) -> list[str] | None:
        return None

    def kill(self, control: Path, reason: str) -> Outcome:
        del self.running[control]
        self.killed[control] = reason
        return Outcome("killed", 137, reason)


@dataclass
class World:
    """A keeper with everything around it."""

    folder: Path
    chain: ChainFake
    device: Device
    now: float = 1000.0
    escrow: EscrowFake = field(default_factory=EscrowFake)
    runtime: RuntimeFake = field(default_factory=RuntimeFake)

    def __post_init__(self) -> None:
        self.database = open_database(None)
        self.restart()

    def restart(self) -> None:
        self.jobs = JobBook(self.database, self.runtime, self.folder, Limits(), lambda: self.now)
        self.book = LeaseBook(self.database)
        self.keeper = LeaseKeeper(
            {self.device.device_id: self.device}, self.chain, self.escrow, self.jobs, self.book,
            Policy(claim_every=100, grace=50, holdback=70),
            WipeRecords(self.database, ESCROW, lambda digest: sign_compact(digest, key("provider"))), lambda: self.now,
        )  # fmt: skip

    def job(self, lease_id: int, stop: float) -> Path:
        job_id = self.jobs.create(lease_id, stop, JobRequest(("true",), {"in.txt": b"x"}, Limits()))
        return self.jobs.control(lease_id, job_id)


@pytest.fixture
def world(tmp_path: Path, chain: ChainFake, device: Device, lease: Lease) -> World:
    chain.leases[3] = replace(lease, status=LeaseStatus.ACTIVE, start=900, stop=1200)
    return World(tmp_path, chain, device)


async def test_tick__topped_up__moves_the_deadline_of_running_jobs(world: World) -> None:
    control = world.job(3, 1200)
    world.chain.leases[3] = replace(world.chain.leases[3], stop=1500)
    await world.keeper.tick()
    assert world.runtime.running[control] == 1500


async def test_tick__lease_over__kills_its_jobs(world: World) -> None:
    control = world.job(3, 1200)
    await world.keeper.tick()
    world.now = 1200
    await world.keeper.tick()
    assert world.runtime.killed[control] == "lease over"


async def test_tick__ended_while_the_daemon_was_down__kills_its_jobs_at_start(world: World) -> None:
    control = world.job(3, 1200)
    await world.keeper.tick()
    world.chain.leases[3] = replace(world.chain.leases[3], status=LeaseStatus.ENDED, stop=950)
    world.restart()
    await world.keeper.tick()
    assert world.runtime.killed[control] == "lease over"


async def test_tick__job_of_a_lease_nobody_knows__is_killed(world: World) -> None:
    world.chain.leases.clear()
    control = world.job(8, 9999)
    await world.keeper.tick()
    assert world.runtime.killed[control] == "lease over"


async def test_tick__after_the_grace__wipes_everything_of_the_renter_once(world: World) -> None:
    world.job(3, 1200)
    await world.keeper.tick()
    world.now = 1249
    await world.keeper.tick()
    assert (world.folder / "leases" / "3" / "workspace" / "in.txt").exists()
    world.now = 1250
    await world.keeper.tick()
    assert not (world.folder / "leases" / "3").exists()
    assert world.book.all()[0].wiped_at == 1250


async def test_tick__money_due__claims_then_returns_the_bond_then_settles(world: World) -> None:
    world.escrow.due = 5
    await world.keeper.tick()
    assert world.escrow.calls == [("claim", 3)]
    world.now, world.escrow.due, world.escrow.bond = 1271, 7, 9
    await world.keeper.tick()
    assert world.escrow.calls[1:] == [("claim", 3), ("bond", 3)]
    await world.keeper.tick()
    assert world.book.unsettled() == []


async def test_tick__one_lease_fails__others_are_attended_to(world: World) -> None:
    control = world.job(4, 1200)
    world.book.note(3, DEVICE_ID)
    world.book.note(4, DEVICE_ID)
    world.chain.leases[4] = replace(world.chain.leases[3], lease_id=4, status=LeaseStatus.ENDED, stop=950)
    world.escrow.failing.add(3)
    await world.keeper.tick()
    assert world.runtime.killed[control] == "lease over"


async def test_idle__active_lease__is_not_idle_until_its_stop(world: World) -> None:
    assert not await world.keeper.idle(DEVICE_ID)
    world.now = 1200
    assert await world.keeper.idle(DEVICE_ID)
    world.chain.leases.clear()
    assert await world.keeper.idle(DEVICE_ID)
