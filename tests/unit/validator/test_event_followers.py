"""When devices were leased, who was slashed, which reports count: by events, and over reorganisations."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.events import DecodedLog
from assay.protocol.keccak import keccak
from assay.validator.chain import lease_periods, oracle_events
from assay.validator.chain.lease_periods import LeasePeriods
from assay.validator.chain.oracle_events import EventLog, OracleEvents
from assay.validator.rules.values import LeasePeriod

A, B = b"\x0a" * 32, b"\x0b" * 32
SECONDS = 10  # a block


def block(number: int, fork: int = 0) -> Block:
    return Block(number, keccak(bytes([fork, number])), bytes(32), number * SECONDS, 0)


class Logs:
    """A chain of events; `fork` names which of two chains is the right one now."""

    def __init__(self, *events: tuple[int, str, dict]) -> None:
        self.events = [DecodedLog("", name, args, number, bytes(32), bytes(32), 0) for number, name, args in events]
        self.fork = 0
        self.asked: list[tuple[int, int]] = []
        contracts = dict.fromkeys(("RewardsDistributor",))
        self.chain = SimpleNamespace(
            deployment=SimpleNamespace(block=0, contracts=contracts), is_canonical=self.is_canonical, block=self.block
        )

    async def is_canonical(self, known: Block) -> bool:
        return known == block(known.number, self.fork)

    async def block(self, number: int) -> Block:
        return block(number, self.fork)

    async def pieces(self, chain, contract, names, first, last):
        if first <= last.number:
            yield last.number, await self.read(chain, contract, names, first, last)

    async def read(self, chain, contract, names, first, last):
        self.asked.append((first, last.number))
        return [e for e in self.events if first <= e.block_number <= last.number and e.name in names]


@pytest.fixture
def follow(monkeypatch):
    def with_events(*events) -> Logs:
        logs = Logs(*events)
        monkeypatch.setattr(oracle_events, "event_pieces", logs.pieces)
        monkeypatch.setattr(lease_periods, "event_pieces", logs.pieces)
        monkeypatch.setattr(lease_periods, "read_events", logs.read)
        return logs

    return with_events


def opened(number: int, lease_id: int, *devices: bytes) -> tuple[int, str, dict]:
    return number, "LeaseOpened", {"leaseId": lease_id, "offer": {"deviceIds": list(devices)}}


def stops(number: int, name: str, lease_id: int, stop: int, **more: int) -> tuple[int, str, dict]:
    return number, name, {"leaseId": lease_id, "stop": stop, **more}


def started(number: int, lease_id: int, stop: int) -> tuple[int, str, dict]:
    return stops(number, "LeaseStarted", lease_id, stop, start=number * SECONDS)


async def test_lease__of_two_devices__is_a_period_of_both(follow):
    logs = follow(opened(1, 7, A, B), started(2, 7, 90))
    found = await LeasePeriods(logs.chain).since(0, block(5), block(6))
    assert found == {A: (LeasePeriod(7, 20, 90),), B: (LeasePeriod(7, 20, 90),)}


@pytest.mark.parametrize("name", ["LeaseToppedUp", "LeaseEnded", "LeaseReleased"])
async def test_lease__stop_moved__is_a_period_to_there(follow, name):
    logs = follow(opened(1, 7, A), started(2, 7, 90), stops(4, name, 7, 44))
    assert await LeasePeriods(logs.chain).since(0, block(5), block(6)) == {A: (LeasePeriod(7, 20, 44),)}


async def test_lease__pending_or_cancelled__is_no_period(follow):
    logs = follow(opened(1, 7, A), opened(1, 8, B), (2, "LeaseCancelled", {"leaseId": 8}))
    assert await LeasePeriods(logs.chain).since(0, block(5), block(6)) == {}


async def test_lease__stopped_before__is_left_out_and_the_next_of_its_device_is_not(follow):
    logs = follow(opened(1, 7, A), started(2, 7, 30), opened(3, 8, A), started(4, 8, 90))
    periods = LeasePeriods(logs.chain)
    assert await periods.since(40, block(5), block(6)) == {A: (LeasePeriod(8, 40, 90),)}
    assert await periods.since(30, block(5), block(6)) == {A: (LeasePeriod(7, 20, 30), LeasePeriod(8, 40, 90))}


async def test_lease__above_the_final_block__is_shown_and_forgotten_with_its_block(follow):
    logs = follow(opened(1, 7, A), started(4, 7, 90))
    periods = LeasePeriods(logs.chain)
    assert await periods.since(0, block(3), block(5)) == {A: (LeasePeriod(7, 40, 90),)}
    del logs.events[1]
    assert await periods.since(0, block(4), block(6)) == {}


async def test_lease__final_blocks__are_read_once(follow):
    logs = follow(opened(1, 7, A), started(2, 7, 90))
    periods = LeasePeriods(logs.chain)
    await periods.since(0, block(5), block(6))
    logs.asked.clear()
    await periods.since(0, block(7), block(8))
    assert logs.asked == [(6, 7), (8, 8)]


async def test_lease__final_block_undone__all_is_read_anew(follow):
    logs = follow(opened(1, 7, A), started(2, 7, 90))
    periods = LeasePeriods(logs.chain)
    await periods.since(0, block(5), block(6))
    logs.fork, logs.events = 1, []
    assert await periods.since(0, block(5, 1), block(6, 1)) == {}


def retired(number: int, device: bytes, status: DeviceStatus) -> tuple[int, str, dict]:
    return number, "DeviceRetired", {"deviceId": device, "status": status}


async def test_event_log__of_an_earlier_block__leaves_out_what_came_since(follow):
    logs = follow(retired(2, A, DeviceStatus.RETIRED), retired(6, B, DeviceStatus.SLASHED))
    log = EventLog(logs.chain, "DeviceRegistry", ("DeviceRetired",))
    assert [e.args["deviceId"] for e in await log.until(block(8))] == [A, B]
    assert [e.args["deviceId"] for e in await log.until(block(5))] == [A]
    assert logs.asked == [(0, 8)]


async def test_event_log__final_block_undone__all_is_read_anew(follow):
    logs = follow(retired(2, A, DeviceStatus.SLASHED))
    log = EventLog(logs.chain, "DeviceRegistry", ("DeviceRetired",))
    await log.until(block(8))
    logs.fork, logs.events = 1, []
    assert await log.until(block(8, 1)) == []


def reported(number: int, epoch: int, round_: int = 0) -> tuple[int, str, dict]:
    return number, "EpochReported", {"epoch": epoch, "round": round_, "rewardsRoot": bytes([epoch]) * 32}


def vetoed(number: int, epoch: int) -> tuple[int, str, dict]:
    return number, "RewardsVetoed", {"epoch": epoch}


async def test_reports__vetoed__count_until_the_block_of_the_veto(follow):
    logs = follow(reported(2, 1), reported(4, 2), vetoed(6, 2))
    events = OracleEvents(logs.chain)
    assert [report.epoch for report in await events.reports(9, block(5))] == [2, 1]
    assert [report.epoch for report in await events.reports(9, block(6))] == [1]
    assert [report.epoch for report in await events.reports(2, block(5))] == [1]


async def test_oracle_events__of_an_epoch__have_block_and_round(follow):
    logs = follow((1, "EpochOpened", {"epoch": 3}), reported(4, 3, 5))
    events = OracleEvents(logs.chain)
    assert await events.block_of("EpochOpened", 3, block(8)) == block(1)
    assert await events.block_of("EpochReported", 3, block(3)) is None
    assert await events.accepted_round("EpochReported", 3, block(8)) == 5
    assert await events.accepted_round("EpochSealed", 3, block(8)) is None
