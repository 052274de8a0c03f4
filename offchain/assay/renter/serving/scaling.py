"""How many replicas a load wants, and which of them is on its way out: pure functions. Times in seconds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

BUSY_S = 10.0  # that more is wanted, before more is rented
CALM_S = 120.0  # that less would do, before one is let go


@dataclass(frozen=True)
class Bounds:
    """`load` is how many requests at once a replica should have, those that wait for it among them."""

    least: int
    most: int
    load: float


class ReplicaStage(StrEnum):
    """How a replica stands for the router."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    DRAINING = "draining"  # takes nothing new, and ends what it has


@dataclass(frozen=True)
class Replica:
    """One lease that serves. `since` is when it came to this stage, `open` how many requests it answers now;
    `leaves_at` is when its lease may be over, if its provider has given notice, else None."""

    key: int
    stage: ReplicaStage
    since: float
    open: int = 0
    rate: int = 0
    leaves_at: float | None = None

    @property
    def counts(self) -> bool:
        """Whether it is one of those that are wanted: it serves, will, or may come back, and is not on its way out.
        Another for one that is away for a moment would cost its minimum."""
        return self.stage is not ReplicaStage.DRAINING and self.leaves_at is None


@dataclass(frozen=True)
class ReplicaDemand:
    """What was wanted last, since when more or less than that would be."""

    wanted: int
    more_since: float | None = None
    less_since: float | None = None


def needed(requests: int, bounds: Bounds) -> int:
    """How many replicas so many requests at once are for."""
    return max(bounds.least, min(bounds.most, -(-requests // max(1, round(bounds.load)))))


def follow(demand: ReplicaDemand, requests: int, now: float, bounds: Bounds) -> ReplicaDemand:
    """What is wanted now: more once the load has been there for a while, one less once it has been gone for longer, so
    that a moment moves nothing that costs a minute and a minimum."""
    need = needed(requests, bounds)
    wanted = max(bounds.least, min(bounds.most, demand.wanted))
    if need > wanted:
        since = now if demand.more_since is None else demand.more_since
        return ReplicaDemand(need) if now - since >= BUSY_S else ReplicaDemand(wanted, more_since=since)
    if need < wanted:
        since = now if demand.less_since is None else demand.less_since
        return ReplicaDemand(wanted - 1) if now - since >= CALM_S else ReplicaDemand(wanted, less_since=since)
    return ReplicaDemand(wanted)


def to_let_go(replicas: Collection[Replica], wanted: int) -> list[Replica]:
    """Those to be drained: beyond what is wanted, none before as many others are up; the dearest first."""
    up = [one for one in replicas if one.counts and one.stage is ReplicaStage.UP]
    beyond = max(0, len(up) - wanted)
    surplus = sorted(up, key=lambda one: (-one.rate, -one.key))[:beyond]
    # One that has been given notice goes once the others are enough without it.
    noticed = [one for one in replicas if one.stage is ReplicaStage.UP and one.leaves_at is not None]
    return surplus + (noticed if len(up) >= wanted else [])


def is_given_up(replica: Replica, now: float, start_s: float, patience_s: float) -> bool:
    """Whether a replica has had its time to come up, or back."""
    if replica.stage is ReplicaStage.STARTING:
        return now - replica.since >= start_s
    return replica.stage is ReplicaStage.DOWN and now - replica.since >= patience_s


def is_drained(replica: Replica, now: float, drain_s: float, leave_s: float) -> bool:
    """Whether one that takes nothing new may be ended: it has answered everything, or had its time to; one whose lease
    may be over in `leave_s` is not waited for."""
    if replica.stage is not ReplicaStage.DRAINING:
        return False
    leaving = replica.leaves_at is not None and replica.leaves_at - now <= leave_s
    return replica.open == 0 or now - replica.since >= drain_s or leaving
