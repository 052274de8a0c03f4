"""A market is believed only where chain, proof and signature bear it out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from assay.chain.devices import Device, DeviceStatus
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, device_tree
from assay.protocol.messages import Offer
from assay.protocol.signing import Domain, address_of
from assay.protocol.specification import canonical_specification, specification_hash
from assay.renter.errors import Unreachable
from assay.renter.market_check import ChainFacts, MarketContradicted, checked
from assay.renter.market_client import MarketClient, MarketEvidence, MarketRow, parse_row
from assay.renter.offers import ANYONE

DOMAIN = Domain(31337, "0x" + "22" * 20)
KEY = keccak(b"provider")
PROVIDER, DEVICE_KEY, TOKEN = address_of(KEY), address_of(keccak(b"device")), "0x" + "33" * 20
DEVICE_ID = device_id_of(PROVIDER, DEVICE_KEY)
DOCUMENT = {"kind": "gpu", "model": "NVIDIA H100", "memoryMiB": 81_920, "region": "eu-de"}
LEAF = DeviceLeaf(7, DEVICE_ID, 2, 1, 900, 80_000, 9_900, 1, keccak(b"root"))
OTHER = DeviceLeaf(7, bytes(32), 3, 1, 5, 10, 100, 1, keccak(b"other"))
TREE = device_tree([LEAF, OTHER])
OFFER = Offer(PROVIDER, DEVICE_ID, TOKEN, 10**18, 60, 3600, 2000, 4, ANYONE)
ROW = MarketRow(DEVICE_ID, PROVIDER, 1, "NVIDIA H100", "eu-de", 80_000, 900, 9_900, 7, TOKEN, 10**18, 60, 3600, 2000)
FACTS = ChainFacts(Device(DEVICE_ID, PROVIDER, DEVICE_KEY, 1, specification_hash(DOCUMENT)), TREE.root, 4, 0)


def served(offer: Offer = OFFER) -> dict[str, Any]:
    """An offer as a market serves it: with fields of its own beside."""
    return {**offer.to_json(), "signature": "0x" + offer.sign(DOMAIN, KEY).hex(), "digest": "0x12"}


def leaf_json(leaf: DeviceLeaf) -> tuple[Any, ...]:
    return tuple("0x" + value.hex() if isinstance(value, bytes) else value for value in leaf.values())


SHOWN = MarketEvidence(
    served(), canonical_specification(DOCUMENT).decode(), "http://p", leaf_json(LEAF),
    tuple("0x" + node.hex() for node in TREE.proof(0)),
)  # fmt: skip


def test_checked__true_in_every_part__gives_what_a_lease_opens_on() -> None:
    evidence = checked(ROW, SHOWN, FACTS, DOMAIN)
    assert (evidence.measured.leaf, evidence.signed.offer) == (LEAF, OFFER)
    assert evidence.measured.proof == tuple(TREE.proof(0))


@pytest.mark.parametrize(
    "change",
    [
        {"score_gops": 901}, {"memory_mib": 90_000}, {"profile": 2}, {"epoch": 8}, {"rate": 10**18 - 1},
        {"provider": "0x" + "44" * 20}, {"token": "0x" + "44" * 20}, {"min_duration": 1}, {"max_duration": 9999},
        {"valid_until": 3000}, {"model": "NVIDIA H200"}, {"region": "eu-fr"}, {"device_id": bytes(32)},
    ],
)  # fmt: skip
def test_checked__a_row_that_says_more_than_is_shown__is_contradicted(change: dict[str, Any]) -> None:
    with pytest.raises(MarketContradicted):
        checked(replace(ROW, **change), SHOWN, FACTS, DOMAIN)


@pytest.mark.parametrize(
    "change",
    [
        {"leaf": leaf_json(replace(LEAF, score_gops=901))}, {"leaf": leaf_json(OTHER)}, {"leaf": ()},
        {"leaf": (1,) * 9},
        {"proof": ()}, {"proof": ("0x12",)}, {"proof": (None,)}, {"proof": ("0x" + "00" * 32,) * 65},
        {"offer": {}}, {"offer": {**served(), "rate": "1"}}, {"offer": {**served(), "signature": "0x" + "00" * 64}},
        {"offer": served(replace(OFFER, rate=2 * 10**18))}, {"specification": None}, {"specification": "{"},
        {"specification": "[" * 9999}, {"specification": json.dumps({**DOCUMENT, "driver": "x"})},
    ],
)  # fmt: skip
def test_checked__evidence_that_does_not_prove_the_row__is_contradicted(change: dict[str, Any]) -> None:
    with pytest.raises(MarketContradicted):
        checked(ROW, replace(SHOWN, **change), FACTS, DOMAIN)


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, active_lease=5), replace(FACTS, nonce_floor=5), replace(FACTS, devices_root=bytes(32)),
        replace(FACTS, device=replace(FACTS.device, status=DeviceStatus.SLASHED)),
        replace(FACTS, device=replace(FACTS.device, status=DeviceStatus.NONE)),
        replace(FACTS, device=replace(FACTS.device, spec_hash=bytes(32))),
    ],
)  # fmt: skip
def test_checked__a_chain_that_says_otherwise__is_believed(facts: ChainFacts) -> None:
    with pytest.raises(MarketContradicted):
        checked(ROW, SHOWN, facts, DOMAIN)


@pytest.mark.parametrize(("said", "holds"), [(81_920, True), (0, True), (99_999, False)])
def test_checked__no_memory_measured__lets_a_market_show_the_declared_one_only(said: int, holds: bool) -> None:
    unmeasured = replace(LEAF, memory_mib=0)
    tree = device_tree([unmeasured, OTHER])
    shown = replace(SHOWN, leaf=leaf_json(unmeasured), proof=tuple("0x" + node.hex() for node in tree.proof(0)))
    facts = replace(FACTS, devices_root=tree.root)
    if holds:
        assert checked(replace(ROW, memory_mib=said), shown, facts, DOMAIN).measured.leaf.memory_mib == 0
    else:
        with pytest.raises(MarketContradicted, match="MiB declared"):
            checked(replace(ROW, memory_mib=said), shown, facts, DOMAIN)


def test_checked__a_device_that_failed__is_not_leased_on_its_failure() -> None:
    failed = replace(LEAF, flags=5)
    tree = device_tree([failed, OTHER])
    shown = replace(SHOWN, leaf=leaf_json(failed), proof=tuple("0x" + node.hex() for node in tree.proof(0)))
    with pytest.raises(MarketContradicted, match="did not pass"):
        checked(ROW, shown, replace(FACTS, devices_root=tree.root), DOMAIN)


def row_json(**changes: Any) -> dict[str, Any]:
    return {
        "deviceId": "0x" + DEVICE_ID.hex(), "provider": PROVIDER, "profile": 1, "model": "m", "region": "r",
        "memoryMib": 5, "scoreGops": 6, "uptimeBps": 7, "passedEpoch": 8, "token": TOKEN, "rate": "9", "minDuration": 1,
        "maxDuration": 2, "validUntil": 3, **changes,
    }  # fmt: skip


@pytest.mark.parametrize("row", [None, {}, [], row_json(rate="x"), row_json(deviceId="0x1"), row_json(token=None)])
def test_parse_row__malformed__is_refused(row: Any) -> None:
    with pytest.raises(Unreachable):
        parse_row(row, "http://market")


class Pages:
    """An HTTP client that answers from a table of paths."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, []  # type: ignore[var-annotated]

    async def json_of(self, method: str, url: str, **options: Any) -> Any:
        self.asked.append(url)
        return self.answers[url.removeprefix("http://market")]


async def test_available__several_pages__are_followed_by_their_cursor() -> None:
    first, second = {"data": [row_json()] * 2, "next": "c/1"}, {"data": [row_json(rate="10")], "next": None}
    pages = Pages({"/v1/devices?sort=price&limit=100": first, "/v1/devices?sort=price&limit=100&cursor=c%2F1": second})
    client = MarketClient(pages, "http://market")  # type: ignore[arg-type]
    assert [row.rate async for row in client.available({"sort": "price"})] == [9, 9, 10]


@pytest.mark.parametrize("answer", [{}, {"data": {}}, {"data": [row_json()] * 101}])
async def test_available__not_a_page_of_devices__is_refused(answer: dict[str, Any]) -> None:
    client = MarketClient(Pages({"/v1/devices?limit=100": answer}), "http://market")  # type: ignore[arg-type]
    with pytest.raises(Unreachable):
        [row async for row in client.available({})]
