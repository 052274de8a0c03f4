"""Which origins the devices that are served here announce on the chain: where a login may say that it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from assay.chain.contracts.devices import Device as AnnouncedDevice
from assay.chain.rpc.blocks import Block
from assay.network.errors import BadOrigin
from assay.network.origins import Origin, parse_origin
from assay.protocol.types import DeviceId

READ_EVERY_S = 30

ReadDevices = Callable[[Block], Awaitable[Mapping[DeviceId, AnnouncedDevice]]]


class AnnouncedOrigins:
    """Followed with the final blocks, at most every half a minute: who asks costs the node nothing."""

    def __init__(self, devices: Collection[DeviceId], read: ReadDevices) -> None:
        self._devices, self._read = devices, read
        self._read_at: int | None = None
        self._origins: dict[DeviceId, Origin] = {}

    async def follow(self, final: Block) -> None:
        """Takes what is announced at a final block. Raises ChainError."""
        if self._read_at is not None and 0 <= final.timestamp - self._read_at < READ_EVERY_S:
            return
        announced = await self._read(final)
        origins = {one: _origin_of(announced[one].endpoint) for one in self._devices if one in announced}
        self._origins = {one: origin for one, origin in origins.items() if origin is not None}
        self._read_at = final.timestamp

    def of(self, devices: Iterable[DeviceId]) -> frozenset[Origin]:
        """The origins that any of the devices announces."""
        return frozenset(self._origins[one] for one in devices if one in self._origins)


def _origin_of(endpoint: str) -> Origin | None:
    try:
        return parse_origin(endpoint)
    except BadOrigin:
        return None
