"""Epochs, and who was present in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from assay.market.events.epoch_events import (
    EpochDrawn,
    EpochOpened,
    EpochReported,
    EpochSealed,
    EpochVoided,
    SignaturesAdded,
)
from assay.market.events.record import Event, Place
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, RowReader
from assay.protocol.epochs import Phase
from assay.protocol.quorum import MAX_SEATS

WANTED = "wanted"  # the report's content has not been fetched yet


@handles(EpochOpened)
def epoch_opened(event: EpochOpened, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change(
        "epochs",
        (event.epoch,),
        {
            "phase": int(Phase.OPEN),
            "set_id": event.set_id,
            "beacon": event.beacon,
            "epoch_seed": event.epoch_seed,
            "opened_at": place.timestamp,
            "opened_block": place.block,
        },
    )


@handles(EpochSealed)
def epoch_sealed(event: EpochSealed, place: Place, rows: RowReader) -> Iterable[Change]:
    yield from _presence(rows, event.epoch, "seal", 0, event.signers)
    yield Change(
        "epochs",
        (event.epoch,),
        {
            "phase": int(Phase.SEALED),
            "sealed_at": place.timestamp,
            "seal_round": event.round,
            "seal_root": event.seal_root,
            "seal_count": event.count,
            "seal_signers": event.signers,
        },
    )


@handles(EpochDrawn)
def epoch_drawn(event: EpochDrawn, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("epochs", (event.epoch,), {"phase": int(Phase.DRAWN), "drawn_at": place.timestamp, "rho": event.rho})


@handles(EpochReported)
def epoch_reported(event: EpochReported, place: Place, rows: RowReader) -> Iterable[Change]:
    yield from _presence(rows, event.epoch, "report", 0, event.signers)
    yield Change(
        "epochs",
        (event.epoch,),
        {
            "phase": int(Phase.REPORTED),
            "reported_at": place.timestamp,
            "reported_block": place.block,
            "report_round": event.round,
            "devices_root": event.devices_root,
            "rewards_root": event.rewards_root,
            "rewards_total": event.rewards_total,
            "data_hash": event.data_hash,
            "report_signers": event.signers,
            "devices_content": WANTED,
            "rewards_content": WANTED,
            "batches_content": WANTED,
        },
    )


@handles(EpochVoided)
def epoch_voided(event: EpochVoided, place: Place, rows: RowReader) -> Iterable[Change]:
    known = {"phase": int(Phase.VOID), "void_after": event.reached, "voided_at": place.timestamp}
    yield Change("epochs", (event.epoch,), known)


@handles(SignaturesAdded)
def signatures_added(event: SignaturesAdded, place: Place, rows: RowReader) -> Iterable[Change]:
    what = "report" if event.is_report else "seal"
    epoch = rows.row("epochs", (event.epoch,)) or {}
    before = epoch.get(f"{what}_signers", 0)
    yield from _presence(rows, event.epoch, what, before, before | event.signers)
    yield Change("epochs", (event.epoch,), {f"{what}_signers": before | event.signers})


def _presence(rows: RowReader, epoch: int, what: str, before: int, after: int) -> Iterator[Change]:
    """Counts a duty for each seat of the set the first time, and presence for each new bit of the mask."""
    set_id = (rows.row("epochs", (epoch,)) or {}).get("set_id", 0)
    for seat in range(MAX_SEATS):
        row = rows.row("set_seats", (set_id, seat))
        if row is None:
            return
        signed = (after & ~before) >> seat & 1
        add = {f"{what}s": signed} | ({f"{what}_duties": 1} if before == 0 else {})
        yield Change("validators", (row["account"],), add=add)


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h for h in (epoch_opened, epoch_sealed, epoch_drawn, epoch_reported, epoch_voided, signatures_added)
}
