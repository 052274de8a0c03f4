"""What a seat may state once: the contracts slash two of a kind (PROTOCOL section 7, two statements)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from assay.protocol.messages import EpochReport, Observations, Seal
from assay.protocol.signing import Domain


class StatementKind(StrEnum):
    """Messages of which a seat signs at most one in each place."""

    SEAL = "seal"
    OBSERVATIONS = "observations"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """A message to be signed, reduced to its place and its digest.

    The place is everything the contracts compare: kind, epoch, set, round, and `scope`, which is the epoch
    seed of a seal and ρ of the others. `digest` is the EIP-712 digest, 32 bytes.
    """

    kind: StatementKind
    epoch: int
    set_id: int
    round: int
    scope: bytes
    digest: bytes

    def __str__(self) -> str:
        return f"{self.kind} of epoch {self.epoch}, set {self.set_id}, round {self.round}"


def statement_of(message: Seal | Observations | EpochReport, domain: Domain) -> SigningRequest:
    """The statement a message makes."""
    digest = message.digest(domain)
    if isinstance(message, Seal):
        return SigningRequest(
            StatementKind.SEAL, message.epoch, message.set_id, message.round, message.epoch_seed, digest
        )
    if isinstance(message, Observations):
        return SigningRequest(StatementKind.OBSERVATIONS, message.epoch, message.set_id, 0, message.rho, digest)
    return SigningRequest(StatementKind.REPORT, message.epoch, message.set_id, message.round, message.rho, digest)
