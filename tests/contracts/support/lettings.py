"""Leases made by hand: offers signed, opened, started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eth_account import Account

from assay.chain.contracts.leases import offer_argument
from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.leases import result_roots
from assay.protocol.messages import LeaseStart, Offer

from .epochs import Epoch
from .network import Device, Network

SCALE = 10**18
RICH = 10**15


@dataclass
class Letting:
    """Devices of one provider on offer together to one renter, measured in `epoch`."""

    network: Network
    epoch: Epoch
    devices: Sequence[Device]
    renter: Any
    rate: int = 10 * SCALE  # ten base units a second
    lease_id: int = 0
    terms: Offer = field(init=False)

    def __post_init__(self) -> None:
        self.devices = sorted(self.devices, key=lambda device: device.id)
        self.terms = Offer(
            provider=self.provider.address, operator=ZERO_ADDRESS, device_ids=tuple(d.id for d in self.devices),
            token=self.network.TestToken.address, rate=self.rate, min_duration=3600, max_duration=100 * 3600,
            valid_until=self.network.now + 10**6, nonce=1, renter=ZERO_ADDRESS, notice=0,
        )  # fmt: skip

    @property
    def escrow(self) -> Any:
        return self.network.LeaseEscrow

    @property
    def provider(self) -> Any:
        return self.devices[0].provider

    @property
    def offer(self) -> tuple[Any, ...]:
        """ILeaseEscrow.Offer."""
        return offer_argument(self.terms)

    def change(self, **changes: Any) -> Letting:
        """Other terms from here on."""
        self.terms = replace(self.terms, **changes)
        return self

    def signature(self, signer: Any = None) -> bytes:
        """Of the offer; by its provider unless told otherwise."""
        return self._signed(self.terms.digest(self.network.domain("LeaseEscrow")), signer or self.provider)

    def open(self, deposit: int = 100_000, signer: Any = None) -> Any:
        self.network.TestToken.approve(self.escrow, RICH, sender=self.renter)
        shown = [self.epoch.proof(device) for device in self.devices]
        receipt = self.escrow.open(
            self.offer,
            self.signature(signer),
            deposit,
            [leaf for leaf, _ in shown],
            [proof for _, proof in shown],
            0,
            0,
            sender=self.renter,
        )
        self.lease_id = self.escrow.leaseCount()
        return receipt

    def start_arguments(self) -> tuple[Any, ...]:
        """What `start` takes, with the renter's word."""
        roots, until = result_roots([bytes([7 + n]) * 32 for n in range(len(self.devices))]), self.network.now + 10**6
        message = LeaseStart(self.lease_id, self.terms.struct_hash(), roots, until)
        signature = self._signed(message.digest(self.network.domain("LeaseEscrow")), self.renter)
        return self.lease_id, self.offer, roots, until, signature

    def start(self, sender: Any = None) -> Any:
        if sender is None:
            self.network.TestToken.approve(self.escrow, RICH, sender=self.provider)
        return self.escrow.start(*self.start_arguments(), sender=sender or self.provider)

    @property
    def lease(self) -> Any:
        return self.escrow.lease(self.lease_id)

    def balance(self, who: Any) -> int:
        return int(self.network.TestToken.balanceOf(who))

    def _signed(self, digest: bytes, account: Any) -> bytes:
        return bytes(Account.unsafe_sign_hash(digest, account.private_key).signature)
