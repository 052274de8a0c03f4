"""What the network measured of devices: lines of reports, believed only where the chain's root proves them."""

from __future__ import annotations

import asyncio
from typing import Any

from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.epochs import read_epoch_state
from assay.protocol.epochs import Phase
from assay.protocol.report_lines import Measured, ReportLineError, parse_report_line
from assay.renter.errors import NoDevice, Unreachable
from assay.renter.validators import Validators

MAX_INDEX = 64 << 20


class Measurements:
    """Reads reports from validators."""

    def __init__(self, chain: Chain, validators: Validators) -> None:
        self._chain = chain
        self._validators = validators

    async def latest(self, at: Block | None = None) -> dict[bytes, Measured]:
        """The newest line of each device within the escrow's `maxAge`, by device.

        A device that passed is shown by its newest passing line, for with that it can be leased.
        """
        block = at or await self._chain.finalised()
        found: dict[bytes, Measured] = {}
        for epoch, root in await self._reported(block):
            for measured in await self._of_epoch(epoch, root, block):
                known = found.get(measured.leaf.device_id)
                if known is None or (measured.passed and not known.passed):
                    found[measured.leaf.device_id] = measured
        return found

    async def passing(self, device_id: bytes) -> Measured:
        """The newest passing line of one device. Raises NoDevice where it passed in no recent epoch."""
        block = await self._chain.finalised()
        reported = await self._reported(block)
        for epoch, root in reported:
            measured = await self._of_device(epoch, root, device_id, block)
            if measured is not None and measured.passed:
                return measured
        raise NoDevice(f"device 0x{device_id.hex()} passed in none of the last {len(reported)} reported epochs")

    async def line(self, epoch: int, root: bytes, device_id: bytes) -> Measured | None:
        """One device's line of a report, whatever it says; None where no validator serves it."""
        return await self._of_device(epoch, root, device_id, await self._chain.finalised())

    async def _reported(self, block: Block) -> list[tuple[int, bytes]]:
        """(epoch, devicesRoot) of the reported epochs that `open` takes, newest first."""
        current = int(await self._chain.call("EpochOracle", "currentEpoch", at=block))
        max_age = int(await self._chain.call("LeaseEscrow", "maxAge", at=block))
        epochs = range(current, max(current - max_age, 0) - 1, -1)
        states = await asyncio.gather(*(read_epoch_state(self._chain, epoch, block) for epoch in epochs))
        found = zip(epochs, states, strict=True)
        return [(epoch, state.devices_root) for epoch, state in found if state.phase is Phase.REPORTED]

    async def _of_epoch(self, epoch: int, root: bytes, block: Block) -> list[Measured]:
        def lines(index: dict[str, Any], url: str) -> list[Measured]:
            entries = index.get("devices")
            if not isinstance(entries, list) or not entries:
                raise Unreachable(f"{url}: holds no lines of this report")
            return [_line(entry, root) for entry in entries]

        try:
            return await self._validators.first(f"/v1/epochs/{epoch}", lines, block, most=MAX_INDEX)
        except Unreachable:
            # A report that nobody serves helps nobody; an older one may be served.
            return []

    async def _of_device(self, epoch: int, root: bytes, device_id: bytes, block: Block) -> Measured | None:
        def line(entry: dict[str, Any], url: str) -> Measured:
            measured = _line(entry, root)
            if measured.leaf.device_id != device_id:
                raise Unreachable(f"{url}: answered another device's line")
            return measured

        try:
            path = f"/v1/epochs/{epoch}/devices/0x{device_id.hex()}"
            return await self._validators.first(path, line, block)
        except Unreachable:
            return None


def _line(entry: Any, root: bytes) -> Measured:
    try:
        return parse_report_line(entry, root)
    except ReportLineError as error:
        raise Unreachable(str(error)) from None
