"""Seats, a device and an open epoch, all made from fixed keys."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from assay.chain.leases import Lease, LeaseStatus
from assay.protocol.encoding import device_id
from assay.protocol.keccak import keccak
from assay.protocol.messages import Challenge
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, address_of, sign_compact
from assay.provider.challenge_rules import SignedChallenge
from assay.provider.device import Device
from assay.provider.views import EpochView, SeatView

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


@dataclass
class ChainFake:
    """The chain as the daemon sees it; tests change its fields."""

    view: EpochView | None
    leases: dict[int, Lease] = field(default_factory=dict)
    contract: str | None = None

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
            i for i, one in self.leases.items() if one.device_id == device_id and one.status is LeaseStatus.ACTIVE
        )
        return next(active, 0)


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
    return Lease(
        lease_id=3, renter=RENTER, provider=PROVIDER, device_id=DEVICE_ID, token="0x" + "33" * 20,
        status=LeaseStatus.PENDING, rate=10**18, opened_at=0, start=0, stop=0, min_duration=60,
        max_duration=3600, deposit=1000, bond=0, claimed=0, refunded=0, downtime_refund=0,
    )  # fmt: skip


def challenge(number: int, **changes: object) -> SignedChallenge:
    """The signed challenge of seat `number` for the device in epoch 5."""
    message = Challenge(5, SEED, DEVICE_ID, address_of(key(f"account {number}")), keccak(f"nonce {number}".encode()))
    message = replace(message, **changes)  # type: ignore[arg-type]
    return SignedChallenge(message, message.sign(ORACLE, key(f"signer {number}")))
