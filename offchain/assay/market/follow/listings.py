"""Refreshes the listings that a batch has touched, and those that time has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from assay.market.projection.listings import FRESH_STATES, Member, Now, Passed, Priced, listing, recount
from assay.market.projection.offers import OfferStanding, best, good_until, signer_of
from assay.market.store.rows import Change, Row, WorkingSet
from assay.market.store.tables import devices, epochs, listings, offer_devices, offers
from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.leaves import Flag
from assay.protocol.types import DeviceId

_PIECE = 500
Offer = Mapping[str, Any]
Ids = tuple[DeviceId, ...]


def refresh_listings(connection: Connection, rows: WorkingSet, timestamp: int, max_age: int) -> None:
    """Works out the listings of every device that changed, or whose offer, lease or pass has run out by
    now, and of the nodes that it is part of.
    """
    now = _now(connection, rows, timestamp, max_age)
    refresh_devices(connection, rows, sorted(_touched(connection, rows, now)), timestamp, max_age)


def refresh_devices(
    connection: Connection, rows: WorkingSet, device_ids: Sequence[DeviceId], timestamp: int, max_age: int
) -> None:
    """Works out the listings of these devices and of every node that one of them is part of."""
    _ListingUpdate(connection, rows, _now(connection, rows, timestamp, max_age), _changed_offers(rows)).refresh(
        device_ids
    )


def refresh_all(connection: Connection, rows: WorkingSet, timestamp: int, max_age: int) -> None:
    """Works out the listings of all devices and nodes."""
    everything = list(connection.execute(select(devices.c.device_id).order_by(devices.c.device_id)).scalars())
    refresh_devices(connection, rows, everything, timestamp, max_age)


def _now(connection: Connection, rows: WorkingSet, timestamp: int, max_age: int) -> Now:
    newest = connection.execute(select(func.max(epochs.c.epoch))).scalar() or 0
    newest = max([newest, *(key[0] for key in rows.touched("epochs"))])
    return Now(timestamp, max(0, newest - max_age))


def _changed_offers(rows: WorkingSet) -> list[Offer]:
    """The offers that a batch adds, changes or takes away, as they were and as they are."""
    both = (offer for key in rows.touched("offers") for offer in (rows.before("offers", key), rows.row("offers", key)))
    return [offer for offer in both if offer is not None]


def _touched(connection: Connection, rows: WorkingSet, now: Now) -> set[DeviceId]:
    """Devices whose own facts, or whose offers', lie in the batch, and those that time has changed."""
    touched = {key[0] for table in ("devices", "nonce_floors") for key in rows.touched(table)}
    touched.update(device_id for offer in _changed_offers(rows) for device_id in offer["device_ids"])
    for lease in rows.touched("leases"):
        if row := rows.row("leases", lease):
            touched.update(row["device_ids"])
    for spec in rows.touched("specifications"):
        found = select(devices.c.device_id).where(devices.c.spec_hash == spec[0])
        touched.update(connection.execute(found).scalars())
    # Slashes are rare, and cost their stake: the other columns of a provider stand in no listing.
    slashed = [
        key[0]
        for key in rows.touched("providers")
        if _slashes(rows.before("providers", key)) != _slashes(rows.row("providers", key))
    ]
    for start in range(0, len(slashed), _PIECE):
        found = select(devices.c.device_id).where(devices.c.provider.in_(slashed[start : start + _PIECE]))
        touched.update(connection.execute(found).scalars())
    conditions = [
        *((offers.c.provider == provider) & (offers.c.operator == who) for provider, who in rows.touched("operators")),
        *(offers.c.token == key[0] for key in rows.touched("tokens")),
    ]
    for condition in conditions:
        for ids in connection.execute(select(offers.c.device_ids).where(condition)).scalars():
            touched.update(ids)
    for ids in connection.execute(select(listings.c.device_ids).where(_run_out(now))).scalars():
        touched.update(ids)
    return touched


def _slashes(provider: Mapping[str, Any] | None) -> int:
    return int(provider["slashed"]) if provider else 0


def _run_out(now: Now) -> ColumnElement[bool]:
    by_time = (listings.c.changes_at > 0) & (listings.c.changes_at <= now.timestamp)
    return by_time | ((listings.c.passed_epoch < now.oldest_pass) & listings.c.state.in_(FRESH_STATES))


class _ListingUpdate:
    """Works listings out from the rows as they stand with the batch. `changed` are the offers that it adds, changes or
    takes away, as they were and as they are.
    """

    def __init__(self, connection: Connection, rows: WorkingSet, now: Now, changed: Sequence[Offer]) -> None:
        self._connection = connection
        self._rows = rows
        self._now = now
        self._changed = changed
        self._done: set[bytes] = set()

    def refresh(self, device_ids: Sequence[DeviceId]) -> None:
        """The listings of these devices and of every node that one of them is part of."""
        for start in range(0, len(device_ids), _PIECE):
            piece = device_ids[start : start + _PIECE]
            found = self._offers_of(piece)
            by_listing: dict[bytes, list[Offer]] = {}
            for offer in found:
                by_listing.setdefault(offer["listing_id"], []).append(offer)
            nodes = {o["listing_id"]: o["device_ids"] for o in (*found, *self._gone(piece)) if len(o["device_ids"]) > 1}
            in_node: set[bytes] = set()
            for listing_id, ids in sorted(nodes.items()):
                priced = self._priced(by_listing.get(listing_id, ()))
                if priced is not None:
                    in_node.update(ids)
                if listing_id not in self._done:
                    self._done.add(listing_id)
                    self._refresh_node(listing_id, ids, priced)
            for device_id in piece:
                self._refresh_device(device_id, self._priced(by_listing.get(device_id, ())), device_id in in_node)

    def _offers_of(self, piece: Sequence[DeviceId]) -> list[Offer]:
        """Offers to anyone that one of these devices is part of, as they stand with this batch."""
        query = (
            select(offers)
            .join(offer_devices, offer_devices.c.offer_hash == offers.c.offer_hash)
            .where(offer_devices.c.device_id.in_(piece))
        )
        found: dict[bytes, Offer] = {}
        for row in self._connection.execute(query).mappings():
            found.setdefault(row["offer_hash"], dict(row))
        for offer in self._gone(piece):
            now = self._rows.row("offers", (offer["offer_hash"],))
            if now is None:
                found.pop(offer["offer_hash"], None)
            else:
                found[offer["offer_hash"]] = now
        return [offer for _, offer in sorted(found.items()) if offer["renter"] == ZERO_ADDRESS]

    def _gone(self, piece: Sequence[DeviceId]) -> Iterator[Offer]:
        wanted = set(piece)
        return (offer for offer in self._changed if not wanted.isdisjoint(offer["device_ids"]))

    def _priced(self, held: Sequence[Offer]) -> Priced | None:
        good = {o["offer_hash"]: until for o in held if (until := self._good_until(o))}
        chosen = best(offer for offer in held if offer["offer_hash"] in good)
        return None if chosen is None else Priced(chosen, good[chosen["offer_hash"]])

    def _good_until(self, offer: Offer) -> int:
        rows, signer, ids = self._rows, signer_of(offer), offer["device_ids"]
        standing = OfferStanding(
            tuple(rows.row("devices", (device_id,)) for device_id in ids),
            tuple(rows.row("nonce_floors", (device_id, signer)) for device_id in ids),
            rows.row("operators", (offer["provider"], offer["operator"])) if signer == offer["operator"] else None,
            rows.row("tokens", (offer["token"],)),
        )
        return good_until(offer, standing, self._now.timestamp)

    def _refresh_device(self, device_id: DeviceId, priced: Priced | None, in_node: bool) -> None:
        member = self._member(device_id)
        if member is None:
            return
        device = member.device
        passed = (
            Passed(device["passed_epoch"], device["score_gops"], device["memory_mib"]) if device["passed"] else None
        )
        self._write(device_id, listing([member], priced, passed, in_node, self._now))

    def _refresh_node(self, listing_id: bytes, ids: Ids, priced: Priced | None) -> None:
        """A node is listed as long as an offer of it is good."""
        members = [self._member(device_id) for device_id in ids] if priced else []
        known = [member for member in members if member is not None]
        if priced is None or len(known) < len(ids):
            self._write(listing_id, None)
        else:
            self._write(listing_id, listing(known, priced, self._passed_together(known), False, self._now))

    def _member(self, device_id: DeviceId) -> Member | None:
        rows = self._rows
        device = rows.row("devices", (device_id,))
        if device is None or device["provider"] is None:
            return None
        spec = rows.row("specifications", (device["spec_hash"],)) if device["spec_hash"] else None
        lease = rows.row("leases", (device["active_lease"],)) if device["active_lease"] else None
        provider = rows.row("providers", (device["provider"],))
        slashes = provider["slashed"] if provider else 0
        return Member(device, spec, lease, rows.row("profiles", (device["profile"],)), slashes)

    def _passed_together(self, members: Sequence[Member]) -> Passed | None:
        """The newest epoch in which all of them passed, of those that still open a lease."""
        all_devices = [member.device for member in members]
        if not all(device["passed"] for device in all_devices):
            return None
        newest = min(device["passed_epoch"] for device in all_devices)
        for epoch in range(newest, self._now.oldest_pass - 1, -1):
            lines = [self._line(device, epoch) for device in all_devices]
            if all(line is not None for line in lines):
                shown = [line for line in lines if line is not None]
                return Passed(epoch, min(s for s, _ in shown), min(m for _, m in shown))
        return None

    def _line(self, device: Mapping[str, Any], epoch: int) -> tuple[int, int] | None:
        """(score, memory) of a device in an epoch that passed it."""
        if device["passed_epoch"] == epoch:
            return device["score_gops"], device["memory_mib"]
        line = self._rows.row("measurements", (epoch, device["device_id"]))
        return (line["score_gops"], line["memory_mib"]) if line and line["flags"] == Flag.PASSED else None

    def _write(self, listing_id: bytes, after: Row | None) -> None:
        rows = self._rows
        before = rows.row("listings", (listing_id,))
        if before is None and after is None:
            return
        if before and after and all(before[name] == value for name, value in after.items()):
            return
        for change in recount(before, after):
            rows.change(change)
            count = rows.row(change.table, change.key)
            if count is not None and count["count"] == 0:
                rows.change(Change(change.table, change.key, delete=True))
        rows.change(Change("listings", (listing_id,), after or {}, delete=after is None))
