"""Validator seats and their sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from assay.market.events.record import Event, Place
from assay.market.events.seat_events import (
    CheckedIn,
    SeatEndpoint,
    SeatEvicted,
    SeatJoined,
    SeatLeft,
    SeatOutbid,
    SeatSlashed,
    SetChanged,
)
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, Rows


@handles(SeatJoined)
def seat_joined(event: SeatJoined, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change(
        "validators",
        (event.account,),
        {"signer": event.signer, "status": "seated", "joined_epoch": event.effective_epoch, "left_epoch": 0},
    )


def _gone(account: str, status: str, epoch: int, **more: str) -> Change:
    return Change("validators", (account,), {"status": status, "left_epoch": epoch, **more})


@handles(SeatLeft)
def seat_left(event: SeatLeft, place: Place, rows: Rows) -> Iterable[Change]:
    yield _gone(event.account, "left", event.effective_epoch)


@handles(SeatOutbid)
def seat_outbid(event: SeatOutbid, place: Place, rows: Rows) -> Iterable[Change]:
    yield _gone(event.account, "outbid", event.effective_epoch, outbid_by=event.by)


@handles(SeatEvicted)
def seat_evicted(event: SeatEvicted, place: Place, rows: Rows) -> Iterable[Change]:
    yield _gone(event.account, "evicted", event.effective_epoch)


@handles(SeatSlashed)
def seat_slashed(event: SeatSlashed, place: Place, rows: Rows) -> Iterable[Change]:
    yield _gone(event.account, "slashed", event.effective_epoch)


@handles(SeatEndpoint)
def seat_endpoint(event: SeatEndpoint, place: Place, rows: Rows) -> Iterable[Change]:
    known = {"endpoint": event.endpoint, "tls_fingerprint": event.tls_fingerprint}
    yield Change("validators", (event.account,), known)


@handles(CheckedIn)
def checked_in(event: CheckedIn, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("check_ins", (event.epoch, event.account))


@handles(SetChanged)
def set_changed(event: SetChanged, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("sets", (event.set_id,), {"first_epoch": event.first_epoch, "seats": event.seats})


def seats_of_set(set_id: int, seats: Sequence[tuple[str, str]]) -> Iterable[Change]:
    """The seats (account, signer) of a set in signing order, as `ValidatorSet.seatsOf` gives them."""
    for seat, (account, signer) in enumerate(seats):
        yield Change("set_seats", (set_id, seat), {"account": account, "signer": signer})


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h
    for h in (seat_joined, seat_left, seat_outbid, seat_evicted, seat_slashed, seat_endpoint, checked_in, set_changed)
}
