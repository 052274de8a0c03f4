"""Which epochs of a lease are claimed for downtime, by which device's line: as the escrow takes them, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.errors import Reverted
from assay.protocol.epochs import Phase, Timing
from assay.protocol.leaves import DeviceLeaf
from assay.renter.lease import downtime
from assay.renter.lease.downtime import DowntimeFinder, DowntimeFound, Rules, worst
from assay.wire.lines import Measured
from tests.unit.renter.leased import NODE, ONE, RENTER, STRANGER, TWO, of_offer

HOUR = 3_600
GENESIS = 1_000_000
RULES = Rules(Timing(GENESIS, HOUR, 180, 1_980, 2_340, 5_400, 2, HOUR), 4 * HOUR)


def at(epoch: float) -> int:
    return GENESIS + int(epoch * HOUR)


# Two base units a second, from the middle of epoch 1 to the end of epoch 19.
LEASE = of_offer(NODE, start=at(1.5), stop=at(20), deposit=10**6)


def line(epoch: int, uptime: int = 7_500, flags: int = 2, device: bytes = ONE) -> Measured:
    return Measured(DeviceLeaf(epoch, device, 0, 1, 0, 0, uptime, flags, bytes(32)), (bytes(32),))


@pytest.mark.parametrize(
    ("change", "now", "expected"),
    [
        ({}, 1.6, []), ({}, 2, [1]), ({}, 2.99, [1]), ({}, 4, [1, 2, 3]),  # also the part in which it began
        ({}, 5.5, [1, 2, 3, 4]), ({}, 5.5 + 1 / HOUR, [2, 3, 4]),  # epoch 1's first second can be claimed from then on
        ({}, 6, [2, 3, 4, 5]), ({}, 6 + 1 / HOUR, [3, 4, 5]),
        ({"stop": at(4.5)}, 4.49, [1, 2, 3]), ({"stop": at(4.5)}, 4.5, [1, 2, 3, 4]),  # and the one in which it ended
        ({"stop": at(4)}, 4, [1, 2, 3]), ({"stop": at(4)}, 9, []),
        ({"start": at(2), "stop": at(2.5)}, 2.5, [2]), ({"start": at(2.2), "stop": at(2.5)}, 2.4, []),
        # Who left before the least duration is refunded until the stop.
        ({"left_early": True, "stop": at(6)}, 5, [1, 2, 3, 4]),
        ({"start": 0, "stop": 0}, 5, []), ({"stop": at(1.5)}, 5, []),
    ],
)  # fmt: skip
def test_open_epochs__by_time_and_lease(change: dict[str, Any], now: float, expected: list[int]) -> None:
    assert list(RULES.open_epochs(replace(LEASE, **change), at(now))) == expected


@given(st.integers(0, 20 * HOUR), st.integers(0, 20 * HOUR), st.integers(0, 30 * HOUR))
def test_open_epochs__any_lease_at_any_time__are_those_of_the_escrows_own_rule(
    begins: int, lasts: int, later: int
) -> None:
    lease = replace(LEASE, start=GENESIS + begins, stop=GENESIS + begins + lasts)
    now = lease.start + later

    def taken(epoch: int) -> bool:
        start = at(epoch)
        over = min(start + HOUR, lease.stop)
        first = max(start, lease.start)
        return over > first and over <= now <= first + RULES.holdback

    assert list(RULES.open_epochs(lease, now)) == [epoch for epoch in range(60) if taken(epoch)]


def test_worst__of_several_devices__counts_whatever_its_flags_for_their_common_time_only() -> None:
    found = worst(LEASE, RULES, [line(1, 9_000), line(1, 5_000, flags=16, device=TWO)])
    assert found is not None
    # Half of the half hour that epoch and lease have in common.
    assert (found.measured.leaf.device_id, found.seconds, found.amount) == (TWO, 900, 1_800)
    assert found.until == at(1.5) + RULES.holdback
    assert worst(LEASE, RULES, [line(2, 10_000), line(2, 10_000, device=TWO)]) is None
    assert worst(LEASE, RULES, []) is None


def test_worst__seconds_and_money__are_rounded_down_as_the_escrow_does() -> None:
    third = replace(LEASE, rate=10**18 // 3)
    assert worst(third, RULES, [line(2, 9_998)]) is None  # 0.72 s
    one = worst(third, RULES, [line(2, 9_990)])  # 3.6 s, 0.99… base units
    assert one is not None and (one.seconds, one.amount) == (3, 0)


class World:
    """A chain whose reports are served in part, and an escrow that refuses what it is told to."""

    def __init__(self, now: float, phases: Mapping[int, Phase], lines: Mapping[tuple[int, bytes], int | None]) -> None:
        self.now, self.phases, self.lines = at(now), phases, dict(lines)
        self.credited: set[int] = set()
        self.refuses: dict[int, str] = {}
        self.asked: list[tuple[int, bytes]] = []
        self.senders: set[str] = set()

    async def head(self) -> Any:
        return SimpleNamespace(timestamp=self.now)

    async def call(self, contract: str, function: str, *args: Any, at: Any = None, sender: str | None = None) -> Any:
        if function == "holdback":
            return RULES.holdback
        assert (contract, function) == ("LeaseEscrow", "refundDowntime") and sender is not None
        self.senders.add(sender)
        epoch = args[2][0]
        if epoch in self.credited:
            raise Reverted("refundDowntime", "LeaseEscrow_EpochAlreadyRefunded", {"epoch": epoch})
        if epoch in self.refuses:
            raise Reverted("refundDowntime", self.refuses[epoch], {})

    async def line_of(self, epoch: int, root: bytes, device_id: bytes) -> Measured | None:
        assert root == bytes([epoch]) * 32
        self.asked.append((epoch, device_id))
        uptime = self.lines.get((epoch, device_id), 10_000)
        return None if uptime is None else line(epoch, uptime, device=device_id)


def finder(world: World, monkeypatch: pytest.MonkeyPatch) -> DowntimeFinder:
    async def timing(*_: Any) -> Timing:
        return RULES.timing

    async def state(chain: Any, epoch: int, head: Any) -> Any:
        phase = world.phases.get(epoch, Phase.REPORTED)
        return SimpleNamespace(epoch=epoch, phase=phase, devices_root=bytes([epoch]) * 32)

    monkeypatch.setattr(downtime, "read_timing", timing)
    monkeypatch.setattr(downtime, "read_epoch_state", state)
    return DowntimeFinder(world, world.line_of)  # type: ignore[arg-type]


async def look(world: World, monkeypatch: pytest.MonkeyPatch, sender: str = RENTER) -> DowntimeFound:
    return await finder(world, monkeypatch).find(LEASE, NODE, sender)


def epochs(found: DowntimeFound) -> list[int]:
    return [one.epoch for one in found.claimable]


async def test_find__reports_of_all_kinds__the_worst_of_each_epoch_is_claimable_in_any_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phases = {2: Phase.VOID, 4: Phase.DRAWN}
    world = World(5, phases, {(1, ONE): 0, (1, TWO): 5_000, (3, TWO): 9_000})
    found = await look(world, monkeypatch)
    assert [(one.epoch, one.measured.leaf.device_id, one.seconds) for one in found.claimable] == [
        (1, ONE, 1_800),
        (3, TWO, 360),
    ]
    assert (found.seconds, found.amount) == (2_160, 4_320)
    assert (found.pending, found.missing, found.settled) == ((4,), (), False)


async def test_find__epoch_claimed_before__is_told_by_the_escrow_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A better epoch claimed first closes no earlier one: each counts once, in whatever order."""
    world = World(5, {}, {(1, ONE): 0, (3, ONE): 0, (3, TWO): None})
    world.credited = {3}
    found = await look(world, monkeypatch)
    assert (epochs(found), found.missing) == ([1], ())


async def test_find__a_devices_line_withheld__holds_the_epoch_back_until_its_time_is_nearly_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever withholds the worst device's line must not have the renter spend the epoch on a better one's."""
    world = World(5, {}, {(2, ONE): 9_000, (2, TWO): None})
    found = await look(world, monkeypatch)
    assert (epochs(found), [one.epoch for one in found.held], found.missing) == ([], [2], ((2, TWO),))
    assert epochs(found.with_held()) == [2] and found.with_held().held == ()
    world.now = at(6) - RULES.holdback // 8
    assert epochs(await look(world, monkeypatch)) == []
    world.now += 1
    assert epochs(await look(world, monkeypatch)) == [2]


async def test_of_at_least__little_downtime__is_not_worth_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(5, {}, {(1, ONE): 9_901, (2, ONE): 9_900, (3, ONE): 0})
    found = await look(world, monkeypatch)
    assert epochs(found) == [1, 2, 3] and epochs(found.of_at_least(100)) == [2, 3]


async def test_find__line_served_later__is_the_one_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(5, {}, {(2, ONE): 9_000, (2, TWO): None})
    again = finder(world, monkeypatch)
    assert epochs(await again.find(LEASE, NODE, RENTER)) == []
    world.lines[2, TWO] = 1_000
    (one,) = (await again.find(LEASE, NODE, RENTER)).claimable
    assert (one.measured.leaf.device_id, one.seconds) == (TWO, 3_240)
    # What was seen once is not asked for again.
    assert world.asked.count((2, ONE)) == 1 and world.asked.count((2, TWO)) == 2


async def test_find__escrow_refuses_one_epoch__the_others_are_claimed_and_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(5, {}, {(1, ONE): 0, (3, ONE): 0})
    world.refuses = {1: "LeaseEscrow_DowntimeTooOld"}
    found = await look(world, monkeypatch, STRANGER)
    assert epochs(found) == [3] and world.senders == {STRANGER}
    assert [epoch for epoch, why in found.refused if "DowntimeTooOld" in why] == [1]


@pytest.mark.parametrize(
    ("phase", "now", "pending"),
    [
        (Phase.NONE, 5.04, True),
        (Phase.NONE, 5.06, False),
        (Phase.SEALED, 5.06, True),
        (Phase.DRAWN, 5.5, True),
        (Phase.DRAWN, 5.51, False),
        (Phase.VOID, 5.04, False),
        (Phase.REPORTED, 5.04, False),
    ],
)
def test_reportable__by_phase_and_time(phase: Phase, now: float, pending: bool) -> None:
    state: Any = SimpleNamespace(epoch=4, phase=phase)
    rules = replace(RULES, timing=replace(RULES.timing, open_by=HOUR + 180))
    assert rules.reportable(state, at(now)) is pending


def test_call__names_lease_offer_leaf_and_proof() -> None:
    one = worst(LEASE, RULES, [line(2)])
    assert one is not None
    call = one.call(7, NODE)
    assert (call.contract, call.function) == ("LeaseEscrow", "refundDowntime")
    assert call.args[0] == 7 and call.args[1][2] == NODE.device_ids
    assert call.args[2:] == (one.measured.leaf.values(), [bytes(32)])
