"""Leaves of the four trees: what was sealed, what was observed, what was reported, what was earned; and a device's
flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import IntFlag
from itertools import pairwise
from typing import ClassVar

from assay.protocol.encoding import abi_encode
from assay.protocol.keccak import keccak
from assay.protocol.merkle import PositionalTree
from assay.protocol.standard_merkle import StandardMerkleTree
from assay.protocol.types import DeviceId, Root


class Flag(IntFlag):
    """Bits of `flags`, 16 wide. A device is leased out against a report only where the value is exactly 1."""

    NONE = 0
    PASSED = 1
    LEASED = 2  # neither passed nor scored
    LATE = 4
    BAD_OPENING = 8
    UNREACHABLE = 16
    NO_OPENING = 32
    UNSCORED = 64
    # In observations only, of the memory probe; a report has `memoryMiB` instead.
    MEMORY = 128  # its lanes are right
    PROMPT = 256  # and came in time, by this seat's own clock


@dataclass(frozen=True, slots=True)
class SealedLeaf:
    """What a device committed to, with its own compact signature (r, vs) over the Commitment."""

    TYPES: ClassVar[tuple[str, ...]] = ("bytes32",) * 7

    device_id: DeviceId
    job_hash: bytes
    nonce_root: bytes
    result_root: Root
    lane_root: Root
    r: bytes
    vs: bytes

    def hash(self) -> bytes:
        """H(abi.encode(deviceId, jobHash, nonceRoot, resultRoot, laneRoot, r, vs))."""
        return keccak(abi_encode(self.TYPES, astuple(self)))

    @property
    def signature(self) -> bytes:
        """The device's compact signature: 64 bytes."""
        return self.r + self.vs


@dataclass(frozen=True, slots=True)
class ObservationLeaf:
    """What one validator saw of one device; `uptime_bps` in hundredths of a percent."""

    TYPES: ClassVar[tuple[str, ...]] = ("bytes32", "bytes32", "uint64", "uint16", "uint16")

    device_id: DeviceId
    result_root: Root
    elapsed_us: int
    flags: int
    uptime_bps: int

    def hash(self) -> bytes:
        """H(abi.encode(deviceId, resultRoot, elapsedUs, flags, uptimeBps))."""
        return keccak(abi_encode(self.TYPES, astuple(self)))


@dataclass(frozen=True, slots=True)
class DeviceLeaf:
    """What a report says of one device."""

    TYPES: ClassVar[tuple[str, ...]] = (
        "uint64", "bytes32", "uint32", "uint32", "uint64", "uint32", "uint16", "uint16", "bytes32",
    )  # fmt: skip

    epoch: int
    device_id: DeviceId
    seal_index: int
    profile: int
    score_gops: int
    memory_mib: int
    uptime_bps: int
    flags: int
    result_root: Root

    def values(self) -> tuple[object, ...]:
        """In the order of the contract's struct."""
        return astuple(self)


@dataclass(frozen=True, slots=True)
class RewardLeaf:
    """What an account has earned up to an epoch, base units of the network token."""

    TYPES: ClassVar[tuple[str, ...]] = ("address", "uint256")

    account: str
    cumulative: int

    def values(self) -> tuple[object, ...]:
        """In the order of the contract's leaf."""
        return astuple(self)


def _ascending(ids: Sequence[bytes]) -> None:
    for left, right in pairwise(ids):
        if left >= right:
            raise ValueError(f"devices not strictly ascending: 0x{left.hex()} before 0x{right.hex()}")


def sealed_tree(leaves: Sequence[SealedLeaf]) -> PositionalTree:
    """The tree under a seal. Raises ValueError unless device ids strictly ascend."""
    _ascending([leaf.device_id for leaf in leaves])
    return PositionalTree([leaf.hash() for leaf in leaves])


def batch_tree(leaves: Sequence[ObservationLeaf]) -> PositionalTree:
    """The tree under one validator's Observations. Raises ValueError unless device ids strictly ascend."""
    _ascending([leaf.device_id for leaf in leaves])
    return PositionalTree([leaf.hash() for leaf in leaves])


def device_tree(leaves: Sequence[DeviceLeaf]) -> StandardMerkleTree:
    """The device tree of a report. Raises ValueError without leaves."""
    return StandardMerkleTree(DeviceLeaf.TYPES, [leaf.values() for leaf in leaves])


def reward_tree(leaves: Sequence[RewardLeaf]) -> StandardMerkleTree:
    """The reward tree of a report. Raises ValueError without leaves."""
    return StandardMerkleTree(RewardLeaf.TYPES, [leaf.values() for leaf in leaves])
