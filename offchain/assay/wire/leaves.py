"""The leaves of the four trees as JSON, and the contents that list them, served by the H of their bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from assay.protocol.encoding import unsigned
from assay.protocol.hexadecimal import parse_address, parse_bytes32, to_hex
from assay.protocol.leaves import DeviceLeaf, ObservationLeaf, RewardLeaf, SealedLeaf
from assay.protocol.types import DeviceId, Root
from assay.wire.fields import U64, Wire, hex_schema, parse_decimal
from assay.wire.limits import MAX_LEAVES

T = TypeVar("T", SealedLeaf, ObservationLeaf, DeviceLeaf, RewardLeaf)


def sealed_leaf(line: Mapping[str, Any]) -> SealedLeaf:
    """A leaf of a seal. Raises ValueError, KeyError, TypeError."""
    return SealedLeaf(
        DeviceId(parse_bytes32(line["deviceId"], "deviceId")),
        parse_bytes32(line["jobHash"], "jobHash"),
        parse_bytes32(line["nonceRoot"], "nonceRoot"),
        Root(parse_bytes32(line["resultRoot"], "resultRoot")),
        Root(parse_bytes32(line["laneRoot"], "laneRoot")),
        parse_bytes32(line["r"], "r"),
        parse_bytes32(line["vs"], "vs"),
    )


def sealed_json(leaf: SealedLeaf) -> dict[str, Any]:
    """A leaf of a seal as it travels."""
    return {
        "deviceId": to_hex(leaf.device_id),
        "jobHash": to_hex(leaf.job_hash),
        "nonceRoot": to_hex(leaf.nonce_root),
        "resultRoot": to_hex(leaf.result_root),
        "laneRoot": to_hex(leaf.lane_root),
        "r": to_hex(leaf.r),
        "vs": to_hex(leaf.vs),
    }


def observation_leaf(line: Mapping[str, Any]) -> ObservationLeaf:
    """A leaf of a batch, with any uptime that 16 bits hold: what a seat signed is evidence whatever it says, and
    whether it counts is for whoever admits it. Raises ValueError, KeyError, TypeError."""
    return ObservationLeaf(
        DeviceId(parse_bytes32(line["deviceId"], "deviceId")),
        Root(parse_bytes32(line["resultRoot"], "resultRoot")),
        unsigned(line["elapsedUs"], 64, "elapsedUs"),
        unsigned(line["flags"], 16, "flags"),
        unsigned(line["uptimeBps"], 16, "uptimeBps"),
    )


def observation_json(leaf: ObservationLeaf) -> dict[str, Any]:
    """A leaf of a batch as it travels."""
    return {
        "deviceId": to_hex(leaf.device_id),
        "resultRoot": to_hex(leaf.result_root),
        "elapsedUs": leaf.elapsed_us,
        "flags": leaf.flags,
        "uptimeBps": leaf.uptime_bps,
    }


def device_leaf(line: Mapping[str, Any]) -> DeviceLeaf:
    """A leaf of a report, its numbers as wide as in the contract. Raises ValueError, KeyError, TypeError."""
    return DeviceLeaf(
        unsigned(line["epoch"], 64, "epoch"),
        DeviceId(parse_bytes32(line["deviceId"], "deviceId")),
        unsigned(line["sealIndex"], 32, "sealIndex"),
        unsigned(line["profile"], 32, "profile"),
        unsigned(line["scoreGops"], 64, "scoreGops"),
        unsigned(line["memoryMiB"], 32, "memoryMiB"),
        unsigned(line["uptimeBps"], 16, "uptimeBps"),
        unsigned(line["flags"], 16, "flags"),
        Root(parse_bytes32(line["resultRoot"], "resultRoot")),
    )


def device_json(leaf: DeviceLeaf) -> dict[str, Any]:
    """A leaf of a report as it travels."""
    return {
        "epoch": leaf.epoch,
        "deviceId": to_hex(leaf.device_id),
        "sealIndex": leaf.seal_index,
        "profile": leaf.profile,
        "scoreGops": leaf.score_gops,
        "memoryMiB": leaf.memory_mib,
        "uptimeBps": leaf.uptime_bps,
        "flags": leaf.flags,
        "resultRoot": to_hex(leaf.result_root),
    }


def reward_leaf(line: Mapping[str, Any]) -> RewardLeaf:
    """A leaf of a reward tree, base units as decimal text. Raises ValueError, KeyError, TypeError."""
    return RewardLeaf(parse_address(line["account"], "account"), parse_decimal(line["cumulative"]))


def reward_json(leaf: RewardLeaf) -> dict[str, Any]:
    """A leaf of a reward tree as it travels."""
    return {"account": leaf.account, "cumulative": str(leaf.cumulative)}


def parse_leaf(kind: type[T], parse: Callable[[Mapping[str, Any]], T], value: Any) -> T:
    """One leaf of a list: exactly its fields, or it already. Raises ValueError."""
    if isinstance(value, kind):
        return value
    try:
        leaf = parse(value)
        if len(value) != len(kind.TYPES):
            raise ValueError(f"extra fields beside {', '.join(_FIELDS[kind])}")
    except KeyError as error:
        raise ValueError(f"no {error.args[0]}") from None
    except TypeError:
        raise ValueError("not an object") from None
    return leaf


def _parse_all(kind: type[T], parse: Callable[[Mapping[str, Any]], T]) -> PlainValidator:
    def of(value: Any) -> tuple[T, ...]:
        if not isinstance(value, (list, tuple)) or len(value) > MAX_LEAVES:
            raise ValueError(f"not a list of at most {MAX_LEAVES} leaves")
        found: list[T] = []
        try:
            for line in value:
                found.append(parse_leaf(kind, parse, line))
        except ValueError as error:
            raise ValueError(f"{len(found)}: {error}") from None
        return tuple(found)

    return PlainValidator(of)


def _dump_all(dump: Callable[[T], dict[str, Any]]) -> PlainSerializer:
    def of(leaves: Sequence[T]) -> list[dict[str, Any]]:
        return [dump(leaf) for leaf in leaves]

    return PlainSerializer(of)


def _number(bits: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": 2**bits - 1}


_HASH = hex_schema(32)
_FIELDS: dict[type, dict[str, Any]] = {
    SealedLeaf: dict.fromkeys(("deviceId", "jobHash", "nonceRoot", "resultRoot", "laneRoot", "r", "vs"), _HASH),
    ObservationLeaf: {
        "deviceId": _HASH, "resultRoot": _HASH, "elapsedUs": _number(64), "flags": _number(16),
        "uptimeBps": _number(16),
    },
    DeviceLeaf: {
        "epoch": _number(64), "deviceId": _HASH, "sealIndex": _number(32), "profile": _number(32),
        "scoreGops": _number(64), "memoryMiB": _number(32), "uptimeBps": _number(16), "flags": _number(16),
        "resultRoot": _HASH,
    },
    RewardLeaf: {"account": hex_schema(20), "cumulative": {"type": "string", "pattern": "^[0-9]{1,77}$"}},
}  # fmt: skip


def _schema(kind: type) -> WithJsonSchema:
    fields = _FIELDS[kind]
    line = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return WithJsonSchema({"type": "array", "maxItems": MAX_LEAVES, "items": line})


SealedLeaves = Annotated[
    tuple[SealedLeaf, ...], _parse_all(SealedLeaf, sealed_leaf), _dump_all(sealed_json), _schema(SealedLeaf)
]
ObservationLeaves = Annotated[
    tuple[ObservationLeaf, ...],
    _parse_all(ObservationLeaf, observation_leaf),
    _dump_all(observation_json),
    _schema(ObservationLeaf),
]
DeviceLeaves = Annotated[
    tuple[DeviceLeaf, ...], _parse_all(DeviceLeaf, device_leaf), _dump_all(device_json), _schema(DeviceLeaf)
]
RewardLeaves = Annotated[
    tuple[RewardLeaf, ...], _parse_all(RewardLeaf, reward_leaf), _dump_all(reward_json), _schema(RewardLeaf)
]


class SealedBody(Wire):
    """The leaves of a seal."""

    epoch: U64
    leaves: SealedLeaves


class DevicesBody(Wire):
    """The device leaves of a report."""

    epoch: U64
    leaves: DeviceLeaves


class RewardsBody(Wire):
    """The leaves of a reward tree; accounts ascending."""

    epoch: U64
    leaves: RewardLeaves
