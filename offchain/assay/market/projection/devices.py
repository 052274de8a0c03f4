"""Profiles and devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.chain.rpc.abi_values import announced
from assay.market.events.device_events import (
    DeviceEndpoint,
    DeviceEnrolled,
    DeviceRetired,
    DeviceStakeReleased,
    ProfileAdded,
    ProfileClosed,
)
from assay.market.events.record import Event, Place
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, RowReader

ACTIVE, RETIRED, SLASHED = 1, 2, 3
PROFILE_COLUMNS = ("m", "n", "k", "t", "chunk", "samples", "w", "deadline_ms", "credit", "max_gops", "stake")


@handles(ProfileAdded)
def profile_added(event: ProfileAdded, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("profiles", (event.id,), dict(zip(PROFILE_COLUMNS, event.profile, strict=True)))


@handles(ProfileClosed)
def profile_closed(event: ProfileClosed, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("profiles", (event.id,), {"closed": True, "credit": 0})


@handles(DeviceEnrolled)
def device_enrolled(event: DeviceEnrolled, place: Place, rows: RowReader) -> Iterable[Change]:
    known = rows.row("devices", (event.device_id,))
    if known is None or known["provider"] is None:
        standing = rows.row("providers", (event.provider,))
        first = {} if standing and standing["since"] else {"since": place.timestamp}
        yield Change("providers", (event.provider,), first, {"devices": 1, "active": 1})
    yield Change(
        "devices",
        (event.device_id,),
        {
            "provider": event.provider,
            "device_key": event.device_key,
            "profile": event.profile,
            "spec_hash": event.spec_hash,
            "status": ACTIVE,
            "enrolled_block": place.block,
            "enrolled_at": place.timestamp,
        },
    )


@handles(DeviceEndpoint)
def device_endpoint(event: DeviceEndpoint, place: Place, rows: RowReader) -> Iterable[Change]:
    known = {"endpoint": announced(event.endpoint), "tls_fingerprint": event.tls_fingerprint}
    yield Change("devices", (event.device_id,), known)


@handles(DeviceRetired)
def device_retired(event: DeviceRetired, place: Place, rows: RowReader) -> Iterable[Change]:
    device = rows.row("devices", (event.device_id,))
    if device is not None and device["provider"] is not None:
        gone = -int(device["status"] == ACTIVE)
        slashed = int(event.status == SLASHED and device["status"] != SLASHED)
        yield Change("providers", (device["provider"],), add={"active": gone, "slashed": slashed})
    yield Change("devices", (event.device_id,), {"status": event.status, "retired_at": place.timestamp})


@handles(DeviceStakeReleased)
def stake_released(event: DeviceStakeReleased, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("devices", (event.device_id,), {"stake_released": True})


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h
    for h in (
        profile_added,
        profile_closed,
        device_enrolled,
        device_endpoint,
        device_retired,
        stake_released,
    )
}
