"""Keeps a lease going: tops it up to a cap, and ends it when its device stops answering."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from assay.chain.errors import ChainError
from assay.chain.leases import Lease, LeaseStatus
from assay.renter.errors import RenterError
from assay.renter.money import deposit_for

MOST_SILENCE_A_ROUND = 3  # rounds: a machine that slept for hours has not heard its device be silent for hours


class Move(Enum):
    """What to do about a lease now."""

    WAIT = auto()
    TOP_UP = auto()
    END = auto()
    STOP = auto()  # the lease is over: nothing is left to keep


@dataclass(frozen=True)
class Policy:
    """Seconds, and base units for `cap`: the most that the deposit may grow to; 0 tops nothing up.

    With less than `margin` left `step` more is paid for; a device silent for `patience` ends the lease, None never.
    """

    margin: int
    step: int
    cap: int
    patience: float | None


def move(lease: Lease, now: float, silent_for: float, policy: Policy) -> tuple[Move, int]:
    """What to do, and the amount of a top-up in base units: a pure function.

    A dead device comes first: paying for one that does not answer would be the worst of both.
    """
    if lease.status is not LeaseStatus.ACTIVE or now >= lease.stop:
        return Move.STOP, 0
    if policy.patience is not None and silent_for >= policy.patience:
        return Move.END, 0
    if silent_for > 0 or lease.stop - now > policy.margin or lease.stop - lease.start >= lease.max_duration:
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
    amount: Callable[[int], str]  # base units as people read them


async def keep(hands: Hands, policy: Policy, every: float) -> Move:
    """Looks every `every` seconds until the lease is over: STOP, or END where its device was silent too long.

    A round in which the chain cannot be read counts for nothing: then it is we who are cut off.
    """
    silent, last = 0.0, hands.clock()
    while True:
        now = hands.clock()
        passed, last = min(now - last, MOST_SILENCE_A_ROUND * every), now
        try:
            lease = await hands.lease()
            silent = 0.0 if await hands.alive() else silent + passed
            what, amount = move(lease, now, silent, policy)
            if await _act(hands, lease, what, amount, silent, now):
                return what
        except (ChainError, RenterError) as error:
            hands.tell(f"not this time, trying again in {every:.0f} s: {error}")
        await hands.sleep(every)


async def _act(hands: Hands, lease: Lease, what: Move, amount: int, silent: float, now: float) -> bool:
    """Whether nothing is left to keep."""
    if what is Move.END:
        hands.tell(f"the device of lease {lease.lease_id} has not answered for {silent:.0f} s: ending the lease")
        await hands.end()
    if what is Move.TOP_UP:
        hands.tell(f"{lease.stop - now:.0f} s left of lease {lease.lease_id}: adding {hands.amount(amount)}")
        await hands.top_up(amount)
    return what in (Move.STOP, Move.END)
