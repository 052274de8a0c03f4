"""The values that the rules work on."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.protocol.leaves import ObservationLeaf, SealedLeaf
from assay.protocol.messages import Commitment, LaneCommitment

NO_SEAL_INDEX = 2**32 - 1  # of a device that a report mentions but no seal holds
FULL_UPTIME_BPS = 10_000
NO_ROOT = bytes(32)


@dataclass(frozen=True, slots=True)
class Seat:
    """A validator's place in a set. The position in the set is the position of its signature."""

    account: str
    signer: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device that is active or leased, read at the block that opened the epoch."""

    device_id: bytes
    provider: str
    device_key: str
    profile: int
    endpoint: str
    leased: bool
    tls_fingerprint: bytes = bytes(32)


@dataclass(frozen=True, slots=True)
class LeasePeriod:
    """A lease from its start to its stop, which may still move; seconds since 1970."""

    lease_id: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class SignedChallenge:
    """A challenge or probe's nonce that a device used: whose nonce, and that seat's signature over it."""

    validator: str
    nonce: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class HeldCommitment:
    """What a device answered: what it signed, the challenges it used, and its compact signature."""

    message: Commitment
    challenges: tuple[SignedChallenge, ...]
    signature: bytes

    @property
    def device_id(self) -> bytes:
        """32 bytes."""
        return self.message.device_id

    def leaf(self, lane_root: bytes = NO_ROOT) -> SealedLeaf:
        """Its line in a seal, with the lane root of the device's probe where it answered one."""
        m = self.message
        return SealedLeaf(
            m.device_id,
            m.job_hash,
            m.nonce_root,
            m.result_root,
            lane_root,
            self.signature[:32],
            self.signature[32:],
        )


@dataclass(frozen=True, slots=True)
class HeldLanes:
    """What a device answered to the memory probe: what it signed, the nonces it used, and its compact signature."""

    message: LaneCommitment
    nonces: tuple[SignedChallenge, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """One seat's observations of an epoch, ascending by device. `digest` is that of the signed
    Observations.
    """

    seat: int
    digest: bytes
    leaves: tuple[ObservationLeaf, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """Who signed, by seat position under a mask: the seal of this epoch, the report of the one before."""

    seal_signers: int
    report_signers: int
    report_accounts: tuple[str, ...] = field(default=())  # seats of the set that `report_signers` refers to


class RuleError(ValueError):
    """A message or proposal breaks a rule. The text says which, with the value that broke it."""
