"""The keeper brings what runs into line with the chain, after a restart too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import structlog

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.errors import ChainError
from assay.protocol.messages import Offer
from assay.protocol.signing import sign_compact
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import NotFound
from assay.provider.leasing.lease_book import LeaseBook
from assay.provider.leasing.lease_keeper import RETRY_S, LeaseKeeper
from assay.provider.leasing.lease_rules import LeasePolicy
from assay.provider.leasing.wipe_records import WipeRecords
from assay.provider.offers.lease_offers import LeaseOffers
from assay.provider.offers.terms import ProviderTerms
from assay.provider.runtime.workload import Limits
from assay.provider.workloads.jobs import JobBook, JobRequest, Removed
from tests.unit.provider.conftest import DEVICE_ID, DEVICES, ESCROW, NODE, OFFER, PROVIDER, ChainFake, key, lease_on
from tests.unit.provider.lease_fakes import EscrowFake, RuntimeFake


@dataclass
class World:
    """A keeper with everything around it."""

    folder: Path
    chain: ChainFake
    device: OwnDevice
    now: float = 1000.0
    escrow: EscrowFake = field(default_factory=EscrowFake)
    runtime: RuntimeFake = field(default_factory=RuntimeFake)

    def __post_init__(self) -> None:
        self.database = open_database(None)
        self.restart()

    def restart(self) -> None:
        self.terms = ProviderTerms()
        self.jobs = JobBook(self.database, self.runtime, self.folder, Limits(), lambda: self.now)
        self.book = LeaseBook(self.database)
        served = {one.device_id: one for one in (self.device, *DEVICES)}
        self.keeper = LeaseKeeper(
            served,
            self.chain,
            self.escrow,
            self.jobs,
            self.book,
            LeaseOffers(self.book, self.chain.read_offer, PROVIDER),
            LeasePolicy(claim_every=100, grace=50, holdback=70),
            WipeRecords(self.database, ESCROW, lambda digest: sign_compact(digest, key("provider"))),
            lambda: self.terms,
            lambda: self.now,
        )

    def job(self, lease_id: int, stop: float) -> Path:
        job_id = self.jobs.create(lease_id, stop, JobRequest(("true",), {"in.txt": b"x"}, Limits()))
        return self.jobs.control(lease_id, job_id)


@pytest.fixture
def world(tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease) -> World:
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
    world.book.note(3)
    world.book.note(4)
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


RUNS = {"status": LeaseStatus.ACTIVE, "rate": 10**18, "start": 900, "stop": 1200, "devices": 3, "notice": 600}


async def test_idle__any_device_of_a_leased_node__is_not(world: World) -> None:
    world.chain.leases = {5: lease_on(NODE, 5, **RUNS)}
    world.chain.offers = {5: NODE}
    assert [await world.keeper.idle(one.device_id) for one in DEVICES] == [False] * 3
    assert await world.keeper.idle(DEVICE_ID)


async def test_idle__renter_left_early__leased_and_measured_as_such_until_the_stop(world: World) -> None:
    left = {**RUNS, "left_early": True}
    world.chain.leases = {5: lease_on(NODE, 5, **left)}
    world.chain.offers = {5: NODE}
    assert not await world.keeper.idle(DEVICES[0].device_id)
    world.now = 1200
    assert await world.keeper.idle(DEVICES[0].device_id)


async def test_tick__node__is_one_lease_whose_offer_outlives_the_log(world: World) -> None:
    world.chain.leases = {5: lease_on(NODE, 5, **RUNS)}
    world.chain.offers = {5: NODE}
    await world.keeper.tick()
    assert [row.lease_id for row in world.book.unsettled()] == [5]
    world.chain.offers.clear()
    assert world.book.offer(5) == NODE


async def test_tick__notice_asked_for__given_and_the_lease_ended_when_it_has_run_out(world: World) -> None:
    running = lease_on(NODE, 5, **RUNS)
    world.chain.leases, world.chain.offers = {5: running}, {5: NODE}
    world.terms = ProviderTerms(notices=(5, 9))
    await world.keeper.tick()
    assert world.escrow.calls == [("notice", 5)]
    world.chain.leases[5] = replace(running, notice_at=500)
    world.chain.now = 1099
    await world.keeper.tick()
    assert world.escrow.calls == [("notice", 5)]
    world.chain.now = 1100
    await world.keeper.tick()
    assert world.escrow.calls[1:] == [("end", 5)]


async def test_tick__release_asked_for__only_of_a_lease_that_was_left_early(world: World) -> None:
    world.terms = ProviderTerms(releases=(3,))
    await world.keeper.tick()
    assert world.escrow.calls == []
    world.chain.leases[3] = replace(world.chain.leases[3], left_early=True)
    await world.keeper.tick()
    assert world.escrow.calls == [("release", 3)]


async def test_tick__operator_may_not_claim__files_are_wiped_all_the_same_and_money_is_tried_again(
    world: World,
) -> None:
    world.job(3, 1200)
    await world.keeper.tick()
    world.escrow.due, world.escrow.refused, world.now = 5, {"claim"}, 1300
    await world.keeper.tick()
    assert world.book.all()[0].wiped_at == 1300
    assert [row.lease_id for row in world.book.unsettled()] == [3]
    world.escrow.refused = set()
    await world.keeper.tick()
    assert world.escrow.calls == []  # put off
    world.now += RETRY_S
    await world.keeper.tick()
    assert world.escrow.calls == [("claim", 3)]


async def test_tick__notice_reverts__jobs_of_the_lease_run_on(world: World) -> None:
    control = world.job(3, 1200)
    world.chain.leases[3] = replace(world.chain.leases[3], notice=60, stop=1500)
    world.terms, world.escrow.refused = ProviderTerms(notices=(3,)), {"notice"}
    await world.keeper.tick()
    assert world.runtime.running[control] == 1500


async def test_tick__log_of_the_opening_not_served__lease_is_attended_to(
    world: World,
) -> None:
    async def pruned(lease: Lease) -> Offer:
        raise ChainError("the node lacks logs of that time")

    control = world.job(3, 1200)
    world.keeper._offers = LeaseOffers(world.book, pruned, PROVIDER)
    world.chain.leases[3] = replace(world.chain.leases[3], status=LeaseStatus.ENDED, stop=950)
    world.book.note(3)
    await world.keeper.tick()
    assert world.runtime.killed[control] == "lease over"


async def test_offer__hash_of_another_lease_under_the_number__is_read_anew(world: World) -> None:
    offers = LeaseOffers(world.book, world.chain.read_offer, PROVIDER)
    assert await offers.of(lease_on(OFFER, 3)) == OFFER
    dearer = replace(OFFER, rate=2 * OFFER.rate)
    world.chain.offers[3] = dearer
    assert await offers.of(lease_on(dearer, 3)) == dearer
    assert world.book.offer(3) == dearer


async def test_offer__cancelled_since__is_the_one_kept_or_unknown(world: World) -> None:
    offers = LeaseOffers(world.book, world.chain.read_offer, PROVIDER)
    forgotten = {"status": LeaseStatus.CANCELLED, "offer_hash": bytes(27), "opened_block": 0}
    with pytest.raises(NotFound, match="never handed over"):
        await offers.of(lease_on(OFFER, 3, **forgotten))
    await offers.of(lease_on(OFFER, 3))
    assert await offers.of(lease_on(OFFER, 3, **forgotten)) == OFFER


async def test_offer__lease_with_another_provider__is_not_read(world: World) -> None:
    offers = LeaseOffers(world.book, world.chain.read_offer, PROVIDER)
    with pytest.raises(NotFound, match="is not one of"):
        await offers.of(lease_on(OFFER, 3, provider="0x" + "99" * 20))


async def test_tick__device_of_a_lease_slashed__is_said_once_and_the_lease_goes_on(world: World) -> None:
    world.chain.leases = {5: lease_on(NODE, 5, **RUNS, forfeitable=200)}
    world.chain.offers = {5: NODE}
    world.book.note(5)
    control = world.job(5, 1200)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await world.keeper.tick()
    assert [one["lease"] for one in logs if "may leave free" in one["event"]] == [5]
    assert control in world.runtime.running and world.escrow.calls == []


async def test_tick__fault_of_one_lease_of_any_kind__is_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    control = world.job(3, 1200)
    world.chain.leases[4] = replace(world.chain.leases[3], lease_id=4, status=LeaseStatus.ENDED, stop=1)
    world.book.note(4)

    def full(lease_id: int, reason: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world.jobs, "end_lease", full)
    await world.keeper.tick()
    assert world.runtime.running[control] == 1200
    assert world.keeper.runs_until(3) == 1200


async def test_tick__wipe_that_leaves_something__is_tried_again_before_it_is_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [Removed(1, 2, 3)] * 2 + [Removed(1, 2, 0)]
    monkeypatch.setattr(world.jobs, "wipe", lambda lease_id: left.pop(0))
    await world.keeper.tick()
    world.now = 3000
    for tries in (2, 1):
        await world.keeper.tick()
        assert world.book.all()[0].wiped_at is None and len(left) == tries
        world.now += RETRY_S
    await world.keeper.tick()
    assert world.book.all()[0].wiped_at == world.now and left == []


async def test_tick__what_runs_of_a_lease_that_is_over_or_unknown__is_ended_at_each_block(world: World) -> None:
    await world.keeper.tick()
    world.runtime.unkept = [3, 99]
    await world.keeper.tick()
    assert world.runtime.unkept == [3]
    world.now = 1300
    await world.keeper.tick()
    assert world.runtime.unkept == []
