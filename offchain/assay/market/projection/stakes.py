"""Stakes, and what proofs took of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.market.events.fault_events import FaultProven, WrongElementShown
from assay.market.events.record import Event, Place
from assay.market.events.stake_events import (
    BountyCollected,
    Deposited,
    Released,
    Reserved,
    SlashHeld,
    SlashRestored,
    SlashSettled,
    WithdrawalCancelled,
    WithdrawalRequested,
    Withdrawn,
)
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, RowReader

# As in IStakeManager: a slash is on hold, then settled or restored.
HELD, SETTLED, RESTORED = 1, 2, 3


@handles(Deposited)
def deposited(event: Deposited, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("stakes", (event.account,), add={"active": event.amount})


@handles(Reserved)
def reserved(event: Reserved, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("stakes", (event.account,), {"reserved": event.reserved})


@handles(Released)
def released(event: Released, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("stakes", (event.account,), {"reserved": event.reserved})


@handles(WithdrawalRequested)
def withdrawal_requested(event: WithdrawalRequested, place: Place, rows: RowReader) -> Iterable[Change]:
    add = {"active": -event.amount, "pending": event.amount}
    yield Change("stakes", (event.account,), {"unlock_at": event.unlock_at}, add)


@handles(WithdrawalCancelled)
def withdrawal_cancelled(event: WithdrawalCancelled, place: Place, rows: RowReader) -> Iterable[Change]:
    add = {"active": event.amount, "pending": -event.amount}
    yield Change("stakes", (event.account,), {"unlock_at": 0}, add)


@handles(Withdrawn)
def withdrawn(event: Withdrawn, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("stakes", (event.account,), {"unlock_at": 0}, {"pending": -event.amount})


@handles(SlashHeld)
def slash_held(event: SlashHeld, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("stakes", (event.owner,), add={"active": -event.amount, "held": event.amount})
    yield Change(
        "slashes",
        (event.held_id,),
        {
            "account": event.owner,
            "amount": event.amount,
            "bounty": event.bounty,
            "reporter": event.reporter,
            "status": HELD,
            "held_until": event.held_until,
            "block": place.block,
            "timestamp": place.timestamp,
            "transaction": place.transaction,
        },
    )


@handles(SlashSettled)
def slash_settled(event: SlashSettled, place: Place, rows: RowReader) -> Iterable[Change]:
    slash = rows.row("slashes", (event.held_id,))
    if slash is not None:
        yield Change("stakes", (slash["account"],), add={"held": -slash["amount"], "slashed": slash["amount"]})
    yield Change("stakes", (event.reporter,), add={"bounties": event.bounty})
    yield Change("slashes", (event.held_id,), {"status": SETTLED} | _closed(place))


@handles(SlashRestored)
def slash_restored(event: SlashRestored, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("stakes", (event.owner,), add={"active": event.amount, "held": -event.amount})
    yield Change("slashes", (event.held_id,), {"status": RESTORED} | _closed(place))


def _closed(place: Place) -> dict[str, object]:
    return {"closed_at": place.timestamp, "close_transaction": place.transaction}


@handles(BountyCollected)
def bounty_collected(event: BountyCollected, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("stakes", (event.reporter,), add={"bounties_collected": event.amount})


@handles(FaultProven)
def fault_proven(event: FaultProven, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change(
        "faults",
        (event.kind, event.subject, event.epoch, event.account),
        {
            "block": place.block,
            "log_index": place.log_index,
            "timestamp": place.timestamp,
            "transaction": place.transaction,
            "amount": event.amount,
            "held_id": event.held_id,
            "reporter": event.reporter,
        },
    )


@handles(WrongElementShown)
def wrong_element_shown(event: WrongElementShown, place: Place, rows: RowReader) -> Iterable[Change]:
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
        deposited, reserved, released, withdrawal_requested, withdrawal_cancelled, withdrawn, slash_held,
        slash_settled, slash_restored, bounty_collected, fault_proven, wrong_element_shown,
    )
}  # fmt: skip
