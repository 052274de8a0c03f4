"""What validators and devices send: bodies of requests and stored contents, checked for form at the edge."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from assay.protocol.leaves import DeviceLeaf, ObservationLeaf, RewardLeaf, SealedLeaf
from assay.protocol.messages import Commitment, EpochReport, Observations, Seal
from assay.validator.rules.instants import Purpose
from assay.validator.rules.values import NO_ROOT, HeldCommitment, SignedChallenge
from assay.validator.wire_types import (
    MOST_DEVICES,
    U16,
    U32,
    U64,
    Address,
    Bytes32,
    Decimal256,
    Signature,
    Wire,
)


class InstantBody(Wire):
    """A leader's instant, Unix milliseconds."""

    epoch_seed: Bytes32
    start_ms: U64


class InventoryEntry(Wire):
    """A commitment held: its device and the H of its canonical encoding; `lanes` is that of its answer to the memory
    probe, zero where none is held."""

    device_id: Bytes32
    digest: Bytes32
    lanes: Bytes32 = NO_ROOT


class InventoryBody(Wire):
    """All commitments that a seat holds at its cut-off."""

    epoch_seed: Bytes32
    entries: Annotated[tuple[InventoryEntry, ...], Field(max_length=MOST_DEVICES)]


class InstantMessage(Wire):
    """An instant with its leader's Gossip signature over H of the canonical content; `kind` is what begins at it."""

    kind: Purpose = Purpose.WORK
    epoch: U64
    set_id: U32
    seat: Address
    content: InstantBody
    signature: Signature


class InventoryMessage(Wire):
    """An inventory with its seat's Gossip signature."""

    kind: Literal["inventory"] = "inventory"
    epoch: U64
    set_id: U32
    seat: Address
    content: InventoryBody
    signature: Signature


class UsedChallenge(Wire):
    """A challenge as its device got it."""

    epoch: U64
    epoch_seed: Bytes32
    device_id: Bytes32
    validator: Address
    nonce: Bytes32
    signature: Signature


class CommitmentBody(Wire):
    """A device's answer to a challenge."""

    epoch: U64
    job_hash: Bytes32
    device_id: Bytes32
    nonce_root: Bytes32
    result_root: Bytes32
    challenges: Annotated[tuple[UsedChallenge, ...], Field(max_length=31)]
    signature: Signature

    def held(self) -> HeldCommitment:
        """As the rules see it."""
        message = Commitment(self.epoch, self.job_hash, self.device_id, self.nonce_root, self.result_root)
        used = tuple(SignedChallenge(c.validator, c.nonce, c.signature) for c in self.challenges)
        return HeldCommitment(message, used, self.signature)


class SealedLine(Wire):
    """A leaf of a seal."""

    device_id: Bytes32
    job_hash: Bytes32
    nonce_root: Bytes32
    result_root: Bytes32
    lane_root: Bytes32
    r: Bytes32
    vs: Bytes32

    @classmethod
    def of(cls, leaf: SealedLeaf) -> Self:
        return cls.model_validate({name: getattr(leaf, name) for name in cls.model_fields})

    def leaf(self) -> SealedLeaf:
        return SealedLeaf(*(getattr(self, name) for name in type(self).model_fields))


class SealedBody(Wire):
    """The lines of a seal: content, served by hash."""

    epoch: U64
    leaves: Annotated[tuple[SealedLine, ...], Field(max_length=MOST_DEVICES)]


class SealProposal(Wire):
    """A leader's seal with its own Seal signature; `commitments` are the content hashes of what each line is from,
    `lanes` those of the answers to the memory probe, zero where a line has no lane root.
    """

    epoch: U64
    set_id: U32
    round: Annotated[int, Field(ge=0, lt=2**16, strict=True)]
    seat: Address
    epoch_seed: Bytes32
    seal_root: Bytes32
    count: U32
    leaves: Annotated[tuple[SealedLine, ...], Field(max_length=MOST_DEVICES)]
    commitments: Annotated[tuple[Bytes32, ...], Field(max_length=MOST_DEVICES)]
    lanes: Annotated[tuple[Bytes32, ...], Field(max_length=MOST_DEVICES)]
    signature: Signature

    def message(self) -> Seal:
        return Seal(self.epoch, self.set_id, self.round, self.epoch_seed, self.seal_root, self.count)


class ObservationLine(Wire):
    """A leaf of a batch."""

    device_id: Bytes32
    result_root: Bytes32
    elapsed_us: U64
    flags: U16
    uptime_bps: Annotated[int, Field(ge=0, le=10_000, strict=True)]

    @classmethod
    def of(cls, leaf: ObservationLeaf) -> Self:
        return cls.model_validate({name: getattr(leaf, name) for name in cls.model_fields})

    def leaf(self) -> ObservationLeaf:
        return ObservationLeaf(*(getattr(self, name) for name in type(self).model_fields))


class BatchMessage(Wire):
    """One seat's observations with its Observations signature over their root."""

    epoch: U64
    set_id: U32
    seat: Address
    rho: Bytes32
    leaves: Annotated[tuple[ObservationLine, ...], Field(max_length=MOST_DEVICES)]
    signature: Signature

    def message(self, batch_root: bytes) -> Observations:
        return Observations(self.epoch, self.set_id, self.rho, batch_root)


class NamedBatch(Wire):
    """A batch that a report is made of: the digest that its seat signed, and the H of its content."""

    seat: Address
    digest: Bytes32
    content: Bytes32


class ReportProposal(Wire):
    """A leader's report with its own EpochReport signature and the batches it names, in seat order."""

    epoch: U64
    set_id: U32
    round: Annotated[int, Field(ge=0, lt=2**16, strict=True)]
    seat: Address
    rho: Bytes32
    devices_root: Bytes32
    rewards_root: Bytes32
    rewards_total: Decimal256
    data_hash: Bytes32
    batches: Annotated[tuple[NamedBatch, ...], Field(max_length=31)]
    signature: Signature

    def message(self) -> EpochReport:
        return EpochReport(
            self.epoch,
            self.set_id,
            self.round,
            self.rho,
            self.devices_root,
            self.rewards_root,
            self.rewards_total,
            self.data_hash,
        )


class DeviceLine(Wire):
    """A leaf of a report."""

    epoch: U64
    device_id: Bytes32
    seal_index: U32
    profile: U32
    score_gops: U64
    memory_mib: U32 = Field(alias="memoryMiB")
    uptime_bps: U16
    flags: U16
    result_root: Bytes32

    @classmethod
    def of(cls, leaf: DeviceLeaf) -> Self:
        return cls.model_validate({name: getattr(leaf, name) for name in cls.model_fields})

    def leaf(self) -> DeviceLeaf:
        return DeviceLeaf(*(getattr(self, name) for name in type(self).model_fields))


class DevicesBody(Wire):
    """The device lines of a report: content, served by hash."""

    epoch: U64
    leaves: Annotated[tuple[DeviceLine, ...], Field(max_length=MOST_DEVICES)]


class RewardLine(Wire):
    """A leaf of a reward tree, base units as decimal text."""

    account: Address
    cumulative: Decimal256

    def leaf(self) -> RewardLeaf:
        return RewardLeaf(self.account, self.cumulative)


class RewardsBody(Wire):
    """A reward tree: content, served by hash; accounts ascending."""

    epoch: U64
    leaves: Annotated[tuple[RewardLine, ...], Field(max_length=MOST_DEVICES)]


class RowsContent(Wire):
    """Rows asked of a device: those that `rho` samples, or `rows` as t·M + i, in this order."""

    device_id: Bytes32
    rho: Bytes32 | None = None
    rows: Annotated[tuple[U64, ...], Field(max_length=8_192)] | None = None


class OpeningRequest(Wire):
    """A seat's request for rows, with its Gossip signature of the kind openings-request."""

    kind: Literal["openings-request"] = "openings-request"
    epoch: U64
    set_id: U32
    seat: Address
    content: RowsContent
    signature: Signature
