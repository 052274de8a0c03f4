"""Seals and reports as a seat signed them: small, kept and served so that anybody can prove two of one place."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter

from assay.validator.wire import ReportProposal, SealProposal
from assay.validator.wire_types import U32, Address, Bytes32, Decimal256, Signature, Wire


class SignedSeal(Wire):
    """A Seal with one seat's signature."""

    kind: Literal["seal"] = "seal"
    round: Annotated[int, Field(ge=0, lt=2**16, strict=True)]
    seat: Address
    epoch_seed: Bytes32
    seal_root: Bytes32
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


class SignedReport(Wire):
    """An EpochReport with one seat's signature."""

    kind: Literal["report"] = "report"
    round: Annotated[int, Field(ge=0, lt=2**16, strict=True)]
    seat: Address
    rho: Bytes32
    devices_root: Bytes32
    rewards_root: Bytes32
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
