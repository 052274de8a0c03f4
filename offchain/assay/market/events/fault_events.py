"""Proofs that slash."""

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
    """A contract checked a proof and slashed; `held_id` is the slash in StakeManager, where it is on hold."""

    CONTRACT: ClassVar[str] = "FraudProofs"

    kind: int
    subject: bytes
    epoch: int
    account: Address
    amount: int
    held_id: int
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
