"""What validators publish, as typed values: all that is read from outside is checked here for form and length."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.protocol.encoding import EncodingError, abi_encode, unsigned
from assay.protocol.hexadecimal import HexadecimalError, parse_address, parse_bytes32, parse_signature
from assay.protocol.leaves import DeviceLeaf, ObservationLeaf, RewardLeaf, SealedLeaf
from assay.protocol.messages import Commitment, EpochReport, Seal

MOST_LEAVES = 100_000
MOST_STATEMENTS = 16_384
SEALED_FIELDS = ("deviceId", "jobHash", "nonceRoot", "resultRoot", "laneRoot", "r", "vs")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """A batch that a validator serves: whose, and the H of its content."""

    seat: str
    content: bytes


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A Seal (`what` 0) or an EpochReport (2) as a seat signed it.

    `scope` is the epoch seed or rho; `content` the rest of the struct, ABI-encoded, as IFraudProofs.SignedContent
    takes it.
    """

    what: int
    round: int
    seat: str
    scope: bytes
    content: bytes
    signature: bytes

    def message(self, epoch: int, set_id: int) -> Seal | EpochReport:
        """The message that was signed."""
        word = [self.content[at : at + 32] for at in range(0, len(self.content), 32)]
        if self.what == SEAL:
            return Seal(epoch, set_id, self.round, self.scope, word[0], int.from_bytes(word[1], "big"))
        total = int.from_bytes(word[2], "big")
        return EpochReport(epoch, set_id, self.round, self.scope, word[0], word[1], total, word[3])


SEAL, OBSERVATIONS, REPORT = 0, 1, 2  # IFraudProofs.Statement


@dataclass(frozen=True, slots=True)
class Index:
    """One validator's index of an epoch: contents by hash, as far as they are well-formed."""

    url: str
    seal: bytes | None
    openings: Mapping[bytes, bytes]  # device -> H of its opening
    commitments: Mapping[bytes, tuple[bytes, ...]]  # device -> H of each commitment that was seen of it
    batches: tuple[ListedBatch, ...]
    statements: tuple[SignedStatement, ...]
    report: bytes | None
    rewards: bytes | None


@dataclass(frozen=True, slots=True)
class SignedCommitment:
    """What a device signed."""

    message: Commitment
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """What a seat saw, with its signature over the root."""

    epoch: int
    set_id: int
    seat: str
    rho: bytes
    leaves: tuple[ObservationLeaf, ...]
    signature: bytes


def parse_index(url: str, value: Any) -> Index:
    """An index. Raises ValueError for one that is none."""
    return _formed("index", lambda: _index(url, value))


def parse_sealed(body: bytes) -> tuple[SealedLeaf, ...]:
    """The leaves of a seal's content. Raises ValueError."""
    return _formed(
        "leaves",
        lambda: tuple(SealedLeaf(*(parse_bytes32(line[f], f) for f in SEALED_FIELDS)) for line in _lines(body)),
    )


def parse_commitment(body: bytes) -> SignedCommitment:
    """A device's commitment. Raises ValueError."""
    return _formed("commitment", lambda: _commitment(json.loads(body)))


def parse_batch(body: bytes) -> SignedBatch:
    """A seat's observations. Raises ValueError."""
    return _formed("batch", lambda: _batch(body))


def parse_devices(body: bytes) -> tuple[DeviceLeaf, ...]:
    """The device lines of a report. Raises ValueError."""
    return _formed("report", lambda: tuple(_device(line) for line in _lines(body)))


def parse_rewards(body: bytes) -> tuple[RewardLeaf, ...]:
    """The lines of a reward tree. Raises ValueError."""
    return _formed("rewards", lambda: tuple(_reward(line) for line in _lines(body)))


def _formed(what: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, AttributeError, RecursionError, HexadecimalError, EncodingError, ValueError) as error:
        raise ValueError(f"malformed {what}: {error!r:.200}") from None


def _lines(body: bytes) -> list[Any]:
    lines = json.loads(body)["leaves"]
    if not isinstance(lines, list) or len(lines) > MOST_LEAVES:
        raise ValueError(f"no list of at most {MOST_LEAVES} leaves")
    return lines


def _index(url: str, value: Any) -> Index:
    return Index(
        url.rstrip("/"),
        _digest(value.get("seal"), "seal"),
        _hashes(value.get("openings", {}), "openings"),
        _commitments(value),
        tuple(
            ListedBatch(parse_address(b["seat"]), parse_bytes32(b["content"], "content"))
            for b in _list(value.get("batches", []))
        ),
        tuple(_statement(s) for s in _list(value.get("statements", []))),
        _digest((value.get("report") or {}).get("content"), "report"),
        _digest(value.get("rewards"), "rewards"),
    )


def _digest(value: Any, what: str) -> bytes | None:
    return None if value is None else parse_bytes32(value, what)


def _hashes(value: Any, what: str) -> dict[bytes, bytes]:
    if not isinstance(value, dict) or len(value) > MOST_LEAVES:
        raise ValueError(f"{what}: no mapping of at most {MOST_LEAVES} devices")
    return {parse_bytes32(d, "device"): parse_bytes32(h, what) for d, h in value.items()}


def _commitments(value: Any) -> dict[bytes, tuple[bytes, ...]]:
    held = _hashes(value.get("commitments", {}), "commitments")
    found: dict[bytes, tuple[bytes, ...]] = {device: (digest,) for device, digest in held.items()}
    for other in _list(value.get("otherCommitments", [])):
        device = parse_bytes32(other["deviceId"])
        found[device] = (*found.get(device, ()), parse_bytes32(other["content"]))
    return found


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_STATEMENTS:
        raise ValueError(f"no list of at most {MOST_STATEMENTS}")
    return value


def _statement(value: Any) -> SignedStatement:
    head = unsigned(value["round"], 32, "round"), parse_address(value["seat"])
    signature = parse_signature(value["signature"])
    if value["kind"] == "seal":
        words = (parse_bytes32(value["sealRoot"]), unsigned(value["count"], 32))
        content = abi_encode(("bytes32", "uint32"), words)
        return SignedStatement(SEAL, *head, parse_bytes32(value["epochSeed"]), content, signature)
    if value["kind"] != "report":
        raise ValueError(f"statement of kind {value['kind']!r:.20}")
    roots = (parse_bytes32(value["devicesRoot"]), parse_bytes32(value["rewardsRoot"]))
    tail = (_decimal(value["rewardsTotal"]), parse_bytes32(value["dataHash"]))
    content = abi_encode(("bytes32", "bytes32", "uint256", "bytes32"), (*roots, *tail))
    return SignedStatement(REPORT, *head, parse_bytes32(value["rho"]), content, signature)


def _commitment(value: Any) -> SignedCommitment:
    message = Commitment.from_json(
        {name: value[name] for name in ("epoch", "jobHash", "deviceId", "nonceRoot", "resultRoot")}
    )
    return SignedCommitment(message, parse_signature(value["signature"]))


def _batch(body: bytes) -> SignedBatch:
    value = json.loads(body)
    leaves = tuple(
        ObservationLeaf(
            parse_bytes32(line["deviceId"]),
            parse_bytes32(line["resultRoot"]),
            unsigned(line["elapsedUs"], 64),
            unsigned(line["flags"], 16),
            unsigned(line["uptimeBps"], 16),
        )
        for line in _lines(body)
    )
    return SignedBatch(
        unsigned(value["epoch"], 64),
        unsigned(value["setId"], 32),
        parse_address(value["seat"]),
        parse_bytes32(value["rho"]),
        leaves,
        parse_signature(value["signature"]),
    )


def _device(line: Any) -> DeviceLeaf:
    return DeviceLeaf(
        unsigned(line["epoch"], 64),
        parse_bytes32(line["deviceId"]),
        unsigned(line["sealIndex"], 32),
        unsigned(line["profile"], 32),
        unsigned(line["scoreGops"], 64),
        unsigned(line["memoryMiB"], 32),
        unsigned(line["uptimeBps"], 16),
        unsigned(line["flags"], 16),
        parse_bytes32(line["resultRoot"]),
    )


def _reward(line: Any) -> RewardLeaf:
    return RewardLeaf(parse_address(line["account"]), _decimal(line["cumulative"]))


def _decimal(value: Any) -> int:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 78:
        raise ValueError(f"{value!r:.100} is not a decimal number")
    return unsigned(int(value), 256)
