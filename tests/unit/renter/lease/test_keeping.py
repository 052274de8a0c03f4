"""When a lease is topped up, when it is left, and when leaving must wait."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.chain.errors import ChainError, UnreachableChain
from assay.renter.errors import NotProven, ProofRejected, Unreachable
from assay.renter.lease.keeping import Actions, Keeper, Move, Policy, move
from assay.renter.lease.lease_views import LeaseView
from assay.renter.lease.leaving import Free, leaving
from assay.renter.lease.proving import ProofPolicy
from assay.renter.session.ssh_access import checked
from tests.unit.renter.leased import LEASE, NODE, ONE, TWO, leased

MAX_DOWNTIME = 100  # maxDowntime
POLICY = Policy(margin=100, step=500, cap=2000, patience=30)


def view(lease: Lease, now: int, slashed: bytes | None = None) -> LeaseView:
    way = leaving(lease, now, MAX_DOWNTIME, slashed is not None)
    return LeaseView(lease, NODE, now, 0, way, MAX_DOWNTIME, slashed)


@pytest.mark.parametrize(
    ("now", "silent", "expected"),
    [
        (1800, 0, (Move.WAIT, 0)),
        (1900, 0, (Move.TOP_UP, 500)),
        (1999, 1, (Move.WAIT, 0)),
        (1999, 29, (Move.WAIT, 0)),
        (1900, 30, (Move.END, 0)),
        (2000, 0, (Move.STOP, 0)),
        (2000, 99, (Move.STOP, 0)),
    ],
)
def test_move__by_time_left_and_silence(now: int, silent: float, expected: tuple[Move, int]) -> None:
    assert move(view(LEASE, now), silent, POLICY) == expected


@pytest.mark.parametrize(
    ("changes", "silent", "expected"),
    [
        ({}, 0, Move.WAIT),
        ({}, 9_999, Move.WAIT),  # the minimum is paid all the same
        ({"notice_at": 1_100}, 29, Move.WAIT),
        ({"notice_at": 1_100}, 30, Move.END),
        ({"downtime": MAX_DOWNTIME}, 9_999, Move.WAIT),
        ({"downtime": MAX_DOWNTIME + 1}, 0, Move.END),
        ({"status": LeaseStatus.ENDED}, 0, Move.STOP),
        ({"status": LeaseStatus.PENDING}, 0, Move.STOP),
        ({"left_early": True}, 9_999, Move.WAIT),
        ({"left_early": True, "downtime": MAX_DOWNTIME + 1}, 0, Move.END),
        ({"left_early": True, "stop": 1_200}, 0, Move.STOP),
    ],
)
def test_move__before_the_minimum__leaves_only_for_nothing(
    changes: dict[str, Any], silent: float, expected: Move
) -> None:
    bound = {"min_duration": 800, "stop": 1_800, **changes}
    assert move(view(leased(**bound), 1_200), silent, POLICY) == (expected, 0)


@pytest.mark.parametrize("changes", [{}, {"left_early": True}, {"notice_at": 1_100}])
def test_move__a_device_was_slashed__ends_at_once_whatever_else(changes: dict[str, Any]) -> None:
    lease = leased(min_duration=800, **changes)
    for policy in (POLICY, replace(POLICY, patience=None), replace(POLICY, leave_free=False)):
        assert move(view(lease, 1_001, ONE), 0, policy) == (Move.END, 0)


def test_move__down_too_long_but_a_job_runs__is_left_only_in_silence() -> None:
    lease = leased(min_duration=800, downtime=MAX_DOWNTIME + 1)
    beside_a_job = replace(POLICY, leave_free=False)
    assert move(view(lease, 1_200), 0, beside_a_job) == (Move.WAIT, 0)
    assert move(view(lease, 1_200), 30, beside_a_job) == (Move.END, 0)


@pytest.mark.parametrize(
    ("changes", "silent", "slashed", "expected"),
    [
        ({}, 0, None, Move.WAIT),
        ({}, 29, None, Move.WAIT),
        ({}, 30, None, Move.MOVE),  # within the minimum too: the work goes on elsewhere
        ({"notice_at": 1_100}, 0, None, Move.MOVE),
        ({"downtime": MAX_DOWNTIME + 1}, 0, None, Move.MOVE),
        ({}, 0, ONE, Move.MOVE),
        ({"left_early": True}, 9_999, None, Move.WAIT),
        ({"status": LeaseStatus.ENDED}, 30, None, Move.STOP),
        ({"status": LeaseStatus.PENDING}, 30, None, Move.STOP),
    ],
)
def test_move__of_a_lease_that_may_go_on_elsewhere__goes_where_it_would_be_lost(
    changes: dict[str, Any], silent: float, slashed: bytes | None, expected: Move
) -> None:
    bound = {"min_duration": 800, "stop": 1_800, **changes}
    assert move(view(leased(**bound), 1_200, slashed), silent, replace(POLICY, moving=True)) == (expected, 0)


@pytest.mark.parametrize(("deposit", "amount"), [(1400, 500), (1600, 400), (1999, 1)])
def test_move__near_the_cap__adds_only_up_to_it(deposit: int, amount: int) -> None:
    assert move(view(leased(deposit=deposit), 1950), 0, POLICY) == (Move.TOP_UP, amount)


@pytest.mark.parametrize("change", [{"deposit": 2000}, {"max_duration": 1000}, {"left_early": True}])
def test_move__at_the_cap_the_longest_or_left__waits(change: dict[str, Any]) -> None:
    assert move(view(leased(**change), 1950), 0, POLICY) == (Move.WAIT, 0)


@given(st.integers(1, 1 << 90), st.integers(0, 1 << 60), st.integers(0, 1 << 60), st.integers(1, 1 << 20))
def test_move__any_lease__never_pays_beyond_the_cap_or_the_longest(
    rate: int, deposit: int, cap: int, max_duration: int
) -> None:
    lease = leased(rate=rate, deposit=deposit, max_duration=max_duration)
    what, amount = move(view(lease, 1950), 0, replace(POLICY, cap=cap))
    if what is Move.TOP_UP:
        assert amount > 0 and deposit + amount <= cap
        assert (deposit + amount - 1) * 10**18 < rate * max_duration


class Bench:
    """Time, a chain and devices for a keeper. Silent within `silent`, the chain cut off within `cut_off`; `attested` is
    the downtime that reports attest by when, `slashed_at` when a device is slashed."""

    def __init__(self, lease: Lease = LEASE, now: float = 1850.0) -> None:
        self.now, self.lease = now, lease
        self.did: list[tuple[Any, ...]] = []
        self.told: list[str] = []
        self.silent: tuple[float, float] = (9e9, 9e9)
        self.cut_off: tuple[float, float] = (0, 0)
        self.jump = 0.0
        self.attested: dict[float, int] = {}
        self.slashed_at = 9e9
        self.settled_at = 0.0
        self.collect_fails: Exception | None = None
        self.proofs: dict[float, str | Exception] = {}
        self.proven: list[tuple[float, int]] = []

    def keeper(self, policy: Policy) -> Keeper:
        actions = Actions(
            self.view, self.quiet, self.collect, self.top_up, self.end, lambda: self.now, self.sleep, self.told.append,
            lambda units: f"{units} T", lambda seconds: f"{seconds} o'clock",
            self.prove,
        )  # fmt: skip
        return Keeper(actions, policy, 10)

    async def view(self) -> LeaseView:
        if self.cut_off[0] <= self.now < self.cut_off[1]:
            raise ChainError("no endpoint answers")
        return view(self.lease, int(self.now), TWO if self.now >= self.slashed_at else None)

    async def quiet(self) -> tuple[str, ...]:
        return ("0x02",) if self.silent[0] <= self.now < self.silent[1] else ()

    async def collect(self, lease: Lease) -> bool:
        if self.collect_fails is not None:
            raise self.collect_fails
        for when in sorted(self.attested):
            if when <= self.now:
                self.lease = replace(self.lease, downtime=self.lease.downtime + self.attested.pop(when))
                self.did.append(("credited", self.now))
        return self.now >= self.settled_at and not self.attested

    async def top_up(self, amount: int) -> None:
        self.did.append(("top up", self.now, amount))
        self.lease = replace(self.lease, stop=self.lease.stop + amount, deposit=self.lease.deposit + amount)

    async def end(self) -> None:
        self.did.append(("end", self.now))

    async def prove(self, wheels: tuple[Path, ...]) -> str:
        self.proven.append((self.now, len(wheels)))
        said = next((found for when, found in sorted(self.proofs.items(), reverse=True) if when <= self.now), "")
        if isinstance(said, Exception):
            raise said
        return said

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds + self.jump
        self.jump = 0.0


QUIET = replace(POLICY, margin=10)


async def test_keep__devices_die_after_the_minimum__ends_after_the_patience_and_pays_nothing_more() -> None:
    bench = Bench()
    bench.silent = (1870, 9e9)
    assert await bench.keeper(QUIET).keep() is Move.END
    assert bench.did == [("end", 1890.0)]
    assert "device 0x02 has not answered for 30 s, and its minimum is over" in bench.told[-1]


async def test_keep__dark_right_after_the_start__stays_is_refunded_and_leaves_once_that_is_free() -> None:
    """A provider that is dark from the first second earns the minimum of nobody: leaving after the patience would pay
    all of it, staying ends the lease when reports have attested more downtime than the escrow allows."""
    bench = Bench(leased(min_duration=900, stop=4_600, deposit=3_600), now=1_000.0)
    bench.silent = (1_000, 9e9)
    bench.attested = {1_150: 60, 1_250: 60}
    assert await bench.keeper(POLICY).keep() is Move.END
    assert bench.did == [("credited", 1_150.0), ("credited", 1_250.0), ("end", 1_250.0)]
    told = [line for line in bench.told if "leaving now would cost" in line]
    assert len(told) == 1
    assert "cost 870 T more for nothing" in told[0] and "after 101 s more of it, or at 1900 o'clock" in told[0]
    assert Free.downtime in bench.told[-1]


async def test_keep__dark_and_no_report_attests_it__stays_to_the_minimum_and_then_leaves() -> None:
    bench = Bench(leased(min_duration=900, stop=4_600), now=1_000.0)
    bench.silent = (1_000, 9e9)
    assert await bench.keeper(POLICY).keep() is Move.END
    assert bench.did == [("end", 1_900.0)]


async def test_keep__dark_device_comes_back__goes_on_and_tells_again_the_next_time() -> None:
    bench = Bench(leased(min_duration=900), now=1_000.0)
    bench.silent = (1_000, 1_060)
    bench.lease = replace(bench.lease, stop=1_200)
    assert await bench.keeper(replace(QUIET, cap=0)).keep() is Move.STOP
    assert bench.did == [] and len([line for line in bench.told if "leaving now" in line]) == 1
    bench.now, bench.silent = 1_100.0, (1_100, 1_180)
    assert await bench.keeper(replace(QUIET, cap=0)).keep() is Move.STOP
    assert len([line for line in bench.told if "leaving now" in line]) == 2


async def test_keep__left_early__is_ended_again_once_downtime_has_freed_it() -> None:
    bench = Bench(leased(min_duration=900, stop=1_900, left_early=True), now=1_100.0)
    bench.attested = {1_300: MAX_DOWNTIME + 1}
    assert await bench.keeper(POLICY).keep() is Move.END
    assert bench.did == [("credited", 1_300.0), ("end", 1_300.0)]


async def test_keep__a_device_is_slashed__ends_at_once_without_waiting_for_anything_else() -> None:
    bench = Bench(leased(min_duration=900), now=1_000.0)
    bench.slashed_at, bench.collect_fails = 1_020, Unreachable("no validator")
    assert await bench.keeper(POLICY).keep() is Move.END
    assert bench.did == [("end", 1_020.0)] and Free.slashed in bench.told[-1]


async def test_keep__notice_is_given__is_told_once_and_ends_nothing_that_works() -> None:
    bench = Bench(leased(min_duration=900, notice=300, notice_at=1_050, stop=1_200), now=1_100.0)
    assert await bench.keeper(replace(QUIET, cap=0)).keep() is Move.STOP
    told = [line for line in bench.told if "given notice" in line]
    assert len(told) == 1 and "from 1350 o'clock on" in told[0]


@pytest.mark.parametrize("fails", [Unreachable("no validator"), UnreachableChain("http://u", "timed out")])
async def test_keep__downtime_cannot_be_claimed__looks_after_the_lease_all_the_same(fails: Exception) -> None:
    bench = Bench()
    bench.silent, bench.collect_fails = (1870, 9e9), fails
    assert await bench.keeper(QUIET).keep() is Move.END
    assert any("downtime was not claimed this time" in line for line in bench.told)


async def test_keep__running_low__is_topped_up_until_it_runs_out_at_the_cap() -> None:
    bench = Bench()
    assert await bench.keeper(replace(POLICY, cap=1500)).keep() is Move.STOP
    assert bench.did[0] == ("top up", 1900.0, 500)
    assert bench.told[0].endswith("left of lease 7: adding 500 T")


async def test_keep__chain_cannot_be_read_for_long__is_no_silence_of_the_device() -> None:
    bench = Bench()
    bench.cut_off = (1860, 1950)
    assert await bench.keeper(QUIET).keep() is Move.STOP
    assert [what for what, *_ in bench.did] == ["top up", "top up"]
    assert all("no endpoint answers" in line for line in bench.told[:9])


async def test_keep__this_machine_slept__does_not_take_it_for_silence() -> None:
    bench = Bench(leased(stop=99_000))
    bench.silent = (1860, 9e9)
    bench.jump = 5_000.0
    assert await bench.keeper(replace(QUIET, patience=60)).keep() is Move.END
    assert bench.did == [("end", 1850.0 + 5_000 + 10 + 30)]


async def test_keep__patience_never__does_not_end() -> None:
    bench = Bench()
    bench.silent = (0, 9e9)
    assert await bench.keeper(replace(QUIET, patience=None)).keep() is Move.STOP
    assert bench.did == []


async def test_settle__after_the_end__stays_until_the_last_report_and_through_failures() -> None:
    bench = Bench(now=1_980.0)
    bench.attested, bench.settled_at, bench.cut_off = {2_050: 5}, 2_070.0, (2_000, 2_030)
    await bench.keeper(POLICY).settle()
    assert bench.now == 2_070 and bench.did == [("credited", 2_050.0)]
    assert any("no endpoint answers" in line for line in bench.told)


async def test_settle__lease_that_still_runs__goes_on_to_its_end() -> None:
    bench = Bench(now=1_900.0)
    await bench.keeper(POLICY).settle()
    assert bench.now == 2_000


@pytest.mark.parametrize(
    "change",
    [{"port": 0}, {"port": "22"}, {"user": "root"}, {"user": "-oProxyCommand=x"}, {"hostKey": "x"},
     {"hostKey": "a b\nc d"}, {"hostKey": None}],
)  # fmt: skip
def test_ssh__answer_that_could_inject__is_refused(change: dict[str, object]) -> None:
    good = {"port": 22, "user": "lease-3", "hostKey": "ssh-ed25519 AAAA comment"}
    assert checked(good, 3) == (22, "lease-3", "ssh-ed25519 AAAA")
    with pytest.raises(Unreachable):
        checked({**good, **change}, 3)


# --- proofs in the pod, again and again

AGAIN = replace(QUIET, cap=0, proving=ProofPolicy(50, end=True, wheels=(Path("a.whl"),)))


async def test_keep__cards_that_prove_themselves__are_asked_again_and_again_and_stay() -> None:
    bench = Bench(now=1_700.0)
    assert await bench.keeper(AGAIN).keep() is Move.STOP
    assert [when for when, _ in bench.proven] == [1_750.0, 1_810.0, 1_870.0, 1_930.0, 1_990.0]
    assert [wheels for _, wheels in bench.proven] == [1, 0, 0, 0, 0]
    assert bench.did == []


@pytest.mark.parametrize("found", ["it makes 3 gops", ProofRejected("late in the pod")])
async def test_keep__a_card_that_gets_slow__ends_the_lease_only_where_that_is_wanted(found: str | Exception) -> None:
    bench = Bench(leased(min_duration=900), now=1_000.0)
    bench.proofs = {1_100: found}
    assert await bench.keeper(AGAIN).keep() is Move.END
    assert bench.did == [("end", 1_120.0)] and str(found) in bench.told[-1]
    bench = Bench(now=1_700.0)
    bench.proofs = {1_800: found}
    watching = replace(AGAIN, proving=ProofPolicy(50))
    assert await bench.keeper(watching).keep() is Move.STOP and bench.did == []
    assert [line for line in bench.told if str(found) in line]


async def test_keep__a_pod_that_cannot_prove__is_told_and_never_ended_for_it() -> None:
    bench = Bench(now=1_700.0)
    bench.proofs = {0: NotProven("no pip here")}
    assert await bench.keeper(AGAIN).keep() is Move.STOP
    assert bench.did == [] and any("not proven this time" in line for line in bench.told)


async def test_keep__a_fault_found_while_the_chain_is_away__is_acted_on_when_it_is_back() -> None:
    bench = Bench(now=1_700.0)
    bench.proofs, bench.cut_off = {0: "slow"}, (1_755, 1_795)
    assert await bench.keeper(AGAIN).keep() is Move.END
    assert bench.did == [("end", 1_800.0)]
