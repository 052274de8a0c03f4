"""When devices were leased, from the escrow's events."""

from __future__ import annotations

from collections.abc import Mapping

from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.chain.rpc.events import DecodedLog, event_pieces, read_events
from assay.protocol.types import DeviceId
from assay.validator.rules.values import LeasePeriod

ESCROW = "LeaseEscrow"
_EVENTS = ("LeaseOpened", "LeaseCancelled", "LeaseStarted", "LeaseToppedUp", "LeaseEnded", "LeaseReleased")
_RETENTION_S = 7 * 86_400  # after a stop: longer than any epoch whose devices are still observed


class _Book:
    """Leases as some block has them."""

    def __init__(self, devices: Mapping[int, tuple[DeviceId, ...]], periods: Mapping[int, LeasePeriod]) -> None:
        self.devices = dict(devices)  # of leases opened and not over
        self.periods = dict(periods)

    def apply(self, event: DecodedLog) -> None:
        args = event.args
        lease_id: int = args["leaseId"]
        if event.name == "LeaseOpened":
            self.devices[lease_id] = tuple(DeviceId(bytes(device_id)) for device_id in args["offer"]["deviceIds"])
        elif event.name == "LeaseCancelled":
            self.devices.pop(lease_id, None)
        elif event.name == "LeaseStarted":
            self.periods[lease_id] = LeasePeriod(lease_id, args["start"], args["stop"])
        elif lease_id in self.periods:
            # A top-up, an end and a release all say when the stream stops from then on.
            self.periods[lease_id] = LeasePeriod(lease_id, self.periods[lease_id].start, args["stop"])

    def forget(self, before: int) -> None:
        for lease_id in [i for i, period in self.periods.items() if period.stop < before]:
            del self.periods[lease_id]
            self.devices.pop(lease_id, None)


class LeasePeriods:
    """Follows the escrow to the final block, and from there to the head anew each time: what a reorganisation undoes
    was never kept."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._book = _Book({}, {})
        self._next = chain.deployment.block
        self._last: Block | None = None

    async def since(self, when: int, final: Block, head: Block) -> dict[DeviceId, tuple[LeasePeriod, ...]]:
        """Periods by device, as the head has them, less those that stopped before `when` (seconds since 1970).

        Raises ChainError.
        """
        if self._last is not None and not await self._chain.is_canonical(self._last):
            self._book, self._next = _Book({}, {}), self._chain.deployment.block
        async for end, events in event_pieces(self._chain, ESCROW, _EVENTS, self._next, final):
            for event in events:
                self._book.apply(event)
            self._next = end + 1
        self._last = final
        self._book.forget(final.timestamp - _RETENTION_S)
        book = _Book(self._book.devices, self._book.periods)
        for event in await read_events(self._chain, ESCROW, _EVENTS, final.number + 1, head):
            book.apply(event)
        found: dict[DeviceId, tuple[LeasePeriod, ...]] = {}
        for lease_id, period in book.periods.items():
            if period.stop >= when:
                for device_id in book.devices.get(lease_id, ()):
                    found[device_id] = (*found.get(device_id, ()), period)
        return found
