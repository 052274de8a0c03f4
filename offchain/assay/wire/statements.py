"""Seals and reports as a seat signed them: small, kept and served so that anybody can prove two of one place."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter

from assay.protocol.encoding import abi_encode
from assay.protocol.messages import EpochReport, Seal
from assay.wire.fields import U32, Address, Bytes32, Decimal256, Rho32, Root32, Seed32, Signature, Wire
from assay.wire.gossip import ReportProposal, SealProposal


class Statement(IntEnum):
    """As in IFraudProofs."""

    SEAL = 0
    OBSERVATIONS = 1
    REPORT = 2


class SignedSeal(Wire):
    """A Seal with one seat's signature."""

    kind: Literal["seal"] = "seal"
    round: U32
    seat: Address
    epoch_seed: Seed32
    seal_root: Root32
    count: U32
    signature: Signature

    @classmethod
    def of(cls, proposal: SealProposal, seat: str, signature: bytes) -> Self:
        return cls(
            round=proposal.round,
            seat=seat,
            epoch_seed=proposal.epoch_seed,
            seal_root=proposal.seal_root,
            count=proposal.count,
            signature=signature,
        )

    @property
    def what(self) -> Statement:
        """Which kind of statement it is to the contracts."""
        return Statement.SEAL

    @property
    def scope(self) -> bytes:
        """What the statement is over, 32 bytes."""
        return self.epoch_seed

    @property
    def content(self) -> bytes:
        """The rest of the struct, ABI-encoded, as IFraudProofs.SignedContent takes it."""
        return abi_encode(("bytes32", "uint32"), (self.seal_root, self.count))

    def message(self, epoch: int, set_id: int) -> Seal:
        """The message that was signed."""
        return Seal(epoch, set_id, self.round, self.epoch_seed, self.seal_root, self.count)


class SignedReport(Wire):
    """An EpochReport with one seat's signature."""

    kind: Literal["report"] = "report"
    round: U32
    seat: Address
    rho: Rho32
    devices_root: Root32
    rewards_root: Root32
    rewards_total: Decimal256
    data_hash: Bytes32
    signature: Signature

    @classmethod
    def of(cls, proposal: ReportProposal, seat: str, signature: bytes) -> Self:
        return cls(
            round=proposal.round,
            seat=seat,
            rho=proposal.rho,
            devices_root=proposal.devices_root,
            rewards_root=proposal.rewards_root,
            rewards_total=proposal.rewards_total,
            data_hash=proposal.data_hash,
            signature=signature,
        )

    @property
    def what(self) -> Statement:
        """Which kind of statement it is to the contracts."""
        return Statement.REPORT

    @property
    def scope(self) -> bytes:
        """What the statement is over, 32 bytes."""
        return self.rho

    @property
    def content(self) -> bytes:
        """The rest of the struct, ABI-encoded, as IFraudProofs.SignedContent takes it."""
        values = (self.devices_root, self.rewards_root, self.rewards_total, self.data_hash)
        return abi_encode(("bytes32", "bytes32", "uint256", "bytes32"), values)

    def message(self, epoch: int, set_id: int) -> EpochReport:
        """The message that was signed."""
        return EpochReport(
            epoch,
            set_id,
            self.round,
            self.rho,
            self.devices_root,
            self.rewards_root,
            self.rewards_total,
            self.data_hash,
        )


SignedStatement = SignedSeal | SignedReport
STATEMENT: TypeAdapter[SignedStatement] = TypeAdapter(Annotated[SignedStatement, Field(discriminator="kind")])


def same_words(a: SignedStatement, b: SignedStatement) -> bool:
    """Whether two differ in nothing but the signature: one key can sign the same in many ways."""
    return a.model_dump(exclude={"signature"}) == b.model_dump(exclude={"signature"})


def signed_statement(proposal: SealProposal | ReportProposal, seat: str, signature: bytes) -> SignedStatement:
    """What a seat signed when it signed a proposal."""
    if isinstance(proposal, SealProposal):
        return SignedSeal.of(proposal, seat, signature)
    return SignedReport.of(proposal, seat, signature)
