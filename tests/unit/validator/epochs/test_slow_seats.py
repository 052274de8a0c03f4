"""A seat that answers at a byte a second, in virtual time: no wait of a phase lasts longer than its turn."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from assay.network.client import HttpAnswer
from assay.protocol.epochs import Phase
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import Flag
from assay.protocol.messages import Gossip
from assay.validator.agreement.reporting import Reporting
from assay.validator.agreement.sealing import Sealing
from assay.validator.errors import PeerFailure
from assay.validator.pace import pace
from assay.validator.peers.gossip import Gossiper
from assay.wire import canonical, paths
from assay.wire.gossip import InventoryMessage
from tests.unit.validator.simulation.byzantine import signed
from tests.unit.validator.simulation.chain import DOMAIN
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import TIMING, SimNetwork, seat_key
from tests.unit.validator.simulation.outcomes import LEADER
from tests.unit.validator.simulation.virtual_time import VirtualClock, run

pytestmark = pytest.mark.slow

CONTENT = b"content"
CHECK_S = 3.0
LEISURELY = replace(TIMING, epoch_length=40, seal_by=20, draw_by=25, report_by=60)
UNSIGNED: Any = None  # nothing is posted


def names_what_it_trickles(i: int, device: SimDevice):
    """Lists, of a device that answered nobody, a content that only this seat claims to have."""

    def mutate(account: str, path: str, body: bytes) -> bytes:
        if path != "/v1/inventories":
            return body
        value = json.loads(body)
        entry = {"deviceId": to_hex(device.device.device_id), "digest": "0x" + "77" * 32, "lanes": "0x" + "00" * 32}
        entries = [e for e in value["content"]["entries"] if e["deviceId"] != entry["deviceId"]]
        value["content"]["entries"] = sorted([*entries, entry], key=lambda e: e["deviceId"])
        message = InventoryMessage.model_validate(value)
        content = canonical.content_hash(message.content.to_json())
        gossip = Gossip(message.epoch, message.set_id, "inventory", content)
        value["signature"] = signed(i, gossip.digest(DOMAIN))
        return json.dumps(value).encode()

    return mutate


@pytest.mark.parametrize(
    "slow", [pytest.param(seat, marks=() if seat in (0, LEADER) else pytest.mark.deep) for seat in range(4)]
)
def test_epoch__seat_names_a_content_and_serves_it_at_a_byte_a_second__closes_with_the_right_result(tmp_path, slow):
    devices = [SimDevice(1), SimDevice(2, "wrong"), SimDevice(3, "silent")]
    mutate = {slow: names_what_it_trickles(slow, devices[2])}
    network = SimNetwork(tmp_path, devices=devices, mutate=mutate, trickles={seat_key(slow).address})
    run(network.run(2))
    for epoch in (0, 1):
        assert network.phase(epoch) == Phase.REPORTED
    flags = {number: line["flags"] for number, line in network.lines(1).items()}
    assert flags == {1: Flag.PASSED, 2: Flag.BAD_OPENING, 3: 16}


@pytest.mark.parametrize(
    "kept", [1, *(pytest.param(seat, marks=pytest.mark.deep) for seat in (2, LEADER))], ids="seat {}".format
)
@pytest.mark.parametrize("timing", [TIMING, LEISURELY], ids=["short", "longer"])
def test_epoch__device_keeps_one_seat_waiting_and_another_knows_no_seals__is_sealed_by_all_that_are_left(
    tmp_path, kept, timing
):
    """The quorum needs the seat that begins last: the others must not be rounds ahead of it by then."""
    seal = paths.SEAL_PROPOSALS
    network = SimNetwork(
        tmp_path,
        timing=timing,
        ignores={0: lambda _who, path: path == seal},
        mutate={0: lambda _to, path, body: None if path == seal else body},
    )
    network.sim_devices.trickles_to.add((2, seat_key(kept).address))
    run(network.run(3))
    assert [network.phase(epoch) for epoch in range(3)] == [Phase.REPORTED] * 3
    flags = {number: line["flags"] for number, line in network.lines(2).items()}
    assert flags[1] == Flag.PASSED and flags[2] & Flag.PASSED


@pytest.mark.parametrize("kind", [Sealing, Reporting], ids=["seal", "report"])
def test_epoch__checks_take_longer_than_a_request__closes_and_none_is_made_twice_at_once(tmp_path, monkeypatch, kind):
    """A busy machine: who asks again must not begin the check anew, nor lose the signature that it ends in."""
    running: set[tuple[str, bytes]] = set()
    twice: list[tuple[str, bytes]] = []
    quick = kind.check

    async def slow(self, proposal, ends: float) -> None:
        key = self.context.account, canonical.content_hash(proposal.to_json())
        twice.extend({key} & running)
        running.add(key)
        try:
            await asyncio.sleep(CHECK_S)
            await quick(self, proposal, ends)
        finally:
            running.discard(key)

    monkeypatch.setattr(kind, "check", slow)
    network = SimNetwork(tmp_path, timing=LEISURELY)
    assert pace(LEISURELY).request_s < CHECK_S
    run(network.run(1))
    assert network.given_up and not twice
    assert network.phase(0) == Phase.REPORTED
    assert {line["flags"] for line in network.lines(0).values()} == {int(Flag.PASSED)}


class Holders:
    """Peers by name: a slow one takes an hour for all it gives, a bad one gives another content, one is down."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get(self, account: str, path: str, max_bytes: int, timeout_s: float) -> HttpAnswer:
        self.asked.append(account)
        if account == "down":
            raise PeerFailure("no answer")
        await asyncio.sleep(3_600 if account == "slow" else 0.1)
        return HttpAnswer(200, b"another" if account == "bad" else CONTENT)


def fetched(accounts: list[str], deadline_s: float) -> tuple[bytes | None, float, list[str]]:
    """(what was got, after how many seconds, who was asked)."""

    async def fetch() -> tuple[bytes | None, float, list[str]]:
        peers, clock = Holders(), VirtualClock()
        began = clock.now()
        gossip = Gossiper(peers, UNSIGNED, clock, request_s=16.0)
        found = await gossip.fetch(accounts, keccak(CONTENT), 100, began + deadline_s)
        return found, clock.now() - began, peers.asked

    return run(fetch())


def test_content__first_holder_is_slow__comes_from_the_next_a_moment_later():
    found, took_s, asked = fetched(["slow", "good", "down"], 60.0)
    assert (found, asked) == (CONTENT, ["slow", "good"])
    assert took_s < 2.0


def test_content__first_holder_is_quick__is_asked_of_nobody_else():
    assert fetched(["good", "bad"], 60.0)[2] == ["good"]


def test_content__holders_are_down_or_give_another__comes_from_the_next_at_once():
    found, took_s, asked = fetched(["down", "bad", "good"], 60.0)
    assert (found, asked) == (CONTENT, ["down", "bad", "good"])
    assert took_s == pytest.approx(0.2)


def test_content__every_holder_is_slow__is_given_up_at_the_deadline():
    found, took_s, _ = fetched(["slow", "slow"], 5.0)
    assert (found, took_s) == (None, pytest.approx(5.0))


def test_race__one_seat_is_slow__the_others_are_asked_again_until_one_has_it():
    tries: list[str] = []

    async def at_the_third(account: str) -> str | None:
        tries.append(account)
        await asyncio.sleep(3_600 if account == "slow" else 0)
        return account if tries.count(account) == 3 else None

    async def race() -> str | None:
        clock = VirtualClock()
        return await Gossiper(Holders(), UNSIGNED, clock, 16.0).race(
            ["slow", "late"], at_the_third, clock.now() + 60, again=True
        )

    assert run(race()) == "late"
    assert tries.count("slow") == 1
