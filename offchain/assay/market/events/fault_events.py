"""Proofs that slash, and demands for what a proof would need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class ProofCommitted(Event):
    """Somebody will reveal a proof."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    reporter: Address
    commit_hash: bytes
    block_number: int


@dataclass(frozen=True, slots=True)
class FaultProven(Event):
    """A contract checked a proof and slashed."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    kind: int
    subject: bytes
    epoch: int
    account: Address
    amount: int
    reporter: Address


@dataclass(frozen=True, slots=True)
class WrongElementShown(Event):
    """The element of a proof and what is correct in its place."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    device_id: bytes
    epoch: int
    t: int
    i: int
    j: int
    claimed: int
    correct: int


@dataclass(frozen=True, slots=True)
class QuorumFaultRecorded(Event):
    """A quorum signed what is false: it is on record, each seat is proven apart."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    kind: int
    epoch: int
    set_id: int
    signers: int
    reporter: Address


@dataclass(frozen=True, slots=True)
class DemandMade(Event):
    """Somebody challenges a device on-chain to show a row or a round of what it committed."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    demand_id: int
    device_id: bytes
    epoch: int
    is_row: bool
    t: int
    i: int
    deadline: int
    demander: Address


@dataclass(frozen=True, slots=True)
class DemandAnswered(Event):
    """It was shown in time."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    demand_id: int
    answerer: Address


@dataclass(frozen=True, slots=True)
class DemandExpired(Event):
    """It was not."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    demand_id: int


@dataclass(frozen=True, slots=True)
class BondCollected(Event):
    """Bonds of demands went back to whoever they are due to."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    account: Address
    receiver: Address
    amount: int
