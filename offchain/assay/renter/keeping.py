"""Keeps a lease going: tops it up to a cap, and ends it when its device stops answering."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from assay.chain.leases import Lease, LeaseStatus
from assay.renter.money import deposit_for


class Move(Enum):
    """What to do about a lease now."""

    WAIT = auto()
    TOP_UP = auto()
    END = auto()
    STOP = auto()  # the lease is over: nothing is left to keep


@dataclass(frozen=True)
class Policy:
    """Seconds, and base units for `cap`: the most that the deposit may grow to.

    With less than `margin` left `step` more is paid for; a device silent for `patience` ends the lease.
    """

    margin: int
    step: int
    cap: int
    patience: float


def move(lease: Lease, now: float, silent_for: float, policy: Policy) -> tuple[Move, int]:
    """What to do, and the amount of a top-up in base units: a pure function.

    A dead device comes first: paying for one that does not answer would be the worst of both.
    """
    if lease.status is not LeaseStatus.ACTIVE or now >= lease.stop:
        return Move.STOP, 0
    if silent_for >= policy.patience:
        return Move.END, 0
    if lease.stop - now > policy.margin or lease.stop - lease.start >= lease.max_duration:
        return Move.WAIT, 0
    longest = deposit_for(lease.rate, lease.max_duration)
    amount = min(deposit_for(lease.rate, policy.step), policy.cap - lease.deposit, longest - lease.deposit)
    return (Move.TOP_UP, amount) if amount > 0 else (Move.WAIT, 0)


@dataclass(frozen=True)
class Hands:
    """What `keep` acts with; `alive` asks the device for a signed sign of life."""

    lease: Callable[[], Awaitable[Lease]]
    alive: Callable[[], Awaitable[bool]]
    top_up: Callable[[int], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    tell: Callable[[str], None]


async def keep(hands: Hands, policy: Policy, every: float) -> None:
    """Looks every `every` seconds until the lease is over."""
    heard = hands.clock()
    while True:
        lease = await hands.lease()
        now = hands.clock()
        if await hands.alive():
            heard = now
        what, amount = move(lease, now, now - heard, policy)
        if what is Move.STOP:
            return
        if what is Move.END:
            hands.tell(f"the device of lease {lease.lease_id} has not answered for {now - heard:.0f} s: ending")
            await hands.end()
            return
        if what is Move.TOP_UP:
            hands.tell(f"{lease.stop - now:.0f} s left of lease {lease.lease_id}: adding {amount} base units")
            await hands.top_up(amount)
        await hands.sleep(every)
