"""Lines of a report, of devices and of rewards: each stands only where a Merkle proof
leads to the root on the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.protocol.encoding import EncodingError
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.protocol.leaves import DeviceLeaf, Flag, RewardLeaf
from assay.protocol.standard_merkle import verify
from assay.protocol.types import DeviceId, Root
from assay.wire.leaves import device_json, device_leaf, parse_leaf, reward_json, reward_leaf
from assay.wire.limits import MAX_PROOF_NODES

T = TypeVar("T", DeviceLeaf, RewardLeaf)


class ReportLineError(ValueError):
    """A line that is malformed, or that does not stand in the report."""


@dataclass(frozen=True)
class Measured:
    """A line of a report with the proof that it stands there, as `LeaseEscrow.open` takes both."""

    leaf: DeviceLeaf
    proof: tuple[bytes, ...]

    @property
    def passed(self) -> bool:
        """Whether the device can be leased against this line: its flags are exactly 1."""
        return self.leaf.flags == Flag.PASSED


@dataclass(frozen=True)
class Earned:
    """A line of a reward tree with the proof that it stands there, as `RewardsDistributor.claim` takes both."""

    leaf: RewardLeaf
    proof: tuple[bytes, ...]


def proven(leaf: DeviceLeaf, proof: Sequence[Any], devices_root: Root) -> Measured:
    """The leaf with its nodes (0x-hex, bottom-up), checked against the root. Raises ReportLineError."""
    return Measured(leaf, _proven(leaf, proof, devices_root, f"0x{leaf.device_id.hex()}"))


def leaf_of_values(values: Sequence[Any]) -> DeviceLeaf:
    """The leaf of a market's list, in the order of the contract's struct. Raises ValueError, TypeError."""
    epoch, device_id, seal_index, profile, score, memory, uptime, flags, root = values
    return DeviceLeaf(
        epoch=int(epoch),
        device_id=DeviceId(parse_bytes32(device_id, "deviceId")),
        seal_index=int(seal_index),
        profile=int(profile),
        score_gops=int(score),
        memory_mib=int(memory),
        uptime_bps=int(uptime),
        flags=int(flags),
        result_root=Root(parse_bytes32(root, "resultRoot")),
    )


def line_json(leaf: DeviceLeaf | RewardLeaf, proof: Iterable[bytes]) -> dict[str, Any]:
    """{leaf, proof} as a validator serves it."""
    shown = device_json(leaf) if isinstance(leaf, DeviceLeaf) else reward_json(leaf)
    return {"leaf": shown, "proof": [to_hex(node) for node in proof]}


def parse_report_line(entry: Any, devices_root: Root) -> Measured:
    """A validator's {leaf, proof}, checked against the root. Raises ReportLineError."""
    leaf, proof = _parsed(DeviceLeaf, device_leaf, entry)
    return proven(leaf, proof, devices_root)


def parse_reward_line(entry: Any, rewards_root: Root) -> Earned:
    """A validator's {leaf, proof} of an account, checked against the root. Raises ReportLineError."""
    leaf, proof = _parsed(RewardLeaf, reward_leaf, entry)
    return Earned(leaf, _proven(leaf, proof, rewards_root, leaf.account))


def _parsed(kind: type[T], parse: Callable[[Mapping[str, Any]], T], entry: Any) -> tuple[T, Sequence[Any]]:
    try:
        return parse_leaf(kind, parse, entry["leaf"]), entry["proof"]
    except (KeyError, TypeError, ValueError) as error:
        raise ReportLineError(f"a malformed line of a report: {error}") from None


def _proven(leaf: DeviceLeaf | RewardLeaf, proof: Sequence[Any], root: Root, whose: str) -> tuple[bytes, ...]:
    try:
        if len(proof) > MAX_PROOF_NODES:
            raise ReportLineError(f"a proof of {len(proof)} nodes, at most {MAX_PROOF_NODES} are read")
        nodes = tuple(parse_bytes32(node, "proof") for node in proof)
        stands = verify(root, leaf.TYPES, leaf.values(), nodes)
    except (TypeError, HexadecimalError, EncodingError) as error:
        raise ReportLineError(f"a malformed line of a report: {error}") from None
    if not stands:
        raise ReportLineError(f"a line of {whose} that is not in the report on the chain")
    return nodes
