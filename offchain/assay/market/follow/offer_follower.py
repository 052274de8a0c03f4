"""Asks providers for their offers; takes in the signed ones, drops those withdrawn."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, select

from assay.market.errors import BadContent, SourceFault
from assay.market.follow.index import MarketIndex, newest_tip
from assay.market.projection.listings import listing_id
from assay.market.projection.offers import appointed_until, newest_first
from assay.market.queries.pages import many
from assay.market.sources.http_fetch import Fetch, parse_json
from assay.market.sources.offers import listed, signed_offer, specification
from assay.market.store.rows import Change
from assay.market.store.tables import devices, offers, operators
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_hex
from assay.protocol.leases import shown_devices
from assay.protocol.signing import Domain
from assay.protocol.specification import Specification
from assay.protocol.types import DeviceId
from assay.sheet.declared import host_columns
from assay.wire import paths
from assay.wire.leases import SignedOffer
from assay.wire.limits import MAX_OFFERS_BYTES

CONCURRENCY = 32
# Offers that one device may be part of: more would let a provider fill the pages of a search with its few devices.
MAX_OF_A_DEVICE = 16

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FollowedOffers:
    """What one endpoint serves of one provider."""

    offers: list[SignedOffer]
    specifications: list[Specification]


class OfferFollower:
    """One round asks every endpoint that an active device announces. `domain` is LeaseEscrow's."""

    def __init__(self, index: MarketIndex, fetch: Fetch, domain: Domain) -> None:
        self._index = index
        self._fetch = fetch
        self._domain = domain
        # (provider, endpoint) -> what of its last answer was not taken, and why
        self.refused: dict[tuple[str, str], str] = {}

    async def step(self) -> int:
        """One round. Returns the number of rows written."""
        known = await asyncio.to_thread(self._providers)
        limit = asyncio.Semaphore(CONCURRENCY)

        async def bounded(provider: str, endpoint: str) -> FollowedOffers | None:
            async with limit:
                return await self._ask(provider, endpoint)

        answers = await asyncio.gather(*(bounded(provider, endpoint) for provider, endpoint in known))
        by_provider: dict[str, list[FollowedOffers | None]] = {}
        for (provider, _), answer in zip(known, answers, strict=True):
            by_provider.setdefault(provider, []).append(answer)
        written = 0
        for provider, parts in by_provider.items():
            heard = [part for part in parts if part is not None]
            if heard:
                offers_found = [offer for part in heard for offer in part.offers]
                specs = [spec for part in heard for spec in part.specifications]
                complete = len(heard) == len(parts)
                written += await asyncio.to_thread(self.take, provider, offers_found, specs, complete)
        return written

    def _providers(self) -> list[tuple[str, str]]:
        with self._index.engine.connect() as connection:
            query = select(devices.c.provider, devices.c.endpoint).where(
                devices.c.status == 1, devices.c.endpoint != ""
            )
            return [(row.provider, row.endpoint) for row in connection.execute(query.distinct())]

    async def _ask(self, provider: str, endpoint: str) -> FollowedOffers | None:
        try:
            body = await self._fetch(endpoint, paths.OFFERS, MAX_OFFERS_BYTES)
            answer = parse_json(body, "offers")
            # One endpoint may serve several providers; each is asked for its own.
            lines = [o for o in listed(answer, "offers") if isinstance(o, dict) and o.get("provider") == provider]
            found = [signed_offer(line, self._domain, provider) for line in lines]
            documents = listed(answer, "specifications") if isinstance(answer, dict) else []
            specs = [specification(document) for document in documents]
        except (SourceFault, BadContent) as error:
            self.refused[provider, endpoint] = str(error)[:300]
            log.debug("offers not accepted", provider=provider, endpoint=endpoint, reason=str(error))
            return None
        self.refused.pop((provider, endpoint), None)
        return FollowedOffers(found, await asyncio.to_thread(self._signed_for, provider, endpoint, specs))

    def _signed_for(self, provider: str, endpoint: str, specs: list[Specification]) -> list[Specification]:
        """Those whose hash a device of this provider was enrolled with: anyone can write the others."""
        with self._index.engine.connect() as connection:
            query = select(devices.c.spec_hash).where(devices.c.provider == provider).distinct()
            enrolled = set(connection.execute(query).scalars())
        good = [spec for spec in specs if spec.spec_hash in enrolled]
        if len(good) < len(specs):
            what = f"{len(specs) - len(good)} of {len(specs)} specifications: no device was enrolled with their hash"
            self.refused[provider, endpoint] = what
        return good

    def take(
        self,
        provider: str,
        found: Iterable[SignedOffer],
        specs: Iterable[Specification] = (),
        complete: bool = True,
    ) -> int:
        """Makes the provider's offers those found, or adds them where not all of its endpoints answered.

        Returns the number of rows written.
        """
        with self._index.engine.connect() as connection:
            tip = newest_tip(connection)
            now = tip.timestamp if tip else 0
            query = select(offers).where(offers.c.provider == provider)
            held = {row["offer_hash"]: dict(row) for row in connection.execute(query).mappings()}
            owned = set(connection.execute(select(devices.c.device_id).where(devices.c.provider == provider)).scalars())
            appointed = _appointed(connection, provider, now)
        fresh = {s.offer_hash: s for s in found if s.offer.valid_until > now}
        # An endpoint that is away for long must not keep what has run out in the place of what is new.
        staying = {h for h, row in held.items() if not complete and row["valid_until"] > now} - fresh.keys()
        good, reasons = chosen(fresh.values(), owned, appointed, [held[h]["device_ids"] for h in staying])
        self._note(provider, reasons)
        changes = [_specification_change(spec) for spec in specs]
        for offer_hash in sorted(held.keys() - good.keys() - staying):
            changes += _offer_gone(offer_hash, held[offer_hash]["device_ids"])
        for offer_hash in sorted(good.keys() - held.keys()):
            changes += _offer_changes(good[offer_hash])
        return self._index.apply_changes(changes) if changes else 0

    def _note(self, provider: str, reasons: Sequence[str]) -> None:
        if reasons:
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            self.refused[provider, "its offers"] = f"{reasons[0]}{more}"
        else:
            self.refused.pop((provider, "its offers"), None)


def chosen(
    found: Iterable[SignedOffer],
    owned: Set[bytes],
    appointed: Set[str],
    staying: Iterable[Sequence[bytes]],
) -> tuple[dict[bytes, SignedOffer], list[str]]:
    """Those of a provider's offers that count, by hash, and why others do not: they are of devices that it owns, signed
    by whom it has appointed, and so many a device, the newest first. `staying` are the devices of the offers that are
    kept whatever is found.
    """
    counts = Counter(device_id for ids in staying for device_id in ids)
    good: dict[bytes, SignedOffer] = {}
    reasons = []
    for signed in sorted(found, key=lambda s: newest_first(_columns(s))):
        offer = signed.offer
        if strange := [device_id for device_id in offer.device_ids if device_id not in owned]:
            reasons.append(f"an offer of device {to_hex(strange[0])}, which is not the provider's")
        elif offer.operator not in appointed:
            reasons.append(f"an offer signed by {offer.operator}, who may sign none for the provider now")
        elif any(counts[device_id] >= MAX_OF_A_DEVICE for device_id in offer.device_ids):
            reasons.append(f"more than {MAX_OF_A_DEVICE} offers of a device: {shown_devices(offer.device_ids)}")
        else:
            counts.update(offer.device_ids)
            good[signed.offer_hash] = signed
    return good, reasons


def _appointed(connection: Connection, provider: str, now: int) -> set[str]:
    """Who may sign offers for the provider; the zero address stands for itself."""
    rows = many(connection, select(operators).where(operators.c.provider == provider))
    return {ZERO_ADDRESS} | {row["operator"] for row in rows if appointed_until(row) > now}


def _columns(signed: SignedOffer) -> dict[str, Any]:
    offer = signed.offer
    return {
        "provider": offer.provider,
        "operator": offer.operator,
        "device_ids": offer.device_ids,
        "listing_id": listing_id(offer.device_ids),
        "token": offer.token,
        "rate": offer.rate,
        "min_duration": offer.min_duration,
        "max_duration": offer.max_duration,
        "valid_until": offer.valid_until,
        "nonce": offer.nonce,
        "renter": offer.renter,
        "notice": offer.notice,
        "signature": signed.signature,
        "offer_hash": signed.offer_hash,
    }


def _offer_changes(signed: SignedOffer) -> list[Change]:
    parts = [Change("offer_devices", (device_id, signed.offer_hash)) for device_id in signed.offer.device_ids]
    return [Change("offers", (signed.offer_hash,), _columns(signed)), *parts]


def _offer_gone(offer_hash: bytes, device_ids: Sequence[DeviceId]) -> list[Change]:
    parts = [Change("offer_devices", (device_id, offer_hash), delete=True) for device_id in device_ids]
    return [Change("offers", (offer_hash,), delete=True), *parts]


def _specification_change(spec: Specification) -> Change:
    values = {
        "model": spec.model,
        "memory_mib": spec.memory_mib,
        "region": spec.region,
        "document": spec.document,
        **host_columns(spec.host),
    }
    return Change("specifications", (spec.spec_hash,), values)
