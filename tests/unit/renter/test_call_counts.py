"""What a renter's commands ask of a node, at a chain with a year of two-second blocks."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device
from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import LeaseStatus
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.rpc.log_cache import LogCache
from assay.protocol.encoding import device_id
from assay.protocol.epochs import Phase
from assay.protocol.leases import stored_offer_hash
from assay.protocol.leaves import DeviceLeaf
from assay.renter.errors import Unreachable
from assay.renter.lease.lease_files import LeaseFiles
from assay.renter.market.search import Order, Wanted
from assay.renter.renter import Renter
from assay.wire.leases import SignedOffer
from assay.wire.lines import Measured
from tests.unit.renter.leased import OFFER, PROVIDER, STRANGER
from tests.unit.renter.year_node import ADDRESSES, CHAIN_ID, DEPLOYMENT, YEAR, YearNode, lease_values, log_of

MAX_CALLS = 30
KEY = Key(b"\x07" * 32)
LEASES = {n: LeaseStatus.ACTIVE if n > 37 else LeaseStatus.ENDED for n in range(40)}
DEVICES = 64
KEYS = [f"0x{n:040x}" for n in range(1, DEVICES + 1)]
IDS = [device_id(PROVIDER, key) for key in KEYS]


def lease_of(arguments: bytes) -> Any:
    lease_id = int.from_bytes(arguments[:32], "big")
    return lease_values(
        renter=KEY.address,
        provider=PROVIDER,
        token=OFFER.token,
        status=int(LEASES[lease_id]),
        openedBlock=lease_id * 300_000 + 1,
        offerHash=stored_offer_hash(OFFER.struct_hash()),
    )


ANSWERS = {
    "lease": lease_of, "streamed": lambda _: 5, "refundable": lambda _: 7, "maxDowntime": lambda _: 100,
    "holdback": lambda _: 7_200,
    "deviceCount": lambda _: DEVICES, "maxAge": lambda _: 3, "currentEpoch": lambda _: 1_000,
    "tokenAllowed": lambda _: True,
    "activeLease": lambda _: 0, "nonceFloor": lambda _: 0, "isRefunder": lambda _: True,
    "device": lambda _: (PROVIDER, 1, 1, STRANGER, 1, bytes(32)),
    "timing": lambda _: (0, 3_600, 60, 600, 1_200, 3_000, 5, 7_200),
    "epochState": lambda _: (int(Phase.REPORTED), 1, 4, 0, 0, 0, 0, 0, 0, *([bytes(32)] * 6), 0, bytes(32)),
    "currentSeats": lambda _: [(KEYS[n], KEYS[n]) for n in range(4)],
}  # fmt: skip


def logs() -> list[dict[str, Any]]:
    found = [
        log_of(
            "LeaseEscrow", "LeaseOpened", n * 300_000 + who, n, leaseId=n, provider=PROVIDER, offerHash=bytes(32),
            renter=KEY.address if who else STRANGER, offer=astuple(OFFER), deposit=9,
        )
        for n in range(40) for who in (0, 1)
    ]  # fmt: skip
    for n, (which, key) in enumerate(zip(IDS, KEYS, strict=True)):
        at = {"deviceId": which, "provider": PROVIDER, "deviceKey": key, "profile": 1, "specHash": bytes(32)}
        found.append(log_of("DeviceRegistry", "DeviceEnrolled", 10 + n, 0, **at))
        said = {"deviceId": which, "endpoint": f"https://d{n}.example", "tlsFingerprint": bytes(32)}
        found.append(log_of("DeviceRegistry", "DeviceEndpoint", 10 + n, 1, **said))
    for n in range(4):
        said = {"account": KEYS[n], "endpoint": f"https://v{n}.example", "tlsFingerprint": bytes(32)}
        found.append(log_of("ValidatorSet", "SeatEndpoint", 100 + n, 0, **said))
    return found


class Http:
    """No validator and no provider is there; asking them costs the chain nothing."""

    def pin(self, *_: Any) -> None:
        """Nothing is connected to."""

    async def json_of(self, *_: Any, **__: Any) -> Any:
        raise Unreachable("nobody is here")


async def connected(node: YearNode, folder: Path) -> Renter:
    chain = await Chain.connect(
        ["http://year"], DEPLOYMENT, endpoints=[node], batch=True, log_cache=LogCache(folder, CHAIN_ID)
    )
    http: Any = Http()
    return Renter(
        chain, http, KEY, None, LeaseFiles(folder, CHAIN_ID, ADDRESSES["LeaseEscrow"]), clock=lambda: 2.0 * YEAR
    )


def running(lease: Any) -> bool:
    return bool(lease.status is LeaseStatus.ACTIVE)


async def test_leases__of_forty_the_two_that_run__few_calls_and_fewer_the_next_time(tmp_path: Path) -> None:
    for most in (MAX_CALLS, 15):
        node = YearNode(ANSWERS, logs())
        renter = await connected(node, tmp_path)
        assert [view.lease.lease_id for view in await renter.own_leases(running)] == [38, 39]
        await Erc20(renter.chain, OFFER.token).decimals()
        assert node.calls <= most, node.asked


async def test_leases__all_forty__few_calls(tmp_path: Path) -> None:
    node = YearNode(ANSWERS, logs())
    assert len(await (await connected(node, tmp_path)).own_leases()) == 40
    assert node.calls <= MAX_CALLS, node.asked


async def test_keep__one_look__few_calls(tmp_path: Path) -> None:
    node = YearNode(ANSWERS, logs())
    renter = await connected(node, tmp_path)
    view = await renter.view(39)
    await renter.silent(view.device_ids)
    await renter.downtime(39)
    assert node.calls <= MAX_CALLS, node.asked


async def test_refund__what_is_due_and_downtime__few_calls(tmp_path: Path) -> None:
    node = YearNode(ANSWERS, logs())
    renter = await connected(node, tmp_path)
    await renter.downtime(39)
    assert await renter.refundable(39) == 7
    assert await renter._due(39) == 7
    assert node.calls <= MAX_CALLS, node.asked


async def test_refunders__named_over_a_year__few_calls(tmp_path: Path) -> None:
    said = {"renter": KEY.address, "may": True}
    named = [log_of("LeaseEscrow", "RefunderNamed", n * 300_000, 7, agent=KEYS[n], **said) for n in range(40)]
    node = YearNode(ANSWERS, [*logs(), *named])
    assert len(await (await connected(node, tmp_path)).refunders()) == 40
    assert node.calls <= MAX_CALLS, node.asked


async def test_search__sixty_four_offers__few_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = YearNode(ANSWERS, logs())
    renter = await connected(node, tmp_path)
    discovery: Any = renter._discovery
    served = [SignedOffer(replace(OFFER, device_ids=(one,), valid_until=3 * YEAR), bytes(64)) for one in IDS]

    async def of_devices(devices: dict[bytes, Device]) -> Any:
        return served, {}

    async def first(path: str, accept: Any, at: Any, **_: Any) -> Any:
        await discovery._measurements._validators._seats.current(at)
        return [Measured(DeviceLeaf(999, one, 0, 1, 9, 8, 10_000, 1, bytes(32)), ()) for one in IDS]

    async def no_round_trips(_: Any) -> dict[str, float]:
        return {}

    monkeypatch.setattr(discovery, "_measure", no_round_trips)
    monkeypatch.setattr(discovery, "_offers", SimpleNamespace(of_devices=of_devices))
    monkeypatch.setattr(discovery._measurements._validators, "first", first)
    assert len(await renter.search(Wanted(), Order.price)) == 50
    assert node.calls <= MAX_CALLS, node.asked


async def test_receipt__of_a_month_with_daily_claims__few_calls_and_every_line(tmp_path: Path) -> None:
    opened = 39 * 300_000 + 1
    daily = [
        log_of(
            "LeaseEscrow", "LeaseClaimed", opened + 43_200 * day, day, leaseId=39, receiver=PROVIDER, amount=97, fee=3
        )
        for day in range(1, 31)
    ]  # fmt: skip
    own = [
        log_of(
            "LeaseEscrow", "LeaseStarted", opened + 9, 0, leaseId=39, resultRoots=bytes(32), start=777, stop=9, bond=1
        ),
        log_of("LeaseEscrow", "LeaseToppedUp", opened + 20, 0, leaseId=39, amount=50, stop=9),
        log_of("LeaseEscrow", "LeaseToppedUp", opened + 20, 1, leaseId=38, amount=51, stop=9),
        log_of(
            "LeaseEscrow", "DowntimeRefunded", opened + 30, 0, leaseId=39, epoch=4, deviceId=IDS[0], amount=6,
            downtime=2,
        ),
    ]  # fmt: skip
    node = YearNode(ANSWERS, [*logs(), *own, *daily])
    renter = await connected(node, tmp_path)
    bill = await renter.receipt(39)
    assert node.calls <= MAX_CALLS, node.asked
    assert (bill.streamed, bill.refundable, bill.fees) == (5, 7, 90)
    lines = [(line.what, line.amount) for line in bill.lines]
    assert lines[:4] == [("deposit paid in", 9), ("started", None), ("topped up", 50), ("downtime credited", 6)]
    assert lines[4:] == [("paid to the provider", 97)] * 30
    # The renter's own lines have their times, the provider's many as far as they are worth a question.
    assert [line.at for line in bill.lines[:4]] == [2 * opened, 777, 2 * (opened + 20), 2 * (opened + 30)]
    assert [line.at is None for line in bill.lines[4:]].count(False) == 13
    assert all(line.transaction == "0x" + "33" * 32 for line in bill.lines)
