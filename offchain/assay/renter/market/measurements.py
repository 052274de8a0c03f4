"""What the network measured of devices: lines of reports, believed only where the chain's root proves them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.chain.contracts.epochs import read_epoch_state
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.protocol.epochs import Phase
from assay.protocol.leases import shown_devices
from assay.protocol.types import DeviceId, Root
from assay.renter.errors import NoDevice, Unreachable
from assay.renter.market.validators import Validators
from assay.wire import paths
from assay.wire.epoch_index import EpochIndex
from assay.wire.limits import MAX_INDEX_BYTES
from assay.wire.lines import Measured, ReportLineError, parse_report_line

Passes = Sequence[Mapping[DeviceId, Measured]]  # newest epoch first: the passing line of each device


def common_pass(passes: Passes, device_ids: Iterable[DeviceId]) -> tuple[Measured, ...] | None:
    """The lines of the newest epoch in which all of these devices passed, in their order; None where there is none."""
    wanted = tuple(device_ids)
    for lines in passes:
        if all(device_id in lines for device_id in wanted):
            return tuple(lines[device_id] for device_id in wanted)
    return None


class Measurements:
    """Reads reports from validators."""

    def __init__(self, chain: Chain, validators: Validators) -> None:
        self._chain = chain
        self._validators = validators

    async def passes(self, at: Block | None = None) -> Passes:
        """The passing lines of the reported epochs within the escrow's `maxAge`, newest epoch first."""
        block = at or await self._chain.finalised()
        found = []
        for epoch, root in await self._reported(block):
            lines = await self._of_epoch(epoch, root, block)
            found.append({line.leaf.device_id: line for line in lines if line.passed})
        return found

    async def passing(self, device_ids: Sequence[DeviceId]) -> tuple[Measured, ...]:
        """The lines of the newest epoch in which all of these devices passed. Raises NoDevice
        where they did in no recent one."""
        block = await self._chain.finalised()
        reported = await self._reported(block)
        for epoch, root in reported:
            asked = (self._of_device(epoch, root, device_id, block) for device_id in device_ids)
            lines = [line for line in await asyncio.gather(*asked) if line is not None and line.passed]
            if len(lines) == len(device_ids):
                return tuple(lines)
        together = "passed" if len(device_ids) == 1 else f"({len(device_ids)} devices) passed together"
        raise NoDevice(f"{shown_devices(device_ids)} {together} in none of the last {len(reported)} reported epochs")

    async def line(self, epoch: int, root: Root, device_id: DeviceId) -> Measured | None:
        """One device's line of a report, whatever it says; None where no validator serves it."""
        return await self._of_device(epoch, root, device_id, await self._chain.finalised())

    async def _reported(self, block: Block) -> list[tuple[int, Root]]:
        """(epoch, devicesRoot) of the reported epochs that `open` takes, newest first."""
        current = int(await self._chain.call("EpochOracle", "currentEpoch", at=block))
        max_age = int(await self._chain.call("LeaseEscrow", "maxAge", at=block))
        epochs = range(current, max(current - max_age, 0) - 1, -1)
        states = await asyncio.gather(*(read_epoch_state(self._chain, epoch, block) for epoch in epochs))
        found = zip(epochs, states, strict=True)
        return [(epoch, state.devices_root) for epoch, state in found if state.phase is Phase.REPORTED]

    async def _of_epoch(self, epoch: int, root: Root, block: Block) -> list[Measured]:
        def lines(index: dict[str, Any], url: str) -> list[Measured]:
            try:
                entries = EpochIndex.from_json(index).lines
            except ValueError as error:
                raise Unreachable(f"{url}: {error}") from None
            if not entries:
                raise Unreachable(f"{url}: holds no lines of this report")
            return [_line(entry, root) for entry in entries]

        try:
            return await self._validators.first(paths.epoch(epoch), lines, block, most=MAX_INDEX_BYTES)
        except Unreachable:
            # A report that nobody serves helps nobody; an older one may be served.
            return []

    async def _of_device(self, epoch: int, root: Root, device_id: DeviceId, block: Block) -> Measured | None:
        def line(entry: dict[str, Any], url: str) -> Measured:
            measured = _line(entry, root)
            if measured.leaf.device_id != device_id:
                raise Unreachable(f"{url}: answered another device's line")
            return measured

        try:
            path = paths.epoch_device(epoch, device_id)
            return await self._validators.first(path, line, block)
        except Unreachable:
            return None


def _line(entry: Any, root: Root) -> Measured:
    try:
        return parse_report_line(entry, root)
    except ReportLineError as error:
        raise Unreachable(str(error)) from None
