"""Every message that is signed. The contracts named verify the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.typed_message import MessageError, TypedMessage
from assay.protocol.types import DeviceId, Rho, Root, Seed

__all__ = [
    "ALL", "Challenge", "Commitment", "Enrol", "EpochReport", "Gossip", "Handover", "LaneCommitment", "LeaseRequest",
    "LeaseSession", "LeaseStart", "MessageError", "Observations", "Offer", "ProbeNonce", "ReachabilityRequest",
    "RelayLink", "Seal", "SeatClaim", "TypedMessage", "Wiped",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Challenge(TypedMessage):
    """A validator's fresh nonce for one device, signed by its seat's signer; `validator` is the account."""

    TYPE: ClassVar[str] = "Challenge(uint64 epoch,bytes32 epochSeed,bytes32 deviceId,address validator,bytes32 nonce)"
    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    epoch_seed: Seed
    device_id: DeviceId
    validator: str
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Commitment(TypedMessage):
    """What a device computed, signed by the device key."""

    TYPE: ClassVar[str] = (
        "Commitment(uint64 epoch,bytes32 jobHash,bytes32 deviceId,bytes32 nonceRoot,bytes32 resultRoot)"
    )
    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    job_hash: bytes
    device_id: DeviceId
    nonce_root: bytes
    result_root: Root


@dataclass(frozen=True, slots=True)
class Seal(TypedMessage):
    """What all devices committed to, signed by seats."""

    TYPE: ClassVar[str] = "Seal(uint64 epoch,uint32 setId,uint32 round,bytes32 epochSeed,bytes32 sealRoot,uint32 count)"
    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    set_id: int
    round: int
    epoch_seed: Seed
    seal_root: Root
    count: int


@dataclass(frozen=True, slots=True)
class Observations(TypedMessage):
    """One validator's batch of what it verified itself."""

    TYPE: ClassVar[str] = "Observations(uint64 epoch,uint32 setId,bytes32 rho,bytes32 batchRoot)"
    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    set_id: int
    rho: Rho
    batch_root: bytes


@dataclass(frozen=True, slots=True)
class EpochReport(TypedMessage):
    """The result of an epoch, signed by seats."""

    TYPE: ClassVar[str] = (
        "EpochReport(uint64 epoch,uint32 setId,uint32 round,bytes32 rho,bytes32 devicesRoot,"
        "bytes32 rewardsRoot,uint256 rewardsTotal,bytes32 dataHash)"
    )
    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    set_id: int
    round: int
    rho: Rho
    devices_root: Root
    rewards_root: Root
    rewards_total: int
    data_hash: bytes


@dataclass(frozen=True, slots=True)
class Offer(TypedMessage):
    """One to sixteen devices of a provider for lease, all or none of them, at one rate.

    Signed by `operator`, or where that is the zero address by the provider. `device_ids` strictly ascend. `rate` is
    base units × 10¹⁸ a second for all devices together; durations and `notice` are seconds, `notice` 0 for none;
    `renter` the zero address for anyone. Its struct hash is the offer's hash in the escrow.
    """

    TYPE: ClassVar[str] = (
        "Offer(address provider,address operator,bytes32[] deviceIds,address token,uint128 rate,uint40 minDuration,"
        "uint40 maxDuration,uint40 validUntil,uint64 nonce,address renter,uint32 notice)"
    )
    CONTRACT: ClassVar[str] = "LeaseEscrow"

    provider: str
    operator: str
    device_ids: tuple[DeviceId, ...]
    token: str
    rate: int
    min_duration: int
    max_duration: int
    valid_until: int
    nonce: int
    renter: str
    notice: int

    @property
    def signer(self) -> str:
        """Whose signature the offer needs: the operator's, or without one the provider's."""
        return self.provider if self.operator == ZERO_ADDRESS else self.operator


@dataclass(frozen=True, slots=True)
class LeaseStart(TypedMessage):
    """The renter's word that the handover proofs convinced; `valid_until` seconds since 1970.

    `offer_hash` because a reorganisation of the chain may give the number to another lease; `result_roots` as in
    `assay.protocol.leases`.
    """

    TYPE: ClassVar[str] = "LeaseStart(uint256 leaseId,bytes32 offerHash,bytes32 resultRoots,uint40 validUntil)"
    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    offer_hash: bytes
    result_roots: bytes
    valid_until: int


@dataclass(frozen=True, slots=True)
class Handover(TypedMessage):
    """A device's proof for the renter of one lease, signed by the device key."""

    TYPE: ClassVar[str] = "Handover(uint256 leaseId,bytes32 jobHash,bytes32 deviceId,bytes32 nonce,bytes32 resultRoot)"
    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    job_hash: bytes
    device_id: DeviceId
    nonce: bytes
    result_root: Root


@dataclass(frozen=True, slots=True)
class Enrol(TypedMessage):
    """A device key's consent to stand under a provider's stake."""

    TYPE: ClassVar[str] = "Enrol(address provider,uint32 profile,bytes32 specHash,uint64 nonce)"
    CONTRACT: ClassVar[str] = "DeviceRegistry"

    provider: str
    profile: int
    spec_hash: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class SeatClaim(TypedMessage):
    """A signer key's consent to sign for an account's seat. On-chain the type is named `Seat`."""

    TYPE: ClassVar[str] = "Seat(address account,address signer,uint64 nonce)"
    CONTRACT: ClassVar[str] = "ValidatorSet"

    account: str
    signer: str
    nonce: int


@dataclass(frozen=True, slots=True)
class Gossip(TypedMessage):
    """What one seat tells the others; no contract reads it. `content_hash` is H of the body."""

    TYPE: ClassVar[str] = "Gossip(uint64 epoch,uint32 setId,string kind,bytes32 contentHash)"
    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    set_id: int
    kind: str
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class ProbeNonce(TypedMessage):
    """A validator's fresh nonce for the memory probe of what a device has committed to, signed by its seat's signer;
    no contract reads it."""

    TYPE: ClassVar[str] = (
        "ProbeNonce(uint64 epoch,bytes32 epochSeed,bytes32 deviceId,bytes32 resultRoot,address validator,bytes32 nonce)"
    )
    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    epoch_seed: Seed
    device_id: DeviceId
    result_root: Root
    validator: str
    nonce: bytes


@dataclass(frozen=True, slots=True)
class LaneCommitment(TypedMessage):
    """Where the lanes of a device's memory probe ended, signed by the device key; `challenge` is π. No contract reads
    it: the lane root stands in the sealed leaf."""

    TYPE: ClassVar[str] = (
        "LaneCommitment(uint64 epoch,bytes32 epochSeed,bytes32 deviceId,bytes32 resultRoot,bytes32 challenge,"
        "bytes32 laneRoot)"
    )
    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    epoch_seed: Seed
    device_id: DeviceId
    result_root: Root
    challenge: bytes
    lane_root: Root


@dataclass(frozen=True, slots=True)
class LeaseRequest(TypedMessage):
    """A renter's request to its provider over HTTP. `content_hash` is H of the body, `issued_at` seconds."""

    TYPE: ClassVar[str] = "LeaseRequest(uint256 leaseId,string action,bytes32 contentHash,uint64 issuedAt)"
    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    action: str
    content_hash: bytes
    issued_at: int


@dataclass(frozen=True, slots=True)
class LeaseSession(TypedMessage):
    """A renter lets a key of its browser sign requests about one lease until `valid_until`, in seconds; no contract
    reads it. `key_hash` is H of the P-256 point, compressed to 33 bytes."""

    TYPE: ClassVar[str] = "LeaseSession(uint256 leaseId,bytes32 keyHash,uint64 validUntil)"
    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    key_hash: bytes
    valid_until: int


@dataclass(frozen=True, slots=True)
class Wiped(TypedMessage):
    """A provider's word that nothing of a lease's files is left; no contract reads it. `wiped_at` in seconds."""

    TYPE: ClassVar[str] = "Wiped(uint256 leaseId,uint64 wipedAt,uint64 files,uint64 bytes,uint64 entriesLeft)"
    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    wiped_at: int
    files: int
    bytes: int
    entries_left: int


@dataclass(frozen=True, slots=True)
class ReachabilityRequest(TypedMessage):
    """A device's wish to be dialled by a seat where the registry has it, signed by the device key; no contract reads
    it. `issued_at` in seconds."""

    TYPE: ClassVar[str] = "ReachabilityRequest(bytes32 deviceId,uint64 issuedAt)"
    CONTRACT: ClassVar[str] = "EpochOracle"

    device_id: DeviceId
    issued_at: int


@dataclass(frozen=True, slots=True)
class RelayLink(TypedMessage):
    """A device's wish to be reached through a relay, signed by the device key; no contract reads it. `relay` is H of
    the relay's certificate, so that no relay can use it at another; `nonce` the relay's own, fresh for each connection.
    """

    TYPE: ClassVar[str] = "RelayLink(address provider,bytes32 relay,bytes32 nonce)"
    CONTRACT: ClassVar[str] = "DeviceRegistry"

    provider: str
    relay: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True)
class CheckResult(TypedMessage):
    """What a renter measured inside its lease, signed by the account that opened it; no contract reads it. Units as in
    a data sheet, 0 is not measured; `score_gops` and `memory_mib` were proven under the renter's nonce. `checked_at` in
    seconds.
    """

    TYPE: ClassVar[str] = (
        "CheckResult(uint256 leaseId,uint64 checkedAt,uint64 gpus,uint64 scoreGops,uint64 memoryMib,uint64 hostCores,"
        "uint64 hostMemoryMib,uint64 hostDiskMib,uint64 diskReadMbs,uint64 diskWriteMbs,uint64 networkUpMbps,"
        "uint64 networkDownMbps,uint64 bf16Tflops,uint64 bandwidthGbs)"
    )
    CONTRACT: ClassVar[str] = "LeaseEscrow"

    lease_id: int
    checked_at: int
    gpus: int = 0
    score_gops: int = 0
    memory_mib: int = 0
    host_cores: int = 0
    host_memory_mib: int = 0
    host_disk_mib: int = 0
    disk_read_mbs: int = 0
    disk_write_mbs: int = 0
    network_up_mbps: int = 0
    network_down_mbps: int = 0
    bf16_tflops: int = 0
    bandwidth_gbs: int = 0


ALL: tuple[type[TypedMessage], ...] = (
    Challenge, Commitment, Seal, Observations, EpochReport, Offer, LeaseStart, Handover, Enrol, SeatClaim,
    Gossip, ProbeNonce, LaneCommitment, LeaseRequest, LeaseSession, Wiped, ReachabilityRequest, CheckResult,
    RelayLink,
)  # fmt: skip
