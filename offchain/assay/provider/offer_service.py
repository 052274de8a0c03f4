"""The current offers of all devices, and quotes for one renter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from assay.chain.client import Chain, ContractCall
from assay.chain.leases import active_lease, nonce_floor
from assay.chain.sender import Sender
from assay.provider.device import Device
from assay.provider.errors import Conflict, NotFound
from assay.provider.offers import OfferBook, Price
from assay.provider.terms import TermsFile

log = structlog.get_logger()


class OfferService:
    """Signs offers by the terms; a price in the terms goes before the one the daemon was started with."""

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        devices: Mapping[bytes, Device],
        prices: Mapping[bytes, Price],
        book: OfferBook,
        terms: TermsFile,
    ) -> None:
        self._chain = chain
        self._sender = sender
        self._devices = devices
        self._prices = prices
        self._book = book
        self._terms = terms

    async def listed(self) -> dict[str, Any]:
        """The public offers and what the devices are, as they travel."""
        offers = await self.current()
        return {"offers": offers, "specifications": self.specifications(offers)}

    async def current(self) -> list[dict[str, Any]]:
        """Public offers of free devices as JSON, ascending by device; none while draining."""
        terms = self._terms.read()
        if terms.draining:
            return []
        offers = []
        for device_id in sorted(self._devices):
            price = self._price(device_id)
            # A device that is leased cannot be had, so it is not on offer either.
            if price is not None and not await active_lease(self._chain, device_id):
                offers.append(self._book.offer(device_id, price, await self._nonce(device_id)))
        return offers

    def specifications(self, offers: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """What the devices of these offers were enrolled as, where it is known."""
        offered = (self._devices[bytes.fromhex(offer["deviceId"][2:])] for offer in offers)
        return [device.specification for device in offered if device.specification is not None]

    async def quote(self, device_id: bytes, renter: str, seconds: int) -> dict[str, Any]:
        """An offer for one renter alone, by the terms' discounts. Raises NotFound, Conflict."""
        terms = self._terms.read()
        price = self._price(device_id)
        if device_id not in self._devices or price is None:
            raise NotFound(f"device 0x{device_id.hex()} is not on offer here")
        if terms.draining:
            raise Conflict("this provider takes no new leases now")
        if not price.min_duration <= seconds <= price.max_duration:
            raise Conflict(f"{seconds} s: leases last {price.min_duration} to {price.max_duration} s here")
        return self._book.offer(device_id, terms.quote(price, seconds), await self._nonce(device_id), renter)

    async def cancel_due(self) -> None:
        """Raises nonce floors on the chain where the terms ask for it."""
        for device, floor in self._terms.read().nonce_floors.items():
            device_id = bytes.fromhex(device[2:])
            if device_id in self._devices and await nonce_floor(self._chain, device_id, "latest") < floor:
                call = ContractCall("LeaseEscrow", "cancelOffers", (device_id, floor))
                receipt = await self._sender.send(call, purpose=f"cancel offers of {device} below {floor}")
                log.info("offers cancelled", device=device, below=floor, transaction=receipt.transaction_hash)

    def _price(self, device_id: bytes) -> Price | None:
        return self._terms.read().prices.get("0x" + device_id.hex()) or self._prices.get(device_id)

    async def _nonce(self, device_id: bytes) -> int:
        """At least the floor, the one on the chain and the one asked for."""
        wanted = self._terms.read().nonce_floors.get("0x" + device_id.hex(), 0)
        return max(wanted, await nonce_floor(self._chain, device_id))
