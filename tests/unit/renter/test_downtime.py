"""Which epochs of a lease are claimed for downtime: as the escrow takes them, and no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from assay.chain.errors import UnreachableChain
from assay.chain.leases import Lease, LeaseStatus
from assay.protocol.epochs import Phase, Timing
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.report_lines import Measured
from assay.renter import downtime
from assay.renter.downtime import DowntimeFound, attested, find_downtime, open_epochs
from assay.renter.errors import Unreachable
from assay.renter.keeping import Move, Policy
from assay.renter.renter import Renter

HOUR = 3_600
GENESIS = 1_000_000
DEVICE = bytes([1]) * 32
TIMING = Timing(GENESIS, HOUR, 60, 120, 180, 1_800, 2, HOUR)
HOLDBACK = 3 * HOUR
READS = ("lease", "alive", "leaves_free")


def at(epoch: float) -> int:
    return GENESIS + int(epoch * HOUR)


LEASE = Lease(
    7, "0x", "0x", DEVICE, "0x", LeaseStatus.ACTIVE, 10 * 10**18, at(1), at(1.5), at(20), HOUR, 100 * HOUR, 10**6, 0, 0,
    0, 0,
)  # fmt: skip


def line(epoch: int, uptime: int = 7_500, flags: int = 2, device: bytes = DEVICE) -> Measured:
    return Measured(DeviceLeaf(epoch, device, 0, 1, 0, 0, uptime, flags, bytes(32)), (bytes(32),))


@pytest.mark.parametrize(
    ("change", "now", "expected"),
    [
        ({}, 4, [2, 3]),  # the epoch in which it began is not full, nor is the one that goes on
        ({}, 4.99, [2, 3]), ({}, 1.6, []), ({}, 3, [2]),
        ({"start": at(2)}, 4, [2, 3]), ({"start": at(2) + 1}, 4, [3]),
        ({}, 5, [2, 3, 4]), ({}, 5 + 1 / HOUR, [3, 4]),  # epoch 2 is beyond the holdback a second later
        ({"next_epoch": 3}, 4, [3]), ({"next_epoch": 9}, 4, []),
        ({"ended_at": at(3.5)}, 5, [2]), ({"ended_at": at(3)}, 5, [2]), ({"ended_at": at(3) - 1}, 5, []),
        ({"stop": at(4)}, 5, [2, 3]), ({"stop": at(4) - 1}, 5, [2]),
        # Who left before the least duration pays until then, but no downtime counts after the end.
        ({"stop": at(6), "ended_at": at(3.1)}, 5, [2]),
        ({"start": 0, "stop": 0}, 5, []),
    ],
)  # fmt: skip
def test_open_epochs__by_time_and_lease(change: dict[str, int], now: float, expected: list[int]) -> None:
    assert list(open_epochs(replace(LEASE, **change), TIMING, HOLDBACK, at(now))) == expected  # type: ignore[arg-type]


def test_attested__lines_of_all_kinds__only_leased_and_down_ones_of_the_device_in_order() -> None:
    lines = [
        line(5, 0), line(2), line(3, 10_000), line(4, flags=1), line(4, device=bytes([2]) * 32), line(6, flags=2 | 16),
    ]  # fmt: skip
    found = attested(LEASE, TIMING, lines)
    assert [(one.epoch, one.seconds, one.amount) for one in found] == [
        (2, 900, 9_000), (5, 3_600, 36_000), (6, 900, 9_000),
    ]  # fmt: skip
    assert (DowntimeFound(found).seconds, DowntimeFound(found).amount) == (5_400, 54_000)


def test_attested__seconds_and_money__are_rounded_down_as_the_escrow_does() -> None:
    third = replace(LEASE, rate=10**18 // 3)
    assert attested(third, TIMING, [line(2, 9_998)]) == ()  # 0.72 s
    (one,) = attested(third, TIMING, [line(2, 9_990)])  # 3.6 s, 0.99… base units
    assert (one.seconds, one.amount) == (3, 0)


@pytest.mark.parametrize(
    ("missing", "claimed", "held"),
    [((), [2, 4, 5], []), ((3,), [2], [4, 5]), ((1, 3), [], [2, 4, 5]), ((6,), [2, 4, 5], [])],
)
def test_up_to_missing__later_ones__are_held_back(
    missing: tuple[int, ...], claimed: list[int], held: list[int]
) -> None:
    found = DowntimeFound(attested(LEASE, TIMING, [line(2), line(4), line(5)]), missing).up_to_missing()
    assert ([one.epoch for one in found.claimable], [one.epoch for one in found.held]) == (claimed, held)


async def test_find_downtime__a_line_missing__bounds_when_the_next_can_be_claimed_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def read(value: object) -> object:
        return value

    reported = SimpleNamespace(phase=Phase.REPORTED, devices_root=bytes(32))
    chain = SimpleNamespace(head=lambda: read(SimpleNamespace(timestamp=at(5))), call=lambda *a, **k: read(HOLDBACK))
    monkeypatch.setattr(downtime, "read_lease", lambda *a: read(LEASE))
    monkeypatch.setattr(downtime, "read_timing", lambda *a: read(TIMING))
    monkeypatch.setattr(
        downtime, "read_epoch_state", lambda chain, epoch, at: read(SimpleNamespace(epoch=epoch, **vars(reported)))
    )
    found = await find_downtime(chain, 7, lambda epoch, root, device: read(None if epoch == 2 else line(epoch)))  # type: ignore[arg-type]
    assert (found.missing, [one.epoch for one in found.claimable]) == ((2,), [3, 4])
    assert (found.without_from, found.without_to) == (at(2) + HOLDBACK + 1, at(3) + HOLDBACK)
    # In between the missing one is not asked for any more, and the next one still is.
    assert open_epochs(LEASE, TIMING, HOLDBACK, found.without_from)[0] == 3
    assert open_epochs(LEASE, TIMING, HOLDBACK, found.without_to)[0] == 3


def test_call__names_the_lease_the_leaf_and_its_proof() -> None:
    (one,) = attested(LEASE, TIMING, [line(2)])
    call = one.call(7)
    assert (call.contract, call.function) == ("LeaseEscrow", "refundDowntime")
    assert call.args == (7, one.measured.leaf.values(), [bytes(32)])


@pytest.mark.parametrize("fails", [None, Unreachable("no validator"), UnreachableChain("http://u", "timed out")])
async def test_keep__device_silent__claims_downtime_before_it_ends_and_ends_also_where_that_fails(
    fails: Exception | None,
) -> None:
    did: list[str] = []
    now = [float(at(2))]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    def step(name: str, result: object, error: Exception | None = None) -> Callable[..., Awaitable[object]]:
        async def taken(*_: object) -> object:
            did.append(name)
            if error is not None:
                raise error
            return result

        return taken

    renter = object.__new__(Renter)
    renter._clock, renter._sleep = lambda: now[0], sleep
    renter._key = SimpleNamespace(address=LEASE.renter)  # type: ignore[assignment]
    for name, result, error in (
        ("lease", LEASE, None), ("alive", False, None), ("leaves_free", False, None),
        ("refund_downtime", (DowntimeFound(), []), fails),
        ("end", None, None), ("refundable", 5, None), ("refund", None, None),
    ):  # fmt: skip
        setattr(renter, name, step(name, result, error))
    told: list[str] = []
    assert await renter.keep(7, Policy(margin=1, step=1, cap=0, patience=20), 10, told.append) is Move.END
    assert [one for one in did if one not in READS] == [
        "refund_downtime",
        "end",
        "refundable",
        "refund",
    ]
    assert any("downtime was not claimed" in one for one in told) == (fails is not None)
