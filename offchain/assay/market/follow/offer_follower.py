"""Asks providers for their offers; takes in the signed ones, drops those withdrawn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select

from assay.market.errors import BadContent, SourceFault
from assay.market.follow.index import Index
from assay.market.sources.http_fetch import Fetch, parse_json
from assay.market.sources.offers import (
    MOST_OFFERS_BYTES,
    SignedOffer,
    Specification,
    listed,
    signed_offer,
    specification,
)
from assay.market.store.rows import Change
from assay.market.store.tables import devices, offers
from assay.protocol.signing import Domain

AT_ONCE = 32

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """What one endpoint serves of one provider."""

    offers: list[SignedOffer]
    specifications: list[Specification]


class OfferFollower:
    """One round asks every endpoint that an active device announces. `domain` is LeaseEscrow's."""

    def __init__(self, index: Index, fetch: Fetch, domain: Domain) -> None:
        self._index = index
        self._fetch = fetch
        self._domain = domain
        # (provider, endpoint) -> what of its last answer was not taken, and why
        self.refused: dict[tuple[str, str], str] = {}

    async def step(self) -> int:
        """One round. Returns the number of rows written."""
        known = await asyncio.to_thread(self._providers)
        limit = asyncio.Semaphore(AT_ONCE)

        async def bounded(provider: str, endpoint: str) -> Answer | None:
            async with limit:
                return await self._ask(provider, endpoint)

        answers = await asyncio.gather(*(bounded(provider, endpoint) for provider, endpoint in known))
        by_provider: dict[str, list[Answer | None]] = {}
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

    async def _ask(self, provider: str, endpoint: str) -> Answer | None:
        try:
            body = await self._fetch(f"{endpoint.rstrip('/')}/v1/offers", MOST_OFFERS_BYTES)
            answer = parse_json(body, "offers")
            # One endpoint may serve several providers; each is asked for its own.
            lines = [o for o in listed(answer, "offers") if isinstance(o, dict) and o.get("provider") == provider]
            found = [signed_offer(line, self._domain, provider) for line in lines]
            documents = listed(answer, "specifications") if isinstance(answer, dict) else []
            specs = [specification(document) for document in documents]
        except (SourceFault, BadContent) as error:
            self.refused[provider, endpoint] = str(error)[:300]
            log.debug("offers not taken", provider=provider, endpoint=endpoint, reason=str(error))
            return None
        self.refused.pop((provider, endpoint), None)
        return Answer(found, await asyncio.to_thread(self._signed_for, provider, endpoint, specs))

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
            held = set(connection.execute(select(offers.c.digest).where(offers.c.provider == provider)).scalars())
            owned = set(connection.execute(select(devices.c.device_id).where(devices.c.provider == provider)).scalars())
        good = {o.digest: o for o in found if o.offer.device_id in owned}
        changes = [_specification_change(spec) for spec in specs]
        if complete:
            changes += [Change("offers", (digest,), delete=True) for digest in sorted(held - good.keys())]
        changes += [_offer_change(good[digest]) for digest in sorted(good.keys() - held)]
        return self._index.apply_changes(changes) if changes else 0


def _offer_change(signed: SignedOffer) -> Change:
    offer = signed.offer
    values: dict[str, Any] = {
        "provider": offer.provider,
        "device_id": offer.device_id,
        "token": offer.token,
        "rate": offer.rate,
        "min_duration": offer.min_duration,
        "max_duration": offer.max_duration,
        "valid_until": offer.valid_until,
        "nonce": offer.nonce,
        "renter": offer.renter,
        "signature": signed.signature,
    }
    return Change("offers", (signed.digest,), values)


def _specification_change(spec: Specification) -> Change:
    values = {
        "model": spec.model,
        "memory_mib": spec.memory_mib,
        "region": spec.region,
        "document": spec.document,
    }
    return Change("specifications", (spec.spec_hash,), values)
