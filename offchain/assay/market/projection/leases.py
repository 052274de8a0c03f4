"""Leases: the money held, streamed, paid out, forfeited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from assay.market.events.lease_events import (
    BondReturned,
    DeviceOfLeaseSlashed,
    DowntimeRefunded,
    ForfeitForgiven,
    ForfeitSettled,
    LeaseCancelled,
    LeaseClaimed,
    LeaseEnded,
    LeaseOpened,
    LeaseRefunded,
    LeaseReleased,
    LeaseStarted,
    LeaseToppedUp,
    NoticeGiven,
    RefunderNamed,
)
from assay.market.events.record import Event, Place
from assay.market.projection.handler import Handler, handles
from assay.market.projection.lease_money import ACTIVE, CANCELLED, ENDED, PENDING, slash_share
from assay.market.store.rows import Change, RowReader


@handles(LeaseOpened)
def lease_opened(event: LeaseOpened, place: Place, rows: RowReader) -> Iterable[Change]:
    offer = event.offer
    yield Change(
        "leases",
        (event.lease_id,),
        {
            "renter": event.renter,
            "provider": event.provider,
            "operator": offer.operator,
            "device_ids": offer.device_ids,
            "token": offer.token,
            "status": PENDING,
            "offer_hash": event.offer_hash,
            "rate": offer.rate,
            "min_duration": offer.min_duration,
            "max_duration": offer.max_duration,
            "valid_until": offer.valid_until,
            "nonce": offer.nonce,
            "offer_renter": offer.renter,
            "notice": offer.notice,
            "deposit": event.deposit,
            "opened_at": place.timestamp,
            "opened_block": place.block,
            "open_transaction": place.transaction,
        },
    )
    for device_id in offer.device_ids:
        yield Change("lease_devices", (device_id, event.lease_id))
        yield Change("devices", (device_id,), add={"leases": 1})


@handles(LeaseCancelled)
def lease_cancelled(event: LeaseCancelled, place: Place, rows: RowReader) -> Iterable[Change]:
    known = {"status": CANCELLED, "ended_at": place.timestamp, "end_transaction": place.transaction}
    yield Change("leases", (event.lease_id,), known)


@handles(LeaseStarted)
def lease_started(event: LeaseStarted, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change(
        "leases",
        (event.lease_id,),
        {
            "status": ACTIVE,
            "result_roots": event.result_roots,
            "start": event.start,
            "stop": event.stop,
            "bond": event.bond,
            "start_transaction": place.transaction,
        },
    )
    yield from _of_provider(rows, event.lease_id, "leases")
    for device_id in _devices(rows, event.lease_id):
        yield Change("devices", (device_id,), {"active_lease": event.lease_id})


@handles(LeaseToppedUp)
def lease_topped_up(event: LeaseToppedUp, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), {"stop": event.stop}, {"deposit": event.amount})


@handles(NoticeGiven)
def notice_given(event: NoticeGiven, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), {"free_from": event.free_from})


@handles(LeaseEnded)
def lease_ended(event: LeaseEnded, place: Place, rows: RowReader) -> Iterable[Change]:
    # Who leaves before the minimum pays on to it: until then the devices stay the renter's.
    stays = event.stop > place.timestamp
    lease = rows.row("leases", (event.lease_id,))
    by_renter = lease is not None and event.by == lease["renter"]
    yield from _of_provider(rows, event.lease_id, "ended_by_renter" if by_renter else "ended_by_provider")
    yield Change(
        "leases",
        (event.lease_id,),
        {
            "status": ACTIVE if stays else ENDED,
            "left_early": stays,
            "stop": event.stop,
            "forfeited": event.forfeited,
            "ended_at": place.timestamp,
            "ended_by": event.by,
            "end_transaction": place.transaction,
        },
    )
    if not stays:
        yield from _freed(rows, event.lease_id)


@handles(LeaseReleased)
def lease_released(event: LeaseReleased, place: Place, rows: RowReader) -> Iterable[Change]:
    lease = rows.row("leases", (event.lease_id,))
    known = {"status": ENDED, "stop": event.stop, "released_at": place.timestamp}
    yield Change("leases", (event.lease_id,), known | {"released_downtime": lease["downtime"] if lease else 0})
    yield from _freed(rows, event.lease_id)


def _of_provider(rows: RowReader, lease_id: int, what: str) -> Iterator[Change]:
    """Counts one more of something in the history of a lease's provider."""
    lease = rows.row("leases", (lease_id,))
    if lease is not None and lease["provider"] is not None:
        yield Change("providers", (lease["provider"],), add={what: 1})


def _devices(rows: RowReader, lease_id: int) -> tuple[bytes, ...]:
    lease = rows.row("leases", (lease_id,))
    return tuple(lease["device_ids"]) if lease else ()


def _freed(rows: RowReader, lease_id: int) -> Iterator[Change]:
    for device_id in _devices(rows, lease_id):
        device = rows.row("devices", (device_id,))
        # Another lease may have started since this one ran out.
        if device is not None and device["active_lease"] == lease_id:
            yield Change("devices", (device_id,), {"active_lease": 0})


@handles(LeaseClaimed)
def lease_claimed(event: LeaseClaimed, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), add={"claimed": event.amount, "fee": event.fee})


@handles(LeaseRefunded)
def lease_refunded(event: LeaseRefunded, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), add={"refunded": event.amount})


@handles(BondReturned)
def bond_returned(event: BondReturned, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), add={"bond_returned": event.amount})


@handles(DowntimeRefunded)
def downtime_refunded(event: DowntimeRefunded, place: Place, rows: RowReader) -> Iterable[Change]:
    lease = rows.row("leases", (event.lease_id,))
    seconds = event.downtime - (lease["downtime"] if lease else 0)
    yield Change("leases", (event.lease_id,), {"downtime": event.downtime}, {"downtime_credit": event.amount})
    known = {"device_id": event.device_id, "amount": event.amount, "transaction": place.transaction}
    yield Change("downtimes", (event.lease_id, event.epoch), known | {"seconds": seconds})


@handles(ForfeitSettled)
def forfeit_settled(event: ForfeitSettled, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), {"forfeit_settled": True})


@handles(ForfeitForgiven)
def forfeit_forgiven(event: ForfeitForgiven, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("leases", (event.lease_id,), {"forfeit_forgiven": True})


@handles(DeviceOfLeaseSlashed)
def device_of_lease_slashed(event: DeviceOfLeaseSlashed, place: Place, rows: RowReader) -> Iterable[Change]:
    lease = rows.row("leases", (event.lease_id,))
    share = slash_share(lease, place.timestamp) if lease and lease["start"] else 0
    yield Change("leases", (event.lease_id,), add={"slashed_devices": 1, "slash_forfeit": share})
    yield Change("lease_devices", (event.device_id, event.lease_id), {"slashed_at": place.timestamp})


@handles(RefunderNamed)
def refunder_named(event: RefunderNamed, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("refunders", (event.renter, event.agent), {"may": event.may})


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h
    for h in (
        lease_opened, lease_cancelled, lease_started, lease_topped_up, notice_given, lease_ended, lease_released,
        lease_claimed, lease_refunded, bond_returned, downtime_refunded, forfeit_settled,
        forfeit_forgiven, device_of_lease_slashed, refunder_named,
    )
}  # fmt: skip
