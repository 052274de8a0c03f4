"""Listings: what can be leased, with the offer it stands for and each device of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from assay.market.queries.pages import many, one
from assay.market.store.tables import devices, listings, offer_devices, offers, profiles, providers, specifications
from assay.protocol.types import DeviceId

MAX_OFFERS = 64


@dataclass(frozen=True, slots=True)
class Part:
    """A device of a listing."""

    device: dict[str, Any]
    profile: dict[str, Any] | None
    specification: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ListedOffer:
    """A listing, the offer that it stands for while one is good, its devices in order, and its provider's history."""

    row: dict[str, Any]
    offer: dict[str, Any] | None
    parts: list[Part]
    history: dict[str, Any] | None = None


def read_listing(connection: Connection, listing_id: bytes) -> ListedOffer | None:
    """None for a device that was never enrolled, and for devices that no good offer has together."""
    row = one(connection, listings, listing_id=listing_id)
    if row is None:
        return None
    offer = one(connection, offers, offer_hash=row["offer"]) if row["offer"] else None
    history = one(connection, providers, provider=row["provider"])
    return ListedOffer(row, offer, parts_of(connection, row["device_ids"]), history)


def parts_of(connection: Connection, device_ids: Iterable[DeviceId]) -> list[Part]:
    """These devices, in order."""
    found = []
    for device_id in device_ids:
        device = one(connection, devices, device_id=device_id)
        if device is not None:
            profile = one(connection, profiles, profile=device["profile"])
            found.append(Part(device, profile, one(connection, specifications, spec_hash=device["spec_hash"])))
    return found


def offers_of_device(connection: Connection, device_id: DeviceId) -> list[Mapping[str, Any]]:
    """Every offer to anyone that a device is part of, the smallest first."""
    query = (
        select(offers)
        .join(offer_devices, offer_devices.c.offer_hash == offers.c.offer_hash)
        .where(offer_devices.c.device_id == device_id)
        .order_by(offers.c.offer_hash)
        .limit(MAX_OFFERS)
    )
    return sorted(many(connection, query), key=lambda o: (len(o["device_ids"]), o["rate"], o["offer_hash"]))


def nodes_of_device(connection: Connection, device_id: DeviceId) -> list[Mapping[str, Any]]:
    """Listings of the nodes that a device is part of, the smallest first."""
    query = (
        select(listings)
        .join(offers, offers.c.offer_hash == listings.c.offer)
        .join(offer_devices, offer_devices.c.offer_hash == offers.c.offer_hash)
        .where(offer_devices.c.device_id == device_id, listings.c.gpus > 1)
        .order_by(listings.c.gpus, listings.c.listing_id)
        .limit(MAX_OFFERS)
    )
    return many(connection, query)
