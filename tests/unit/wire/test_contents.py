"""What is read from outside is checked for form and length in one place, and refused as a ValueError."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, ObservationLeaf, RewardLeaf
from assay.wire.epoch_index import EpochIndex
from assay.wire.gossip import BatchMessage
from assay.wire.leaves import DevicesBody, RewardsBody, SealedBody, device_json, observation_json, reward_json
from assay.wire.limits import MAX_LEAVES, MAX_LISTED_LINES, MAX_STATEMENTS
from assay.wire.measurement import SignedChallenge, SignedCommitment, SignedLanes, signature_in

from .samples import DEVICES, bodies

SEED, RHO, DEVICE = (keccak(name) for name in (b"seed", b"rho", b"device"))
SEAT = "0x" + "11" * 20
STATEMENT = {
    "kind": "seal", "round": 1, "seat": SEAT, "epochSeed": to_hex(SEED), "sealRoot": to_hex(RHO), "count": 2,
    "signature": "0x" + "11" * 64,
}  # fmt: skip


def test_index__as_published__is_read():
    value = {
        "seal": to_hex(SEED), "openings": {to_hex(DEVICE): to_hex(RHO)}, "commitments": {to_hex(DEVICE): to_hex(SEED)},
        "otherCommitments": [{"deviceId": to_hex(DEVICE), "content": to_hex(RHO)}], "statements": [STATEMENT],
        "batches": [{"seat": SEAT, "digest": to_hex(SEED), "content": to_hex(RHO)}], "report": None, "more": 1,
    }  # fmt: skip
    index = EpochIndex.from_json(value)
    assert (index.seal, index.openings) == (SEED, {DEVICE: RHO})
    assert index.commitments_of_each() == {DEVICE: (SEED, RHO)}
    assert index.batches[0].content == RHO
    assert index.statements[0].message(5, 3).seal_root == RHO
    assert (index.devices, index.rewards) == (None, None)


@pytest.mark.parametrize(
    "value",
    [
        None, [], {"openings": []}, {"seal": "0x12"}, {"openings": {"x": "y"}}, {"seal": 5}, {"batches": [5]},
        {"statements": [{**STATEMENT, "count": -1}]}, {"statements": [{**STATEMENT, "kind": "other"}]},
        {"statements": [STATEMENT] * (MAX_STATEMENTS + 1)}, {"report": 7}, {"otherCommitments": {}},
        {"commitments": {to_hex(DEVICE): None}},
    ],
)  # fmt: skip
def test_index__malformed__is_refused(value):
    with pytest.raises(ValueError, match="malformed index"):
        EpochIndex.from_json(value)


@pytest.mark.parametrize("name", ["commitments", "openings"])
def test_index__of_more_devices_than_a_seal_holds__is_refused(name: str) -> None:
    value = {name: {f"0x{n:064x}": to_hex(SEED) for n in range(MAX_LEAVES + 1)}}
    with pytest.raises(ValueError, match="at most 100000"):
        EpochIndex.from_json(value)


def test_index__of_more_lines_than_are_listed__is_refused() -> None:
    assert len(EpochIndex.from_json({"devices": [{}] * MAX_LISTED_LINES}).lines) == MAX_LISTED_LINES
    with pytest.raises(ValueError, match="devices"):
        EpochIndex.from_json({"devices": [{}] * (MAX_LISTED_LINES + 1)})


def test_index__read_and_served_again__is_the_same() -> None:
    served = EpochIndex.from_json({"seal": to_hex(SEED), "statements": [STATEMENT], "report": {"count": 3}}).to_json()
    assert EpochIndex.from_json(json.loads(json.dumps(served))).to_json() == served
    assert EpochIndex.parse(json.dumps(served)).report == EpochIndex.from_json(served).report


MALFORMED = [
    b"", b"[]", b"{}", b"null", b'{"leaves": 5}', b'{"epoch": 1, "leaves": [{}]}', b'{"epoch": 1, "leaves": [5]}',
    b'{"epoch": 1, "leaves": ["x"]}', b"[" * 99_999, b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED)
@pytest.mark.parametrize(
    "kind", [SealedBody, DevicesBody, RewardsBody, BatchMessage, SignedChallenge, SignedCommitment, SignedLanes]
)
def test_content__malformed__is_refused(kind: Any, body: bytes) -> None:
    with pytest.raises(ValueError):
        kind.parse(body)
    with pytest.raises(ValueError):
        EpochIndex.parse(b"[" * 99_999)


def content(line: dict[str, Any]) -> bytes:
    return json.dumps({"epoch": 7, "leaves": [line]}).encode()


# field of a leaf -> bits that the contract gives it
WIDTHS = {"epoch": 64, "sealIndex": 32, "profile": 32, "scoreGops": 64, "memoryMiB": 32, "uptimeBps": 16, "flags": 16}


@pytest.mark.parametrize(("field", "bits"), WIDTHS.items())
def test_device_leaf__number_as_wide_as_in_the_contract__is_read_and_one_more_is_not(field: str, bits: int) -> None:
    line = device_json(DEVICES[0])
    (leaf,) = DevicesBody.parse(content({**line, field: 2**bits - 1})).leaves
    assert device_json(leaf) == {**line, field: 2**bits - 1}
    for wrong in (2**bits, -1, 1.0, True, "1", None):
        with pytest.raises(ValueError, match=field):
            DevicesBody.parse(content({**line, field: wrong}))


def test_leaf__with_a_field_too_many_or_one_too_few__is_refused() -> None:
    line = device_json(DEVICES[0])
    with pytest.raises(ValueError, match="extra"):
        DevicesBody.parse(content({**line, "more": 1}))
    with pytest.raises(ValueError, match="no resultRoot"):
        DevicesBody.parse(content({name: value for name, value in line.items() if name != "resultRoot"}))


def test_leaf__malformed__is_named_by_its_place() -> None:
    lines = [device_json(DEVICES[0]), {**device_json(DEVICES[1]), "deviceId": "0x12"}]
    with pytest.raises(ValueError, match="1: deviceId"):
        DevicesBody.parse(json.dumps({"epoch": 7, "leaves": lines}))


def test_leaves__one_more_than_a_seal_holds__are_refused() -> None:
    line = reward_json(RewardLeaf(SEAT, 1))
    with pytest.raises(ValueError, match="at most 100000"):
        RewardsBody.parse(json.dumps({"epoch": 7, "leaves": [line] * (MAX_LEAVES + 1)}))


@pytest.mark.parametrize("amount", ["", "-1", "1.5", "٣", 5, None, str(2**256), "1" * 79])
def test_reward__that_is_no_decimal_text_of_a_uint256__is_refused(amount: Any) -> None:
    assert RewardsBody.parse(content(reward_json(RewardLeaf(SEAT, 2**256 - 1)))).leaves[0].cumulative == 2**256 - 1
    with pytest.raises(ValueError):
        RewardsBody.parse(content({"account": SEAT, "cumulative": amount}))


def test_observation__of_any_uptime_in_16_bits__is_read_as_evidence() -> None:
    batch = json.loads(json.dumps(bodies()["batch"].to_json()))
    batch["leaves"] = [observation_json(ObservationLeaf(DEVICE, SEED, 2**64 - 1, 1, 65_535))]
    (leaf,) = BatchMessage.parse(json.dumps(batch)).leaves
    assert (leaf.elapsed_us, leaf.uptime_bps) == (2**64 - 1, 65_535)


def test_signature__in_an_answer__is_read_or_none() -> None:
    assert signature_in({"signature": "0x" + "11" * 64}) == b"\x11" * 64
    assert [signature_in(answer) for answer in ({}, [], None, {"signature": 5}, {"signature": "0x11"})] == [None] * 5


def test_leaf__as_an_object__is_taken_as_it_is() -> None:
    assert DevicesBody(epoch=7, leaves=DEVICES).leaves[0] is DEVICES[0]
    assert isinstance(DevicesBody.parse(content(device_json(DEVICES[0]))).leaves[0], DeviceLeaf)
