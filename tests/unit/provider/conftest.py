"""Seats, a device and an open epoch, all made from fixed keys."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from assay.chain.leases import Lease, LeaseStatus
from assay.protocol.encoding import device_id
from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.keccak import keccak
from assay.protocol.leases import stored_offer_hash
from assay.protocol.messages import Challenge, Offer
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, address_of, sign_compact
from assay.provider.device import Device
from assay.provider.views import EpochView, SeatView
from assay.wire.measurement import SignedChallenge

ORACLE = Domain(31337, "0x" + "11" * 20)
ESCROW = Domain(31337, "0x" + "22" * 20)
SEED = keccak(b"epoch seed")
PROFILE = Profile(9, M=8, N=32, K=64, T=2, chunk=32, k=4, W=1, deadline_ms=1000, credit=1, max_gops=10, stake=1)


def key(name: str) -> bytes:
    return keccak(name.encode())


PROVIDER = address_of(key("provider"))
RENTER = address_of(key("renter"))
DEVICE_ADDRESS = address_of(key("device"))
DEVICE_ID = device_id(PROVIDER, DEVICE_ADDRESS)
OPERATOR = address_of(key("operator"))
TOKEN = "0x" + "33" * 20
OFFER = Offer(PROVIDER, ZERO_ADDRESS, (DEVICE_ID,), TOKEN, 10**18, 60, 3600, 1 << 39, 0, ZERO_ADDRESS, 0)


def device_named(name: str) -> Device:
    """Another device of the provider, with a key of its own."""
    address = address_of(key(name))
    return Device(
        device_id(PROVIDER, address), PROVIDER, address, PROFILE, lambda digest: sign_compact(digest, key(name))
    )


DEVICES = sorted((device_named(f"device {n}") for n in range(3)), key=lambda one: one.device_id)
NODE = replace(OFFER, device_ids=tuple(one.device_id for one in DEVICES), notice=600)


def lease_on(offer: Offer, lease_id: int = 3, **changes: object) -> Lease:
    """A pending lease on an offer."""
    lease = Lease(
        lease_id=lease_id, renter=RENTER, provider=offer.provider, offer_hash=stored_offer_hash(offer.struct_hash()),
        opened_block=7, token=offer.token, status=LeaseStatus.PENDING, rate=0, start=0, stop=0,
        min_duration=offer.min_duration, max_duration=offer.max_duration, notice=0, notice_at=0, devices=0,
        deposit=1000, bond=0, claimed=0, refunded=0, downtime_refund=0, downtime=0, forfeited=0, forfeitable=0,
        bond_returned=False, fee_bps=100, left_early=False,
    )  # fmt: skip
    return replace(lease, **changes)  # type: ignore[arg-type]


@dataclass
class ChainFake:
    """The chain as the daemon sees it; tests change its fields."""

    view: EpochView | None
    leases: dict[int, Lease] = field(default_factory=dict)
    offers: dict[int, Offer] = field(default_factory=dict)
    contract: str | None = None
    now: int = 1000

    async def epoch(self, epoch: int) -> EpochView | None:
        return self.view if self.view and self.view.epoch == epoch else None

    async def contract_accepts(self, account: str, digest: bytes, signature: bytes) -> bool:
        """A contract wallet whose signatures are the digest, twenty times over."""
        return account == self.contract and signature == digest * 20

    async def latest(self) -> EpochView | None:
        return self.view

    async def lease(self, lease_id: int) -> Lease | None:
        return self.leases.get(lease_id)

    async def active_lease(self, device_id: bytes) -> int:
        active = (
            number
            for number, one in self.leases.items()
            if device_id in self.offers.get(number, OFFER).device_ids and one.status is LeaseStatus.ACTIVE
        )
        return next(active, 0)

    async def time(self) -> int:
        return self.now

    async def read_offer(self, lease: Lease) -> Offer:
        """The log of the lease's opening."""
        return self.offers.get(lease.lease_id, OFFER)


@pytest.fixture
def view() -> EpochView:
    seats = tuple(SeatView(address_of(key(f"account {n}")), address_of(key(f"signer {n}"))) for n in range(4))
    return EpochView(epoch=5, epoch_seed=SEED, set_id=1, seats=seats, challenges_open=True, rho=None)


@pytest.fixture
def chain(view: EpochView) -> ChainFake:
    return ChainFake(view)


@pytest.fixture
def device() -> Device:
    return Device(DEVICE_ID, PROVIDER, DEVICE_ADDRESS, PROFILE, lambda digest: sign_compact(digest, key("device")))


@pytest.fixture
def lease() -> Lease:
    return lease_on(OFFER)


def challenge(number: int, **changes: object) -> SignedChallenge:
    """The signed challenge of seat `number` for the device in epoch 5."""
    message = Challenge(5, SEED, DEVICE_ID, address_of(key(f"account {number}")), keccak(f"nonce {number}".encode()))
    message = replace(message, **changes)  # type: ignore[arg-type]
    return SignedChallenge.of(message, message.sign(ORACLE, key(f"signer {number}")))
