"""The current public offers of all devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.chain.client import Chain
from assay.chain.leases import nonce_floor
from assay.provider.device import Device
from assay.provider.offers import OfferBook, Price


class OfferService:
    """Signs an offer for each device that has a price and is not leased; the nonce is the floor on the chain."""

    def __init__(
        self, chain: Chain, devices: Mapping[bytes, Device], prices: Mapping[bytes, Price], book: OfferBook
    ) -> None:
        self._chain = chain
        self._devices = devices
        self._prices = prices
        self._book = book

    async def current(self) -> list[dict[str, Any]]:
        """Offers as JSON, ascending by device."""
        return [
            self._book.offer(device_id, self._prices[device_id], await nonce_floor(self._chain, device_id))
            for device_id in sorted(self._devices)
            if device_id in self._prices
        ]
