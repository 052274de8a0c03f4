"""What a validator holds of an epoch, by hash: its index, served to anybody."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from assay.protocol.hexadecimal import parse_address, parse_bytes32, to_hex
from assay.protocol.types import DeviceId, Root, Seed
from assay.wire.limits import MAX_LEAVES, MAX_LISTED_LINES, MAX_STATEMENTS
from assay.wire.statements import STATEMENT, SignedStatement

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A seat's inventory: whose, and the H of its content."""

    seat: str
    content: bytes

    def to_json(self) -> dict[str, Any]:
        return {"seat": self.seat, "content": to_hex(self.content)}


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """A seat's batch: whose, the H of its content, and the digest that the seat signed."""

    seat: str
    content: bytes
    digest: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        return {"seat": self.seat, "digest": _hex(self.digest), "content": to_hex(self.content)}


@dataclass(frozen=True, slots=True)
class ListedReport:
    """The report that the chain holds: the H of its device leaves as content, its roots, and how many leaves it has."""

    content: bytes | None
    devices_root: Root | None = None
    rewards_root: Root | None = None
    count: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "content": _hex(self.content),
            "devicesRoot": _hex(self.devices_root),
            "rewardsRoot": _hex(self.rewards_root),
            "count": self.count,
        }


@dataclass(frozen=True, slots=True)
class ListedVerdict:
    """How a device's opening fared at this validator."""

    outcome: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class EpochIndex:
    """Contents are named by their H. `lines` are {leaf, proof} of the report's first devices, believed by nobody before
    they are checked against the chain's root.
    """

    epoch: int | None = None
    outcome: str = ""
    reason: str = ""
    epoch_seed: Seed | None = None
    seal: bytes | None = None
    commitments: Mapping[DeviceId, bytes] = field(default_factory=dict)  # by device
    other_commitments: Sequence[tuple[DeviceId, bytes]] = ()  # of devices that made more than one
    inventories: Sequence[ListedMessage] = ()
    batches: Sequence[ListedBatch] = ()
    statements: Sequence[SignedStatement] = ()
    openings: Mapping[DeviceId, bytes] = field(default_factory=dict)  # by device
    verdicts: Mapping[DeviceId, ListedVerdict] = field(default_factory=dict)
    report: ListedReport | None = None
    rewards: bytes | None = None  # the reward tree
    lines: Sequence[Any] = ()

    @property
    def devices(self) -> bytes | None:
        """The H of the report's device leaves."""
        return None if self.report is None else self.report.content

    def commitments_of_each(self) -> dict[DeviceId, tuple[bytes, ...]]:
        """All commitments that were seen of each device."""
        found: dict[DeviceId, tuple[bytes, ...]] = {device: (content,) for device, content in self.commitments.items()}
        for device, content in self.other_commitments:
            found[device] = (*found.get(device, ()), content)
        return found

    @classmethod
    def parse(cls, body: bytes | str) -> EpochIndex:
        """The index in JSON text. Raises ValueError."""
        try:
            return cls.from_json(json.loads(body))
        except RecursionError:
            raise ValueError("malformed index: nested too deeply") from None

    @classmethod
    def from_json(cls, value: Any) -> EpochIndex:
        """What a validator serves; what is missing counts as empty, what is unknown is ignored. Raises ValueError."""
        try:
            return _read(value)
        except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
            raise ValueError(f"malformed index: {error!r:.200}") from None

    def to_json(self) -> dict[str, Any]:
        """As it is served."""
        return {
            "epoch": self.epoch,
            "outcome": self.outcome,
            "reason": self.reason,
            "epochSeed": _hex(self.epoch_seed),
            "seal": _hex(self.seal),
            "commitments": _hashes_json(self.commitments),
            "otherCommitments": [
                {"deviceId": to_hex(device), "content": to_hex(content)} for device, content in self.other_commitments
            ],
            "inventories": [listed.to_json() for listed in self.inventories],
            "batches": [listed.to_json() for listed in self.batches],
            "statements": [statement.to_json() for statement in self.statements],
            "openings": _hashes_json(self.openings),
            "verdicts": {to_hex(device): verdict.to_json() for device, verdict in self.verdicts.items()},
            "report": None if self.report is None else self.report.to_json(),
            "rewards": _hex(self.rewards),
            "devices": list(self.lines),
        }


def _read(value: Any) -> EpochIndex:
    report = value.get("report")
    return EpochIndex(
        epoch=value.get("epoch"),
        outcome=str(value.get("outcome", "")),
        reason=str(value.get("reason", "")),
        epoch_seed=_digest(Seed, value.get("epochSeed"), "epochSeed"),
        seal=_digest(bytes, value.get("seal"), "seal"),
        commitments=_hashes(value.get("commitments", {}), "commitments"),
        other_commitments=_list(value, "otherCommitments", lambda o: (DeviceId(_id(o["deviceId"])), _id(o["content"]))),
        inventories=_list(value, "inventories", lambda m: ListedMessage(parse_address(m["seat"]), _id(m["content"]))),
        batches=_list(value, "batches", _batch),
        statements=_list(value, "statements", STATEMENT.validate_python),
        openings=_hashes(value.get("openings", {}), "openings"),
        verdicts={
            DeviceId(_id(d)): ListedVerdict(str(v["outcome"]), str(v["reason"]))
            for d, v in value.get("verdicts", {}).items()
        },
        report=None if report is None else _report(report),
        rewards=_digest(bytes, value.get("rewards"), "rewards"),
        lines=_list(value, "devices", lambda line: line, MAX_LISTED_LINES),
    )


def _report(value: Any) -> ListedReport:
    return ListedReport(
        _digest(bytes, value.get("content"), "report"),
        _digest(Root, value.get("devicesRoot"), "devicesRoot"),
        _digest(Root, value.get("rewardsRoot"), "rewardsRoot"),
        int(value.get("count", 0)),
    )


def _batch(value: Any) -> ListedBatch:
    return ListedBatch(
        parse_address(value["seat"]), _id(value["content"]), _digest(bytes, value.get("digest"), "digest")
    )


def _id(value: Any) -> bytes:
    return parse_bytes32(value)


def _digest(kind: Callable[[bytes], T], value: Any, what: str) -> T | None:
    return None if value is None else kind(parse_bytes32(value, what))


def _hashes(value: Any, what: str) -> dict[DeviceId, bytes]:
    if not isinstance(value, dict) or len(value) > MAX_LEAVES:
        raise ValueError(f"{what}: not a mapping of at most {MAX_LEAVES} devices")
    return {DeviceId(parse_bytes32(d, "device")): parse_bytes32(h, what) for d, h in value.items()}


def _list(value: Any, name: str, read: Callable[[Any], T], most: int = MAX_STATEMENTS) -> tuple[T, ...]:
    entries = value.get(name, [])
    if not isinstance(entries, list) or len(entries) > most:
        raise ValueError(f"{name}: not a list of at most {most}")
    return tuple(read(entry) for entry in entries)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else to_hex(value)


def _hashes_json(hashes: Mapping[DeviceId, bytes]) -> dict[str, str]:
    return {to_hex(device): to_hex(content) for device, content in hashes.items()}
