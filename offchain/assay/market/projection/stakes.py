"""Stakes, and what proofs took of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.market.events.fault_events import FaultProven, WrongElementShown
from assay.market.events.record import Event, Place
from assay.market.events.stake_events import (
    BountyCollected,
    DemandClosed,
    DemandOpened,
    Deposited,
    Released,
    Reserved,
    Slashed,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
)
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, Rows


@handles(Deposited)
def deposited(event: Deposited, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("stakes", (event.account,), add={"active": event.amount})


@handles(Reserved)
def reserved(event: Reserved, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("stakes", (event.account,), {"reserved": event.reserved})


@handles(Released)
def released(event: Released, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("stakes", (event.account,), {"reserved": event.reserved})


@handles(WithdrawalRequested)
def withdrawal_requested(event: WithdrawalRequested, place: Place, rows: Rows) -> Iterable[Change]:
    add = {"active": -event.amount, "pending": event.amount}
    yield Change("stakes", (event.account,), {"unlock_at": event.unlock_at}, add)


@handles(WithdrawalCancelled)
def withdrawal_cancelled(event: WithdrawalCancelled, place: Place, rows: Rows) -> Iterable[Change]:
    add = {"active": event.amount, "pending": -event.amount}
    yield Change("stakes", (event.account,), {"unlock_at": 0}, add)


@handles(Withdrawn)
def withdrawn(event: Withdrawn, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("stakes", (event.account,), {"unlock_at": 0}, {"pending": -event.amount})


@handles(DemandOpened)
def demand_opened(event: DemandOpened, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("stakes", (event.account,), {"open_demands": event.open_demands})


@handles(DemandClosed)
def demand_closed(event: DemandClosed, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("stakes", (event.account,), {"open_demands": event.open_demands})


@handles(Slashed)
def slashed(event: Slashed, place: Place, rows: Rows) -> Iterable[Change]:
    stake = rows.row("stakes", (event.account,)) or {}
    active = min(event.amount, stake.get("active", 0))
    pending = min(event.amount - active, stake.get("pending", 0))
    add = {"active": -active, "pending": -pending, "slashed": event.amount}
    yield Change("stakes", (event.account,), add=add)
    yield Change("stakes", (event.reporter,), add={"bounties": event.bounty})
    yield Change(
        "slashes",
        (place.block, place.log_index),
        {
            "account": event.account,
            "amount": event.amount,
            "bounty": event.bounty,
            "reporter": event.reporter,
            "transaction": place.transaction,
            "timestamp": place.timestamp,
        },
    )


@handles(BountyCollected)
def bounty_collected(event: BountyCollected, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("stakes", (event.reporter,), add={"bounties_collected": event.amount})


@handles(FaultProven)
def fault_proven(event: FaultProven, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change(
        "faults",
        (event.kind, event.subject, event.epoch, event.account),
        {
            "block": place.block,
            "log_index": place.log_index,
            "timestamp": place.timestamp,
            "transaction": place.transaction,
            "amount": event.amount,
            "reporter": event.reporter,
        },
    )


@handles(WrongElementShown)
def wrong_element_shown(event: WrongElementShown, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change(
        "wrong_elements",
        (event.device_id, event.epoch),
        {
            "t": event.t,
            "i": event.i,
            "j": event.j,
            "claimed": event.claimed,
            "correct": event.correct,
            "transaction": place.transaction,
        },
    )


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h
    for h in (
        deposited, reserved, released, withdrawal_requested, withdrawal_cancelled, withdrawn, demand_opened,
        demand_closed, slashed, bounty_collected, fault_proven, wrong_element_shown,
    )
}  # fmt: skip
