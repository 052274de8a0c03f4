"""Validator seats and their sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from assay.chain.abi_values import announced
from assay.market.events.record import Event, Place
from assay.market.events.seat_events import (
    CheckedIn,
    SeatEndpoint,
    SeatEvicted,
    SeatJoinCancelled,
    SeatJoined,
    SeatKept,
    SeatLeft,
    SeatOutbid,
    SeatSlashed,
    SeatTaken,
    SeatVacated,
    SetChanged,
)
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, Rows

# A change of seats waits in a queue until an epoch is opened that has room for it.
WAITING, SEATED, LEAVING, CANCELLED, SLASHED = "waiting", "seated", "leaving", "cancelled", "slashed"
SITTING = (SEATED, LEAVING)
LEFT, OUTBID, EVICTED = "left", "outbid", "evicted"


@handles(SeatJoined)
def seat_joined(event: SeatJoined, place: Place, rows: Rows) -> Iterable[Change]:
    known = {"signer": event.signer, "status": WAITING, "reason": "", "earliest_epoch": event.earliest_epoch}
    yield Change("validators", (event.account,), known | {"joined_epoch": 0, "left_epoch": 0, "outbid_by": None})


@handles(SeatTaken)
def seat_taken(event: SeatTaken, place: Place, rows: Rows) -> Iterable[Change]:
    known = {"signer": event.signer, "status": SEATED, "joined_epoch": event.epoch, "earliest_epoch": 0}
    yield Change("validators", (event.account,), known)


@handles(SeatJoinCancelled)
def join_cancelled(event: SeatJoinCancelled, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("validators", (event.account,), {"status": CANCELLED, "earliest_epoch": 0})


@handles(SeatKept)
def seat_kept(event: SeatKept, place: Place, rows: Rows) -> Iterable[Change]:
    kept = {"status": SEATED, "reason": "", "earliest_epoch": 0, "outbid_by": None}
    yield Change("validators", (event.account,), kept)


def _leaving(account: str, reason: str, earliest: int, **more: str) -> Change:
    known = {"status": LEAVING, "reason": reason, "earliest_epoch": earliest}
    return Change("validators", (account,), known | more)


@handles(SeatLeft)
def seat_left(event: SeatLeft, place: Place, rows: Rows) -> Iterable[Change]:
    yield _leaving(event.account, LEFT, event.earliest_epoch)


@handles(SeatOutbid)
def seat_outbid(event: SeatOutbid, place: Place, rows: Rows) -> Iterable[Change]:
    yield _leaving(event.account, OUTBID, event.earliest_epoch, outbid_by=event.by)


@handles(SeatEvicted)
def seat_evicted(event: SeatEvicted, place: Place, rows: Rows) -> Iterable[Change]:
    yield _leaving(event.account, EVICTED, event.earliest_epoch)


@handles(SeatSlashed)
def seat_slashed(event: SeatSlashed, place: Place, rows: Rows) -> Iterable[Change]:
    seat = rows.row("validators", (event.account,))
    # The account may sit again since, with another signer: this was its former seat.
    if seat is None or seat["signer"] in (None, event.signer):
        yield Change("validators", (event.account,), {"status": SLASHED, "reason": SLASHED})


@handles(SeatVacated)
def seat_vacated(event: SeatVacated, place: Place, rows: Rows) -> Iterable[Change]:
    seat = rows.row("validators", (event.account,))
    reason = seat["reason"] if seat and seat["reason"] else LEFT
    yield Change("validators", (event.account,), {"status": reason, "left_epoch": event.epoch, "earliest_epoch": 0})


@handles(SeatEndpoint)
def seat_endpoint(event: SeatEndpoint, place: Place, rows: Rows) -> Iterable[Change]:
    known = {"endpoint": announced(event.endpoint), "tls_fingerprint": event.tls_fingerprint}
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
    for h in (
        seat_joined, seat_taken, join_cancelled, seat_kept, seat_left, seat_outbid, seat_evicted, seat_slashed,
        seat_vacated, seat_endpoint, checked_in, set_changed,
    )
}  # fmt: skip
