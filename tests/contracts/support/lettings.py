"""Leases made by hand: offers signed, opened, started."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from eth_account import Account

from assay.protocol.messages import LeaseStart, Offer

from .epochs import Epoch
from .network import Device, Network

SCALE = 10**18
ZERO = "0x" + "00" * 20


@dataclass
class Letting:
    """One device on offer to one renter, measured in `epoch`."""

    network: Network
    epoch: Epoch
    device: Device
    renter: Any
    rate: int = 10 * SCALE  # ten base units a second
    lease_id: int = 0

    @property
    def escrow(self) -> Any:
        return self.network.LeaseEscrow

    @property
    def provider(self) -> Any:
        return self.device.provider

    def offer(self, **changes: Any) -> Offer:
        offer = Offer(
            provider=self.provider.address, device_id=self.device.id, token=self.network.TestToken.address,
            rate=self.rate, min_duration=3600, max_duration=100 * 3600,
            valid_until=self.network.now + 10**6, nonce=1, renter=ZERO,
        )  # fmt: skip
        return replace(offer, **changes)

    def sign(self, offer: Offer, signer: Any = None) -> bytes:
        digest = offer.digest(self.network.domain("LeaseEscrow"))
        return bytes(Account.unsafe_sign_hash(digest, (signer or self.provider).private_key).signature)

    def open(
        self, deposit: int = 100_000, min_score: int = 0, leaf: Any = None, offer: Offer | None = None,
        signature: bytes | None = None, sender: Any = None,
    ) -> Any:  # fmt: skip
        sender = sender or self.renter
        offer = offer or self.offer()
        self.network.TestToken.approve(self.escrow, 10**15, sender=sender)
        shown, proof = self.epoch.proof(self.device)
        receipt = self.escrow.open(
            tuple(offer_values(offer)), self.sign(offer) if signature is None else signature, deposit,
            leaf or shown, proof, min_score, sender=sender,
        )  # fmt: skip
        self.lease_id = self.escrow.leaseCount()
        return receipt

    def start_signature(self, valid_until: int | None = None, signer: Any = None, lease_id: int = 0) -> bytes:
        until = self.network.now + 10**6 if valid_until is None else valid_until
        message = LeaseStart(lease_id or self.lease_id, b"\7" * 32, until)
        digest = message.digest(self.network.domain("LeaseEscrow"))
        return bytes(Account.unsafe_sign_hash(digest, (signer or self.renter).private_key).signature)

    def start(self) -> Any:
        self.network.TestToken.approve(self.escrow, 10**15, sender=self.provider)
        until = self.network.now + 10**6
        return self.escrow.start(self.lease_id, b"\7" * 32, until, self.start_signature(until), sender=self.provider)

    @property
    def lease(self) -> Any:
        return self.escrow.lease(self.lease_id)

    def balance(self, who: Any) -> int:
        return int(self.network.TestToken.balanceOf(who))


def offer_values(offer: Offer) -> list[Any]:
    return [
        offer.provider, offer.device_id, offer.token, offer.rate, offer.min_duration, offer.max_duration,
        offer.valid_until, offer.nonce, offer.renter,
    ]  # fmt: skip


def owed(letting):
    return letting.escrow.owed(letting.network.TestToken)
