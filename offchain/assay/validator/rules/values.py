"""The values that the rules work on."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.protocol.leaves import ObservationLeaf
from assay.protocol.types import DeviceId

NO_SEAL_INDEX = 2**32 - 1  # of a device that a report mentions but no seal holds
FULL_UPTIME_BPS = 10_000


@dataclass(frozen=True, slots=True)
class Seat:
    """A validator's place in a set. The position in the set is the position of its signature."""

    account: str
    signer: str


@dataclass(frozen=True, slots=True)
class EpochDevice:
    """A device that is active or leased, read at the block that opened the epoch."""

    device_id: DeviceId
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
class Batch:
    """One seat's observations of an epoch, ascending by device. `digest` is that
    of the signed Observations.
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
