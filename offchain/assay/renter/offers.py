"""Providers' offers and specifications: read from their endpoints, believed only with their signature or hash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assay.chain.devices import Device
from assay.protocol.messages import Offer
from assay.protocol.signed_offers import OfferError, parse_signed_offer
from assay.protocol.signing import Domain
from assay.protocol.specification import Specification, parse_specification
from assay.renter.errors import RenterError, Unreachable
from assay.renter.http_client import HttpClient

MAX_OFFERS = 4096
TIMEOUT_S = 10.0
ANYONE = "0x0000000000000000000000000000000000000000"


@dataclass(frozen=True)
class SignedOffer:
    """An offer with its provider's signature."""

    offer: Offer
    signature: bytes


@dataclass(frozen=True)
class Answer:
    """What one provider's daemon serves; specifications by their hash, which the registry must confirm."""

    offers: tuple[SignedOffer, ...] = ()
    specifications: tuple[Specification, ...] = ()


def parse_offer(data: Any, domain: Domain) -> SignedOffer:
    """An offer and its signature. Raises Unreachable for one that its provider did not sign."""
    try:
        return SignedOffer(*parse_signed_offer(data, domain))
    except OfferError as error:
        raise Unreachable(str(error)) from None


def parse_answer(answer: dict[str, Any], domain: Domain, endpoint: str) -> Answer:
    """What `GET /v1/offers` gives. Raises Unreachable for offers off their form; odd specifications are left out."""
    listed, documents = answer.get("offers"), answer.get("specifications", [])
    if not isinstance(listed, list) or len(listed) > MAX_OFFERS:
        raise Unreachable(f"{endpoint}: no list of at most {MAX_OFFERS} offers")
    found = []
    for document in documents[:MAX_OFFERS] if isinstance(documents, list) else []:
        with suppress(ValueError):
            found.append(parse_specification(document))
    return Answer(tuple(parse_offer(entry, domain) for entry in listed), tuple(found))


class Offers:
    """Asks providers for what they offer."""

    def __init__(self, http: HttpClient, domain: Domain) -> None:
        self._http = http
        self._domain = domain

    async def of_endpoint(self, endpoint: str) -> Answer:
        """What one provider's daemon offers. Raises Unreachable, ProviderRefused."""
        answer = await self._http.json_of("GET", f"{endpoint.rstrip('/')}/v1/offers", timeout_s=TIMEOUT_S)
        return parse_answer(answer, self._domain, endpoint)

    async def quote(self, device: Device, renter: str, seconds: int) -> SignedOffer:
        """An offer for one renter alone. Raises Unreachable for one that is not what was asked for."""
        self._http.pin(device.endpoint, device.tls_fingerprint)
        body = {"deviceId": "0x" + device.device_id.hex(), "renter": renter, "seconds": seconds}
        answer = await self._http.json_of(
            "POST", f"{device.endpoint.rstrip('/')}/v1/quotes", body=json.dumps(body).encode(), timeout_s=TIMEOUT_S
        )
        signed = parse_offer(answer, self._domain)
        offer = signed.offer
        if (offer.device_id, offer.provider, offer.renter) != (device.device_id, device.provider, renter):
            raise Unreachable(f"{device.endpoint}: the quote is for something else")
        return signed

    async def of_devices(
        self, devices: Iterable[Device]
    ) -> tuple[dict[bytes, SignedOffer], dict[bytes, Specification]]:
        """Offers by device, of its own provider; specifications by hash. Providers that fail are left out."""
        by_id = {device.device_id: device for device in devices}
        for announced in by_id.values():
            self._http.pin(announced.endpoint, announced.tls_fingerprint)
        endpoints = sorted({device.endpoint for device in by_id.values() if device.endpoint})
        answers = await asyncio.gather(*(self._quietly(endpoint) for endpoint in endpoints))
        found: dict[bytes, SignedOffer] = {}
        for signed in (signed for answer in answers for signed in answer.offers):
            device = by_id.get(signed.offer.device_id)
            if device is not None and device.provider == signed.offer.provider:
                found[device.device_id] = signed
        return found, {spec.spec_hash: spec for answer in answers for spec in answer.specifications}

    async def _quietly(self, endpoint: str) -> Answer:
        try:
            return await self.of_endpoint(endpoint)
        except RenterError:
            return Answer()
