"""What seats send each other: instants, inventories, observations, and proposals of seals and reports."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from assay.protocol.keccak import ZERO_HASH
from assay.protocol.messages import EpochReport, Observations, Seal
from assay.protocol.quorum import MAX_SEATS
from assay.wire.fields import U32, U64, Address, Bytes32, Decimal256, DeviceId32, Rho32, Root32, Seed32, Signature, Wire
from assay.wire.leaves import ObservationLeaves, SealedLeaves
from assay.wire.limits import MAX_LEAVES


class Purpose(StrEnum):
    """What begins at an instant; the kind of the message that names it."""

    WORK = "instant"
    MEMORY = "probe-instant"


class InstantBody(Wire):
    """A leader's instant, Unix milliseconds."""

    epoch_seed: Seed32
    start_ms: U64


class InventoryEntry(Wire):
    """A commitment held: its device and the H of its canonical encoding; `lanes` is that of its answer to the memory
    probe, zero where none is held."""

    device_id: DeviceId32
    digest: Bytes32
    lanes: Bytes32 = ZERO_HASH


class InventoryBody(Wire):
    """All commitments that a seat holds at its cut-off."""

    epoch_seed: Seed32
    entries: Annotated[tuple[InventoryEntry, ...], Field(max_length=MAX_LEAVES)]


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


class SealProposal(Wire):
    """A leader's seal with its own Seal signature; `commitments` are the content hashes of what each line is from,
    `lanes` those of the answers to the memory probe, zero where a line has no lane root.
    """

    epoch: U64
    set_id: U32
    round: U32
    seat: Address
    epoch_seed: Seed32
    seal_root: Root32
    count: U32
    leaves: SealedLeaves
    commitments: Annotated[tuple[Bytes32, ...], Field(max_length=MAX_LEAVES)]
    lanes: Annotated[tuple[Bytes32, ...], Field(max_length=MAX_LEAVES)]
    signature: Signature

    def message(self) -> Seal:
        return Seal(self.epoch, self.set_id, self.round, self.epoch_seed, self.seal_root, self.count)


class BatchMessage(Wire):
    """One seat's observations with its Observations signature over their root."""

    epoch: U64
    set_id: U32
    seat: Address
    rho: Rho32
    leaves: ObservationLeaves
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
    round: U32
    seat: Address
    rho: Rho32
    devices_root: Root32
    rewards_root: Root32
    rewards_total: Decimal256
    data_hash: Bytes32
    batches: Annotated[tuple[NamedBatch, ...], Field(max_length=MAX_SEATS)]
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


SeatMessage = InstantMessage | InventoryMessage | BatchMessage | SealProposal | ReportProposal
