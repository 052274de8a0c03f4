"""Keeps a lease going: tops it up to a cap, has its downtime credited, and leaves it when that costs nothing.

A device that falls silent before the minimum is over is no reason to end: the minimum would be paid all the same. Who
stays has the device when it comes back, and leaves for nothing once reports attest that it was away for too long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from assay.chain.contracts.leases import Lease
from assay.chain.errors import ChainError
from assay.protocol.rates import cost
from assay.renter.errors import RenterError
from assay.renter.lease.lease_views import LeaseView
from assay.renter.lease.leaving import Free
from assay.renter.lease.proving import ProofPolicy, ProofRounds, Prove

MAX_SILENCE_A_ROUND = 3  # rounds: a machine that slept for hours has not heard its device be silent for hours


class Move(Enum):
    """What to do about a lease now."""

    WAIT = auto()
    TOP_UP = auto()
    END = auto()
    MOVE = auto()  # to another provider, which ends it
    STOP = auto()  # the lease is over: nothing is left to keep


@dataclass(frozen=True)
class Policy:
    """Seconds, and base units for `cap`: the most that the deposit may grow to; 0 tops nothing up.

    With less than `margin` left `step` more is paid for. A lease whose devices are silent for `patience` is ended as
    soon as that costs nothing more than has streamed, None never; with `leave_free` it is ended as soon as attested
    downtime has set the renter free, though the devices may answer here. Epochs of which less than `least_down` was
    down, in hundredths of a percent, are not worth a transaction each. With `proving` its pod proves its cards again
    and again. With `moving` it is moved where it would be ended, and at once where its devices are silent for that long
    or its provider gives notice.
    """

    margin: int
    step: int
    cap: int
    patience: float | None
    leave_free: bool = True
    min_down: int = 0
    proving: ProofPolicy | None = None
    moving: bool = False


def move(view: LeaseView, silent_for: float, policy: Policy, fault: str = "") -> tuple[Move, int]:
    """What to do, and the amount of a top-up in base units: a pure function. `fault` is what a proof in the pod has
    just found to be wrong.

    A slashed device comes first, whatever else is wanted, then devices that do not answer: paying for those would be
    the worst of all.
    """
    lease, free = view.lease, view.leaving.free
    if free in (Free.over, Free.pending):
        return Move.STOP, 0
    if policy.moving and not lease.left_early and _is_lost(view, silent_for, policy, fault):
        return Move.MOVE, 0
    if free is Free.slashed or (free is Free.downtime and (policy.leave_free or lease.left_early)):
        return Move.END, 0
    if lease.left_early:
        return Move.WAIT, 0
    if fault and policy.proving is not None and policy.proving.end:
        return Move.END, 0
    if policy.patience is not None and silent_for >= policy.patience and free is not None:
        return Move.END, 0
    if silent_for > 0 or lease.stop - view.now > policy.margin or lease.stop - lease.start >= lease.max_duration:
        return Move.WAIT, 0
    longest = cost(lease.rate, lease.max_duration)
    amount = min(cost(lease.rate, policy.step), policy.cap - lease.deposit, longest - lease.deposit)
    return (Move.TOP_UP, amount) if amount > 0 else (Move.WAIT, 0)


def _is_lost(view: LeaseView, silent_for: float, policy: Policy, fault: str) -> bool:
    """Whether the work of a lease that may be moved should go on elsewhere."""
    silent = policy.patience is not None and silent_for >= policy.patience
    proven_wrong = bool(fault) and policy.proving is not None and policy.proving.end
    return silent or proven_wrong or bool(view.lease.notice_at) or view.leaving.free in (Free.slashed, Free.downtime)


@dataclass(frozen=True)
class Actions:
    """What `keep` acts with. `silent` asks every device for a signed sign of life and names those that give none;
    `collect` has attested downtime credited and says whether no more can come of what is over."""

    view: Callable[[], Awaitable[LeaseView]]
    silent: Callable[[], Awaitable[tuple[str, ...]]]
    collect: Callable[[Lease], Awaitable[bool]]
    top_up: Callable[[int], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    tell: Callable[[str], None]
    amount: Callable[[int], str]  # base units as people read them
    moment: Callable[[int], str]  # a time of the chain as people read it
    prove: Prove | None = None


class Keeper:
    """Keeps one lease. `every` is the seconds between looks."""

    def __init__(self, actions: Actions, policy: Policy, every: float) -> None:
        self._actions = actions
        self._policy = policy
        self._every = every
        self._told: set[str] = set()
        proving, prove = policy.proving, actions.prove
        self._proofs = ProofRounds(prove, proving, actions.clock, actions.tell) if proving and prove else None

    async def keep(self) -> Move:
        """Looks until the lease is over: STOP, or END where it was left because its devices fell silent, were down for
        too long, one was slashed, or a proof in the pod failed and that is to end it.

        A round in which the chain cannot be read counts for nothing: then it is we who are cut off.
        """
        try:
            return await self._keep()
        finally:
            if self._proofs is not None:
                await self._proofs.close()

    async def _keep(self) -> Move:
        actions, silent, last, fault = self._actions, 0.0, self._actions.clock(), ""
        while True:
            now = actions.clock()
            passed, last = min(now - last, MAX_SILENCE_A_ROUND * self._every), now
            try:
                view, quiet = await actions.view(), tuple[str, ...]()
                if view.leaving.free is not Free.slashed:
                    quiet = await actions.silent()
                    silent = silent + passed if quiet else 0.0
                    await self._collect(view.lease)
                    # What was just credited may have set us free.
                    view = await actions.view()
                # One that was found in a round that broke off is not forgotten.
                fault = (self._proofs.look() if self._proofs else "") or fault
                what, amount = move(view, silent, self._policy, fault)
                if await self._act(view, what, amount, silent, quiet, fault):
                    return what
                fault = ""
            except (ChainError, RenterError) as error:
                self._tell_failure(error)
            await actions.sleep(self._every)

    async def settle(self) -> None:
        """Stays after the end until no more downtime of the lease can be credited."""
        actions = self._actions
        while True:
            try:
                view = await actions.view()
                settled = await actions.collect(view.lease)
                if settled and view.leaving.free is Free.over:
                    return
            except (ChainError, RenterError) as error:
                self._tell_failure(error)
            await actions.sleep(self._every)

    async def _collect(self, lease: Lease) -> None:
        """Has downtime credited; the lease is looked after all the same where that fails."""
        try:
            await self._actions.collect(lease)
        except (ChainError, RenterError) as error:
            self._actions.tell(f"downtime was not claimed this time, trying again in {self._every:g} s: {error}")

    def _tell_failure(self, error: Exception) -> None:
        self._actions.tell(f"failed this time, trying again in {self._every:g} s: {error}")

    async def _act(
        self, view: LeaseView, what: Move, amount: int, silent: float, quiet: tuple[str, ...], fault: str
    ) -> bool:
        """Whether nothing is left to keep."""
        lease = view.lease
        if what is Move.END:
            self._actions.tell(f"ending lease {lease.lease_id}: {fault or self._reason(view, silent, quiet)}")
            await self._actions.end()
        if what is Move.TOP_UP:
            self._actions.tell(
                f"{lease.stop - view.now} s left of lease {lease.lease_id}: adding {self._actions.amount(amount)}"
            )
            await self._actions.top_up(amount)
        if what is Move.WAIT:
            self._tell_waiting(view, silent, quiet)
        if what is Move.MOVE:
            self._actions.tell(f"moving lease {lease.lease_id}: {fault or self._why_moved(view, silent, quiet)}")
        return what in (Move.STOP, Move.END, Move.MOVE)

    def _why_moved(self, view: LeaseView, silent: float, quiet: tuple[str, ...]) -> str:
        if quiet and silent:
            return f"{_named(quiet)} not answered for {silent:.0f} s"
        return str(view.leaving.free)

    def _reason(self, view: LeaseView, silent: float, quiet: tuple[str, ...]) -> str:
        if view.leaving.free in (Free.slashed, Free.downtime):
            return str(view.leaving.free)
        return f"{_named(quiet)} not answered for {silent:.0f} s, and {view.leaving.free}"

    def _tell_waiting(self, view: LeaseView, silent: float, quiet: tuple[str, ...]) -> None:
        """Says once why nothing is done though something is wrong."""
        lease, way = view.lease, view.leaving
        if lease.notice_at:
            until = self._actions.moment(lease.notice_at + lease.notice)
            self._once(
                "notice",
                f"the provider of lease {lease.lease_id} has given notice: it may end it from {until} on, "
                "you at any time for nothing",
            )
        if silent == 0:
            self._told.discard("silence")
        patience = self._policy.patience
        if way.free is None and not lease.left_early and patience is not None and silent >= patience:
            cost, free_from = self._actions.amount(way.cost), self._actions.moment(way.free_from)
            self._once(
                "silence",
                f"{_named(quiet)} not answered for {silent:.0f} s; leaving now would cost {cost} more for nothing, so "
                "this stays, has downtime credited as reports attest it, and leaves after "
                f"{way.downtime_left} s more of it, or at {free_from}",
            )

    def _once(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._actions.tell(text)


def _named(quiet: tuple[str, ...]) -> str:
    return f"device {quiet[0]} has" if len(quiet) == 1 else f"devices {', '.join(quiet)} have"
