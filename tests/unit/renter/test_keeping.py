"""When a lease is topped up, and when it is ended because its device is dead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (1800, 0, (Move.WAIT, 0)), (1900, 0, (Move.TOP_UP, 500)), (1999, 29, (Move.TOP_UP, 500)),
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


async def test_keep__device_dies__ends_the_lease_after_the_patience_and_pays_nothing_more() -> None:
    now, did = [1850.0], []

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    async def lease() -> Lease:
        return LEASE

    async def alive() -> bool:
        return now[0] < 1870

    async def end() -> None:
        did.append(("end", now[0]))

    async def top_up(amount: int) -> None:
        did.append(("top up", now[0]))

    policy = replace(POLICY, margin=10)
    await keep(Hands(lease, alive, top_up, end, lambda: now[0], sleep, lambda _: None), policy, 10)
    assert did == [("end", 1890.0)]


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
