"""When a lease is topped up, and when it is ended because its device is dead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.errors import ChainError
from assay.chain.leases import Lease, LeaseStatus
from assay.renter.errors import Unreachable
from assay.renter.keeping import Hands, Move, Policy, keep, move
from assay.renter.ssh_access import checked

LEASE = Lease(
    3, "r", "p", bytes(32), "t", LeaseStatus.ACTIVE, 10**18, 0, 1000, 2000, 60, 5000, 1000, 0, 0, 0, 0
)  # fmt: skip
POLICY = Policy(margin=100, step=500, cap=2000, patience=30)


@pytest.mark.parametrize(
    ("now", "silent", "expected"),
    [
        (1800, 0, (Move.WAIT, 0)), (1900, 0, (Move.TOP_UP, 500)), (1999, 1, (Move.WAIT, 0)), (1999, 29, (Move.WAIT, 0)),
        (1900, 30, (Move.END, 0)), (2000, 0, (Move.STOP, 0)), (2000, 99, (Move.STOP, 0)),
    ],
)  # fmt: skip
def test_move__by_time_left_and_silence(now: int, silent: float, expected: tuple[Move, int]) -> None:
    assert move(LEASE, now, silent, POLICY) == expected


@pytest.mark.parametrize(("deposit", "amount"), [(1400, 500), (1600, 400), (1999, 1)])
def test_move__near_the_cap__adds_only_up_to_it(deposit: int, amount: int) -> None:
    assert move(replace(LEASE, deposit=deposit), 1950, 0, POLICY) == (Move.TOP_UP, amount)


@pytest.mark.parametrize("change", [{"deposit": 2000}, {"max_duration": 1000}])
def test_move__at_the_cap_or_the_longest__waits(change: dict[str, int]) -> None:
    assert move(replace(LEASE, **change), 1950, 0, POLICY) == (Move.WAIT, 0)  # type: ignore[arg-type]


@given(st.integers(1, 1 << 90), st.integers(0, 1 << 60), st.integers(0, 1 << 60), st.integers(1, 1 << 20))
def test_move__any_lease__never_pays_beyond_the_cap_or_the_longest(
    rate: int, deposit: int, cap: int, max_duration: int
) -> None:
    lease = replace(LEASE, rate=rate, deposit=deposit, max_duration=max_duration)
    what, amount = move(lease, 1950, 0, replace(POLICY, cap=cap))
    if what is Move.TOP_UP:
        assert amount > 0 and deposit + amount <= cap
        assert (deposit + amount - 1) * 10**18 < rate * max_duration


class Bench:
    """Time, a chain and a device for `keep`; `alive_until` and `cut_off` in seconds of the clock."""

    def __init__(self, alive_until: float, cut_off: tuple[float, float] = (0, 0), stop: int = 2000) -> None:
        self.now, self.did, self.told = 1850.0, [], []  # type: ignore[var-annotated]
        self.alive_until, self.cut_off, self.stop = alive_until, cut_off, stop
        self.jump, self.deposit = 0.0, LEASE.deposit

    def hands(self) -> Hands:
        return Hands(
            self.lease, self.alive, self.top_up, self.end, lambda: self.now, self.sleep, self.told.append,
            lambda units: f"{units} T",
        )  # fmt: skip

    async def lease(self) -> Lease:
        if self.cut_off[0] <= self.now < self.cut_off[1]:
            raise ChainError("no endpoint answers")
        return replace(LEASE, stop=self.stop, deposit=self.deposit)

    async def alive(self) -> bool:
        return self.now < self.alive_until

    async def top_up(self, amount: int) -> None:
        self.did.append(("top up", self.now, amount))
        self.stop += amount
        self.deposit += amount

    async def end(self) -> None:
        self.did.append(("end", self.now))

    async def sleep(self, seconds: float) -> None:
        self.now += seconds + self.jump
        self.jump = 0.0


QUIET = replace(POLICY, margin=10)


async def test_keep__device_dies__ends_the_lease_after_the_patience_and_pays_nothing_more() -> None:
    bench = Bench(alive_until=1870)
    assert await keep(bench.hands(), QUIET, 10) is Move.END
    assert bench.did == [("end", 1890.0)]


async def test_keep__running_low__is_topped_up_until_it_runs_out_at_the_cap() -> None:
    bench = Bench(alive_until=9999)
    assert await keep(bench.hands(), replace(POLICY, cap=1500), 10) is Move.STOP
    assert bench.did[0] == ("top up", 1900.0, 500)
    assert bench.told[0].endswith("left of lease 3: adding 500 T")


async def test_keep__chain_cannot_be_read_for_long__is_no_silence_of_the_device() -> None:
    bench = Bench(alive_until=9999, cut_off=(1860, 1950))
    assert await keep(bench.hands(), QUIET, 10) is Move.STOP
    assert [what for what, *_ in bench.did] == ["top up", "top up"]
    assert all("no endpoint answers" in line for line in bench.told[:9])


async def test_keep__this_machine_slept__does_not_take_it_for_silence() -> None:
    bench = Bench(alive_until=1860, stop=99_000)
    bench.jump = 5_000.0
    assert await keep(bench.hands(), replace(QUIET, patience=60), 10) is Move.END
    assert bench.did == [("end", 1850.0 + 5_000 + 10 + 30)]


async def test_keep__patience_never__does_not_end() -> None:
    bench = Bench(alive_until=0)
    assert await keep(bench.hands(), replace(QUIET, patience=None), 10) is Move.STOP
    assert bench.did == []


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
