"""Gives cards to renters and takes them back: nothing of ours is on a card while somebody leases it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from assay.protocol.types import DeviceId
from assay.provider.cards.provers import Provers
from assay.provider.devices.device import OwnDevice

START_S = 900.0  # in which a start that was sent shows at the head, or is given up

log = structlog.get_logger()


class CardHolder(Protocol):
    """What takes workers off cards, and puts them back."""

    async def release(self, device_ids: Collection[DeviceId]) -> None:
        """Returns once nothing of ours is on the cards of these devices. Raises CardFailed."""

    async def settle(self, leased: Collection[DeviceId]) -> None:
        """Puts workers back on the cards of all devices but these."""


class NoCards:
    """For hosts whose devices nobody takes anything off: tests of other things."""

    async def release(self, device_ids: Collection[DeviceId]) -> None:
        return None

    async def settle(self, leased: Collection[DeviceId]) -> None:
        return None


class CardHandOver:
    """Follows the leases of this host's devices. `active_at_head` is the number of a device's active lease in the
    latest block, 0 for none: a start is known there before it is final.
    """

    def __init__(
        self,
        provers: Provers,
        devices: Mapping[DeviceId, OwnDevice],
        active_at_head: Callable[[DeviceId], Awaitable[int]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._provers = provers
        self._devices = devices
        self._active_at_head = active_at_head
        self._clock = clock
        self._starting: dict[DeviceId, float] = {}
        self._leased: frozenset[DeviceId] = frozenset()  # as of the latest round

    @asynccontextmanager
    async def starting(self, device_ids: Collection[DeviceId]) -> AsyncIterator[None]:
        """Frees the cards for a lease whose start is sent within the block; where that fails they are ours again
        with the next round over the leases.

        Raises CardFailed, with what is still on a card, before anything is sent.
        """
        own, until = self._own(device_ids), self._clock() + START_S
        self._starting.update(dict.fromkeys(own, until))
        try:
            await self.release(device_ids)
            yield
        except BaseException:
            for one in own:
                self._starting.pop(one, None)
            # The next round over the leases puts the workers back, unless the start was mined all the same.
            raise

    async def release(self, device_ids: Collection[DeviceId]) -> None:
        wanted = [one for one in self._own(device_ids) if not self._provers.is_off(one)]
        if wanted:
            await self._provers.take_off(wanted)
            log.info("cards are released to their renter", devices=["0x" + one.hex() for one in wanted])

    async def settle(self, leased: Collection[DeviceId]) -> None:
        free, held = [], set(self._own(leased))
        for device_id in self._devices:
            if device_id in held or not self._provers.is_off(device_id):
                continue
            if await self._active_at_head(device_id):
                self._starting.pop(device_id, None)
                held.add(device_id)
            elif self._starting.get(device_id, 0.0) > self._clock():
                held.add(device_id)
            else:
                self._starting.pop(device_id, None)
                free.append(device_id)
        self._leased = frozenset(held)
        # Of two devices on one card either may be the one that is leased.
        places = {self._devices[one].place for one in held}
        await self._provers.put_back(one for one in free if self._devices[one].place not in places)

    def leased_as(self, device_id: DeviceId) -> OwnDevice | None:
        """Another device of this host on the same card that is leased, or about to be; None where there is none."""
        place = self._devices[device_id].place
        others = (self._devices[one] for one in self._leased.union(self._starting) if one != device_id)
        return next((one for one in others if one.place == place), None)

    def _own(self, device_ids: Collection[DeviceId]) -> list[DeviceId]:
        return [one for one in device_ids if one in self._devices]
