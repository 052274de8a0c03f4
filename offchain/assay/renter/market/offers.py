"""Providers' offers and specifications: read from their endpoints, believed only with their signature or hash."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assay.chain.contracts.devices import Device
from assay.network.origins import Endpoint
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_hex
from assay.protocol.messages import Offer
from assay.protocol.signing import Domain
from assay.protocol.specification import Specification, parse_specification
from assay.protocol.types import DeviceId
from assay.renter.errors import RenterError, Unreachable
from assay.renter.http_client import HttpClient
from assay.wire import paths
from assay.wire.leases import OfferError, QuoteBody, SignedOffer, parse_signed_offer
from assay.wire.limits import MAX_OFFERS

OFFERS_A_DEVICE = 16  # that are looked at: alone, in its node, in some tokens; whoever floods hides itself
TIMEOUT_S = 10.0
ANYONE = ZERO_ADDRESS


@dataclass(frozen=True)
class ServedOffers:
    """What one provider's daemon serves; specifications by their hash, which the registry must confirm."""

    offers: tuple[SignedOffer, ...] = ()
    specifications: tuple[Specification, ...] = ()


def parse_offer(data: Any, domain: Domain) -> SignedOffer:
    """An offer and its signature. Raises Unreachable for one that is not signed by whom it names.

    Whether the provider appointed that operator stands on the chain, and is not looked up here.
    """
    try:
        return parse_signed_offer(data, domain)
    except OfferError as error:
        raise Unreachable(str(error)) from None


def parse_answer(answer: dict[str, Any], domain: Domain, endpoint: str) -> ServedOffers:
    """What `GET /v1/offers` gives. Raises Unreachable for offers off their form; odd specifications are left out."""
    listed, documents = answer.get("offers"), answer.get("specifications", [])
    if not isinstance(listed, list) or len(listed) > MAX_OFFERS:
        raise Unreachable(f"{endpoint}: not a list of at most {MAX_OFFERS} offers")
    found = []
    for document in documents[:MAX_OFFERS] if isinstance(documents, list) else []:
        with suppress(ValueError):
            found.append(parse_specification(document))
    return ServedOffers(tuple(parse_offer(entry, domain) for entry in listed), tuple(found))


def node_of(offer: Offer, devices: Mapping[DeviceId, Device]) -> tuple[Device, ...] | None:
    """The offer's devices in its order, where all of them are known, its provider's, and served at one address: what
    is served elsewhere is no part of a node. Else None."""
    found = [devices[device_id] for device_id in offer.device_ids if device_id in devices]
    if len(found) < len(offer.device_ids) or any(device.provider != offer.provider for device in found):
        return None
    return tuple(found) if len({(device.endpoint, device.tls_fingerprint) for device in found}) == 1 else None


class Offers:
    """Asks providers for what they offer."""

    def __init__(self, http: HttpClient, domain: Domain) -> None:
        self._http = http
        self._domain = domain

    async def of_endpoint(self, endpoint: Endpoint) -> ServedOffers:
        """What one provider's daemon offers. Raises Unreachable, ProviderRefused."""
        answer = await self._http.json_of("GET", endpoint, paths.OFFERS, timeout_s=TIMEOUT_S)
        return parse_answer(answer, self._domain, endpoint.url)

    async def quote(self, devices: Sequence[Device], renter: str, seconds: int) -> SignedOffer:
        """An offer of these devices for one renter alone. Raises Unreachable for one that is not what was asked for."""
        first = devices[0]
        ids = tuple(device.device_id for device in devices)
        body = QuoteBody(device_ids=[to_hex(device_id) for device_id in ids], renter=renter, seconds=seconds).to_json()
        answer = await self._http.json_of(
            "POST",
            Endpoint(first.endpoint, first.tls_fingerprint),
            paths.QUOTES,
            body=json.dumps(body).encode(),
            timeout_s=TIMEOUT_S,
        )
        signed = parse_offer(answer, self._domain)
        offer = signed.offer
        if (offer.device_ids, offer.provider, offer.renter) != (ids, first.provider, renter):
            raise Unreachable(f"{first.endpoint}: the quote is for something else")
        return signed

    async def of_devices(
        self, devices: Mapping[DeviceId, Device]
    ) -> tuple[list[SignedOffer], dict[bytes, Specification]]:
        """Offers over these devices as their own providers serve them; specifications by hash. Providers that fail are
        left out, and so is all that one serves of others' devices."""
        # By address and certificate together: a device that announces another's address with a certificate of its own
        # is asked for itself, and the other as before.
        announced = {Endpoint(one.endpoint, one.tls_fingerprint) for one in devices.values() if one.endpoint}
        endpoints = sorted(announced, key=lambda one: (one.url, one.tls_fingerprint))
        answers = await asyncio.gather(*(self._quietly(endpoint) for endpoint in endpoints))
        found = [
            signed
            for endpoint, answer in zip(endpoints, answers, strict=True)
            for signed in _few(_served_at(endpoint, answer.offers, devices))
        ]
        return found, {spec.spec_hash: spec for answer in answers for spec in answer.specifications}

    async def _quietly(self, endpoint: Endpoint) -> ServedOffers:
        try:
            return await self.of_endpoint(endpoint)
        except RenterError:
            return ServedOffers()


def _served_at(
    endpoint: Endpoint, offers: Iterable[SignedOffer], devices: Mapping[DeviceId, Device]
) -> Iterable[SignedOffer]:
    for signed in offers:
        node = node_of(signed.offer, devices)
        if node is not None and Endpoint(node[0].endpoint, node[0].tls_fingerprint) == endpoint:
            yield signed


def _few(offers: Iterable[SignedOffer]) -> Iterable[SignedOffer]:
    """The first of each device, and no offer twice."""
    counted, seen = Counter[bytes](), set[bytes]()
    for signed in offers:
        ids, offer_hash = signed.offer.device_ids, signed.offer.struct_hash()
        if offer_hash not in seen and all(counted[device_id] < OFFERS_A_DEVICE for device_id in ids):
            seen.add(offer_hash)
            counted.update(ids)
            yield signed
