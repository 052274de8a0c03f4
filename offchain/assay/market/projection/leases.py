"""Leases: the money held, streamed, paid out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.market.events.lease_events import (
    BondForfeited,
    BondReturned,
    DowntimeRefunded,
    LeaseCancelled,
    LeaseClaimed,
    LeaseEnded,
    LeaseOpened,
    LeaseRefunded,
    LeaseStarted,
    LeaseToppedUp,
)
from assay.market.events.record import Event, Place
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, Rows

PENDING, ACTIVE, ENDED, CANCELLED = 1, 2, 3, 4


@handles(LeaseOpened)
def lease_opened(event: LeaseOpened, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change(
        "leases",
        (event.lease_id,),
        {
            "renter": event.renter,
            "provider": event.provider,
            "device_id": event.device_id,
            "token": event.token,
            "status": PENDING,
            "rate": event.rate,
            "deposit": event.deposit,
            "opened_at": place.timestamp,
            "open_transaction": place.transaction,
        },
    )
    yield Change("devices", (event.device_id,), add={"leases": 1})


@handles(LeaseCancelled)
def lease_cancelled(event: LeaseCancelled, place: Place, rows: Rows) -> Iterable[Change]:
    known = {"status": CANCELLED, "ended_at": place.timestamp, "end_transaction": place.transaction}
    yield Change("leases", (event.lease_id,), known)


@handles(LeaseStarted)
def lease_started(event: LeaseStarted, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change(
        "leases",
        (event.lease_id,),
        {
            "status": ACTIVE,
            "result_root": event.result_root,
            "start": event.start,
            "stop": event.stop,
            "bond": event.bond,
            "start_transaction": place.transaction,
        },
    )
    lease = rows.row("leases", (event.lease_id,))
    if lease is not None and lease["device_id"] is not None:
        yield Change("devices", (lease["device_id"],), {"active_lease": event.lease_id})


@handles(LeaseToppedUp)
def lease_topped_up(event: LeaseToppedUp, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), {"stop": event.stop}, {"deposit": event.amount})


@handles(LeaseEnded)
def lease_ended(event: LeaseEnded, place: Place, rows: Rows) -> Iterable[Change]:
    # An end that forfeits nothing leaves what downtime had forfeited before.
    forfeited = {"forfeited": event.forfeited_bond} if event.forfeited_bond else {}
    yield Change(
        "leases",
        (event.lease_id,),
        forfeited
        | {
            "status": ENDED,
            "stop": event.stop,
            "ended_at": place.timestamp,
            "ended_by": event.by,
            "end_transaction": place.transaction,
        },
    )
    lease = rows.row("leases", (event.lease_id,))
    if lease is not None and lease["device_id"] is not None:
        device = rows.row("devices", (lease["device_id"],))
        # Another lease may have started since this one ran out.
        if device is not None and device["active_lease"] == event.lease_id:
            yield Change("devices", (lease["device_id"],), {"active_lease": 0})


@handles(LeaseClaimed)
def lease_claimed(event: LeaseClaimed, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), add={"claimed": event.amount, "fee": event.fee})


@handles(LeaseRefunded)
def lease_refunded(event: LeaseRefunded, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), add={"refunded": event.amount})


@handles(BondReturned)
def bond_returned(event: BondReturned, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), add={"bond_returned": event.amount})


@handles(DowntimeRefunded)
def downtime_refunded(event: DowntimeRefunded, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), add={"downtime_credit": event.amount})


@handles(BondForfeited)
def bond_forfeited(event: BondForfeited, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), {"forfeited": event.amount})


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h
    for h in (
        lease_opened, lease_cancelled, lease_started, lease_topped_up, lease_ended, lease_claimed,
        lease_refunded,
        bond_returned, downtime_refunded, bond_forfeited,
    )
}  # fmt: skip
