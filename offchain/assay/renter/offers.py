"""Providers' offers: read from their endpoints, believed only with the provider's signature."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from assay.chain.devices import Device
from assay.protocol.hexadecimal import HexadecimalError, parse_signature
from assay.protocol.messages import Offer
from assay.protocol.signing import Domain, signed_by
from assay.protocol.typed_message import MessageError
from assay.renter.errors import RenterError, Unreachable
from assay.renter.http_client import HttpClient

MAX_OFFERS = 4096
TIMEOUT_S = 10.0
ANYONE = "0x0000000000000000000000000000000000000000"


@dataclass(frozen=True)
class SignedOffer:
    """An offer with its provider's signature; `round_trip_ms` as measured from here."""

    offer: Offer
    signature: bytes
    round_trip_ms: float


def parse_offer(data: Any, domain: Domain) -> tuple[Offer, bytes]:
    """An offer and its signature. Raises Unreachable for one that its provider did not sign."""
    if not isinstance(data, dict):
        raise Unreachable("an offer that is not an object")
    fields = dict(data)
    try:
        signature = parse_signature(fields.pop("signature", ""))
        offer = Offer.from_json(fields)
    except (HexadecimalError, MessageError) as error:
        raise Unreachable(f"a malformed offer: {error}") from None
    if not signed_by(offer.digest(domain), signature, offer.provider):
        raise Unreachable(f"an offer for 0x{offer.device_id.hex()} that {offer.provider} did not sign")
    return offer, signature


class Offers:
    """Asks providers for what they offer."""

    def __init__(self, http: HttpClient, domain: Domain) -> None:
        self._http = http
        self._domain = domain

    async def of_endpoint(self, endpoint: str) -> list[SignedOffer]:
        """Offers that one provider's daemon signs. Raises Unreachable, ProviderRefused."""
        started = time.monotonic()
        answer = await self._http.json_of("GET", f"{endpoint.rstrip('/')}/v1/offers", timeout_s=TIMEOUT_S)
        round_trip_ms = (time.monotonic() - started) * 1000
        listed = answer.get("offers")
        if not isinstance(listed, list) or len(listed) > MAX_OFFERS:
            raise Unreachable(f"{endpoint}: no list of at most {MAX_OFFERS} offers")
        return [SignedOffer(*parse_offer(entry, self._domain), round_trip_ms) for entry in listed]

    async def quote(self, device: Device, renter: str, seconds: int) -> SignedOffer:
        """An offer for one renter alone. Raises Unreachable for one that is not what was asked for."""
        self._http.pin(device.endpoint, device.tls_fingerprint)
        body = {"deviceId": "0x" + device.device_id.hex(), "renter": renter, "seconds": seconds}
        started = time.monotonic()
        answer = await self._http.json_of(
            "POST", f"{device.endpoint.rstrip('/')}/v1/quotes", body=json.dumps(body).encode(), timeout_s=TIMEOUT_S
        )
        offer, signature = parse_offer(answer, self._domain)
        if (offer.device_id, offer.provider, offer.renter) != (device.device_id, device.provider, renter):
            raise Unreachable(f"{device.endpoint}: the quote is for something else")
        return SignedOffer(offer, signature, (time.monotonic() - started) * 1000)

    async def of_devices(self, devices: Iterable[Device]) -> dict[bytes, SignedOffer]:
        """The offer for each device whose own provider makes one; providers that fail are left out."""
        by_id = {device.device_id: device for device in devices}
        for announced in by_id.values():
            self._http.pin(announced.endpoint, announced.tls_fingerprint)
        endpoints = sorted({device.endpoint for device in by_id.values() if device.endpoint})
        answers = await asyncio.gather(*(self._quietly(endpoint) for endpoint in endpoints))
        found: dict[bytes, SignedOffer] = {}
        for offers in answers:
            for signed in offers:
                device = by_id.get(signed.offer.device_id)
                if device is not None and device.provider == signed.offer.provider:
                    found[device.device_id] = signed
        return found

    async def _quietly(self, endpoint: str) -> list[SignedOffer]:
        try:
            return await self.of_endpoint(endpoint)
        except RenterError:
            return []
