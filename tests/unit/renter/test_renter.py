"""A renter's leases on a chain that is played: opening, starting, leaving, and whom it lets submit downtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device
from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.rpc.client import ContractCall
from assay.protocol.leaves import DeviceLeaf
from assay.renter import renter as renter_module
from assay.renter.errors import BadInput, ProofRejected, ProviderRefused
from assay.renter.lease.downtime import Downtime, DowntimeFound
from assay.renter.lease.lease_files import LeaseFiles
from assay.renter.lease.lease_start import HandoverResult
from assay.renter.lease.lease_views import LeaseView
from assay.renter.lease.leaving import leaving
from assay.renter.market.listing import Evidence, Listing, proven_listing
from assay.renter.money.wallet import Done, LeaseOpening, Minima
from assay.renter.renter import Renter
from assay.wire.leases import SignedOffer
from assay.wire.lines import Measured
from assay.wire.pods import PodBody
from tests.unit.renter.leased import NODE, ONE, PROVIDER, RENTER, STRANGER, TWO, of_offer

PENDING = of_offer(NODE, status=LeaseStatus.PENDING, start=0, stop=0)


def listing() -> Listing:
    lines = tuple(Measured(DeviceLeaf(7, one, 0, 1, 9, 8, 10_000, 1, bytes(32)), ()) for one in (ONE, TWO))
    devices = tuple(Device(one, PROVIDER, STRANGER, 1, bytes(32)) for one in (ONE, TWO))
    return proven_listing(Evidence(devices, lines, SignedOffer(NODE, bytes(64))), 6, {})


class World:
    """A wallet that remembers what it sent, and a lease that stands as it is told to."""

    def __init__(self) -> None:
        self.lease: Lease = PENDING
        self.sent: list[str] = []
        self.opened: list[LeaseOpening] = []
        self.named = False
        self.slashed: bytes | None = None
        self.handover_fails: Exception | None = None
        self.started: list[Lease] = []
        self.address = RENTER
        self.deployment = SimpleNamespace(block=0)

    async def read_lease(self, chain: Any, lease_id: int, at: Any) -> Lease:
        return self.lease

    async def call(self, contract: str, function: str, *args: Any, at: Any = None) -> Any:
        return {"isRefunder": self.named, "refundable": 5}[function]

    def domain(self, name: str) -> None:
        """Nothing is signed here."""

    async def view(self, lease: Lease, offer: Any = None) -> LeaseView:
        way = leaving(lease, 1_500, 100, self.slashed is not None)
        return LeaseView(lease, NODE, 1_500, 0, way, 100, self.slashed)

    async def open(self, opening: LeaseOpening) -> list[Done]:
        self.opened.append(opening)
        return [Done("open", "0x1", 1)]

    async def opened_lease(self, done: Done) -> Lease:
        return self.lease

    async def send(self, call: ContractCall) -> Done:
        self.sent.append(call.function)
        return Done(call.function, "0x2", 1)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[World]:
        yield self

    # the starter

    async def convinced(self, lease: Lease) -> bool:
        return False

    async def until_known(self, *_: Any) -> None:
        """The provider knows it."""

    async def handover(self, *_: Any) -> HandoverResult:
        if self.handover_fails is not None:
            raise self.handover_fails
        return HandoverResult(7, (bytes(32),) * 2, 7, 1.0, 1.0, 9)

    async def start(self, lease: Lease, *_: Any) -> dict[str, Any]:
        self.started.append(lease)
        self.lease = of_offer(NODE)
        return {}

    # discovery

    async def node(self, ids: Any) -> tuple[Device, ...]:
        return tuple(Device(one, PROVIDER, STRANGER, 1, bytes(32), endpoint="http://p") for one in ids)

    async def devices(self) -> dict[bytes, Device]:
        return {one.device_id: one for one in await self.node((ONE, TWO))}

    def pin(self, *_: Any) -> None:
        """Every certificate is good."""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def renter(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Renter:
    monkeypatch.setattr(renter_module, "read_lease", world.read_lease)
    played: Any = world
    key: Any = SimpleNamespace(address=RENTER)
    made = Renter(played, played, key, played, LeaseFiles(tmp_path, 1, "0xe"))
    made._starter, made._discovery, made._views = played, played, SimpleNamespace(of=world.view)  # type: ignore[assignment]
    made._lease_offers.opened(PENDING, NODE)
    return made


async def test_rent__of_a_node__opens_with_the_minima_and_starts_the_lease_as_it_stands(
    renter: Renter, world: World
) -> None:
    rented = await renter.rent(listing(), 500, Minima(5, 24_576))
    (opening,) = world.opened
    assert (opening.deposit, opening.minima, opening.proven.signed.offer) == (500, Minima(5, 24_576), NODE)
    assert (rented.offer, [lease.status for lease in world.started]) == (NODE, [LeaseStatus.PENDING])
    assert [step.name for step in rented.steps] == ["deposit"]


async def test_rent__proof_does_not_convince__is_cancelled_and_paid_back(renter: Renter, world: World) -> None:
    world.handover_fails = ProofRejected("late in the handover: device 2")
    with pytest.raises(ProofRejected, match="device 2"):
        await renter.rent(listing(), 500)
    assert world.sent == ["cancel", "refund"] and world.started == []


async def test_rent__image_that_is_not_to_be_had__is_told_before_a_proof_and_paid_back(
    renter: Renter, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def choose(*_: Any) -> None:
        raise ProviderRefused(409, "image docker.io/library/absent:1: docker.io has no such tag")

    monkeypatch.setattr(renter_module, "choose_and_follow", choose)
    world.handover_fails = AssertionError("no device is asked for anything")
    with pytest.raises(ProviderRefused, match="no such tag"):
        await renter.rent(listing(), 500, pod=PodBody(image="absent:1"))
    assert world.sent == ["cancel", "refund"] and world.started == []


async def test_rent__market_claim_that_nobody_checked__is_refused(renter: Renter, world: World) -> None:
    with pytest.raises(BadInput, match="market's claim"):
        await renter.rent(replace(listing(), evidence=None), 500)
    assert world.opened == []


async def test_rent__opened_on_another_offer__starts_nothing(renter: Renter, world: World) -> None:
    """The number that the receipt names is another lease's after a reorganisation."""
    world.lease = of_offer(replace(NODE, rate=1_000 * NODE.rate), status=LeaseStatus.PENDING)
    with pytest.raises(BadInput, match="reorganised"):
        await renter.rent(listing(), 500)
    assert world.started == []


async def test_end__left_early__only_once_it_is_free(renter: Renter, world: World) -> None:
    world.lease = of_offer(NODE, left_early=True)
    world.lease = replace(world.lease, min_duration=900, stop=1_900)
    with pytest.raises(BadInput, match="was left early"):
        await renter.end(7)
    with pytest.raises(BadInput, match="was left early"):
        await renter.plan_end(7)
    world.slashed = TWO
    assert (await renter.end(7)).name == "end"
    assert world.sent == ["end"]


async def test_end__pending__is_cancelled(renter: Renter, world: World) -> None:
    assert (await renter.end(7)).name == "cancel"


def down(epoch: int) -> Downtime:
    leaf = DeviceLeaf(epoch, TWO, 0, 1, 0, 0, 0, 2, bytes(32))
    return Downtime(Measured(leaf, ()), 60, 120, 9_999)


@pytest.fixture
def found(renter: Renter, world: World) -> list[str]:
    """Downtime to be found; whose account it was looked for."""
    asked: list[str] = []

    async def find(lease: Lease, offer: Any, sender: str) -> DowntimeFound:
        asked.append(sender)
        return DowntimeFound((down(3),), (down(4),))

    world.lease = of_offer(NODE)
    renter._downtime = SimpleNamespace(find=find)  # type: ignore[assignment]
    return asked


async def test_refund_downtime__own_lease__claims_what_is_complete_or_all(
    renter: Renter, world: World, found: list[str]
) -> None:
    claimed, done = await renter.refund_downtime(7)
    assert ([one.epoch for one in claimed.claimable], len(done)) == ([3], 1)
    claimed, done = await renter.refund_downtime(7, with_held=True)
    assert ([one.epoch for one in claimed.claimable], len(done)) == ([3, 4], 2)
    assert world.sent == ["refundDowntime"] * 3 and set(found) == {RENTER}


async def test_refund_downtime__another_renters__takes_its_word(renter: Renter, world: World, found: list[str]) -> None:
    world.lease = replace(world.lease, renter=STRANGER)
    with pytest.raises(BadInput, match=f"assay refunder add {RENTER}"):
        await renter.refund_downtime(7)
    world.named = True
    await renter.refund_downtime(7)
    assert world.sent == ["refundDowntime"] and found == [RENTER]
    # But nothing else of it.
    with pytest.raises(BadInput, match="this wallet is"):
        await renter.refund(7)
    with pytest.raises(BadInput, match="this wallet is"):
        await renter.end(7)


async def test_name_refunder__either_way__is_the_call_that_is_planned(renter: Renter, world: World) -> None:
    assert (await renter.name_refunder(STRANGER, True)).name == "nameRefunder"
    assert renter.plan_name_refunder(STRANGER, False).calls[0].args == (STRANGER, False)


async def test_silent__names_those_whose_keys_do_not_sign(renter: Renter, monkeypatch: pytest.MonkeyPatch) -> None:
    async def alive(http: Any, device: Device) -> bool:
        return device.device_id == ONE

    monkeypatch.setattr(renter_module, "is_alive", alive)
    assert await renter.silent((ONE, TWO, bytes(32))) == (TWO, bytes(32))


async def test_account__whose_key_is_elsewhere__is_planned_for_and_sends_and_signs_nothing(
    renter: Renter, world: World, found: list[str]
) -> None:
    """A contract wallet, or a key on another machine: what it would send is shown, another key never sends it."""
    renter._account = world.lease.renter
    renter._key = SimpleNamespace(address=STRANGER)  # type: ignore[assignment]
    assert renter.address == RENTER
    assert [one.epoch for one in (await renter.downtime(7)).claimable] == [3] and found == [RENTER]
    for sending in (renter.refund_downtime(7), renter.end(7), renter.refund(7), renter.rent(listing(), 500)):
        with pytest.raises(BadInput, match=f"key of {RENTER} is elsewhere: --dry-run"):
            await sending
    with pytest.raises(BadInput, match="is elsewhere"):
        await renter.session(7)
    assert world.sent == [] and world.opened == []
