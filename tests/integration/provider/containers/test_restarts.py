"""A provider's agent killed outright and started again: jobs of running leases go on, those of ended leases stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.provider.conftest import until

# The daemon's own parts that deal with leases, on a chain that is a file.
AGENT = """
import asyncio, json, sys, time
from pathlib import Path
from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.leases import stored_offer_hash
from assay.protocol.messages import Offer
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.workloads.jobs import JobBook, JobRequest
from assay.provider.leasing.lease_book import LeaseBook
from assay.provider.leasing.lease_keeper import LeaseKeeper
from assay.provider.offers.lease_offers import LeaseOffers
from assay.provider.leasing.lease_rules import LeasePolicy
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Limits
from assay.provider.offers.terms import ProviderTerms
from assay.provider.leasing.wipe_records import WipeRecords

folder, engine, image = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
DEVICE, NOBODY = bytes(32), "0x" + "00" * 20
OFFER = Offer(NOBODY, NOBODY, (DEVICE,), NOBODY, 1, 60, 3600, 1 << 39, 0, NOBODY, 0)

class ChainInAFile:
    def read(self):
        told = json.loads((folder / "chain.json").read_text())
        fields = dict.fromkeys(Lease.__dataclass_fields__, 0)
        return Lease(**{**fields, "lease_id": 7, "provider": OFFER.provider, "opened_block": 1,
                        "offer_hash": stored_offer_hash(OFFER.struct_hash()), "status": LeaseStatus[told["status"]],
                        "start": told["start"], "stop": told["stop"]})
    async def offer(self, lease): return OFFER
    async def time(self): return int(time.time())
    async def lease(self, lease_id): return self.read() if lease_id == 7 else None
    async def active_lease(self, device): return 7 if self.read().status is LeaseStatus.ACTIVE else 0
    async def claimable(self, lease_id): return 0
    async def bond_returnable(self, lease_id): return 0

chain = ChainInAFile()
database = open_database(folder / "provider.sqlite")
runtime = ContainerRuntime(engine, ImagePolicy(default=image)) if engine != "local" else LocalRuntime(31337)
jobs = JobBook(database, runtime, folder, Limits(), time.time)
wipes = WipeRecords(database, Domain(31337, "0x" + "22" * 20), lambda digest: bytes(64))
profile = Profile(9, M=8, N=32, K=64, T=2, chunk=32, k=4, W=1, deadline_ms=1000, credit=1, max_gops=10, stake=1)
device = OwnDevice(DEVICE, "0x", "0x", profile, lambda digest: bytes(64))
book = LeaseBook(database)
keeper = LeaseKeeper({DEVICE: device}, chain, chain, jobs, book, LeaseOffers(book, chain.offer, NOBODY),
                     LeasePolicy(grace=600), wipes, ProviderTerms, time.time)

async def main():
    while True:
        await keeper.tick()
        order = folder / "order.json"
        if order.exists():
            command = json.loads(order.read_text())
            order.unlink()
            job = jobs.create(7, float(chain.read().stop), JobRequest(tuple(command), {}, Limits()))
            (folder / "started").write_text(job)
        records = [[r.job_id, r.outcome.status, r.outcome.exit_code, r.outcome.reason] for r in jobs.of_lease(7)]
        (folder / "seen.partial").write_text(json.dumps(records))
        (folder / "seen.partial").replace(folder / "seen.json")
        await asyncio.sleep(0.05)

asyncio.run(main())
"""


class Agent:
    """The process, the chain that it sees and what it last said of its jobs."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.folder = folder
        self.engine = engine
        self.process: subprocess.Popen[bytes] | None = None

    def chain(self, status: str, seconds: float) -> None:
        now = int(time.time())
        told = {"status": status, "start": now - 60, "stop": int(now + seconds)}
        (self.folder / "chain.partial").write_text(json.dumps(told))
        (self.folder / "chain.partial").replace(self.folder / "chain.json")

    def start(self) -> None:
        from tests.integration.provider.podman import IMAGE

        (self.folder / "seen.json").unlink(missing_ok=True)
        command = [sys.executable, "-c", AGENT, str(self.folder), self.engine, IMAGE]
        self.process = subprocess.Popen(command, start_new_session=True)
        until((self.folder / "seen.json").exists)

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def job(self, script: str) -> None:
        (self.folder / "order.json").write_text(json.dumps(["sh", "-c", script]))
        until((self.folder / "started").exists)

    def seen(self) -> list[object]:
        return list(json.loads((self.folder / "seen.json").read_text())[0][1:])

    @property
    def workspace(self) -> Path:
        return self.folder / "leases/7/workspace"


@pytest.fixture(params=["local", "container"])
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Agent]:
    engine = "local" if request.param == "local" else request.getfixturevalue("engine")
    one = Agent(tmp_path, engine)
    one.chain("ACTIVE", 600)
    one.start()
    yield one
    one.chain("ENDED", 0)
    if one.process is not None and one.process.poll() is not None:
        one.start()
    until(lambda: one.seen()[0] != "running")
    one.kill()


def beats(agent: Agent) -> Callable[[], bool]:
    """Whether the job has gone on since the last question."""
    file, last = agent.workspace / "beat", [""]

    def moved() -> bool:
        now = file.read_text() if file.exists() else ""
        before, last[0] = last[0], now
        return bool(before) and now != before

    return moved


BEAT = "i=0; while [ ! -e go ]; do i=$((i+1)); echo $i > beat; sleep 0.05; done; exit 6"


def test_job__agent_killed_and_started_again__goes_on_and_is_seen_to_end(agent: Agent) -> None:
    agent.job(BEAT)
    moved = beats(agent)
    until(moved)
    agent.kill()
    until(moved)  # while nobody looks after it
    agent.start()
    assert agent.seen()[0] == "running"
    (agent.workspace / "go").touch()
    until(lambda: agent.seen() == ["exited", 6, None])


def test_job__lease_ended_while_the_agent_was_dead__is_stopped_at_its_start(agent: Agent) -> None:
    agent.job(BEAT)
    moved = beats(agent)
    until(moved)
    agent.kill()
    agent.chain("ENDED", 0)
    agent.start()
    until(lambda: agent.seen() == ["killed", 137, "lease over"])
    moved()
    time.sleep(0.3)
    assert not moved()
