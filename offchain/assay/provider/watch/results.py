"""How each device fared in the epochs that were reported: the lines that seats serve, proven by the chain's root."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assay.chain.contracts.seats import SeatDirectory
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.network.client import Client
from assay.network.errors import NetworkError
from assay.network.origins import Endpoint
from assay.protocol.leaves import Flag
from assay.protocol.types import DeviceId, Root
from assay.wire import paths
from assay.wire.lines import Measured, ReportLineError, parse_report_line

OUTCOMES = ("passed", "leased", "late", "failed", "untold")
TIMEOUT_S = 5.0
MAX_LINE_BYTES = 64 << 10
BEHIND = 4  # epochs that are still asked about: older ones are left as untold


def outcome_of(line: Measured) -> str:
    """What a line of a report says of its device."""
    flags = Flag(line.leaf.flags)
    if flags & Flag.LEASED:
        return "leased"
    if flags == Flag.PASSED:
        return "passed"
    return "late" if flags & Flag.LATE else "failed"


@dataclass
class EpochResults:
    """Outcomes counted since the start, for each device and epoch once. `devices` are asked about anew each time."""

    chain: Chain
    client: Client
    devices: Callable[[], Mapping[DeviceId, object]]
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    _next: int | None = None

    async def follow(self, epoch: int, final: Block) -> None:
        """Counts what is reported of the epochs before `epoch`, the one at work. Raises ChainError."""
        if self._next is None:
            self._next = epoch
        while self._next < epoch:
            root = Root(bytes(await self.chain.call("EpochOracle", "devicesRootOf", self._next, at=final)))
            if not any(root) and epoch - self._next <= BEHIND:
                return  # its report may still come
            if any(root):
                for device_id in self.devices():
                    line = await self._line(self._next, device_id, root, final)
                    self.counts["untold" if line is None else outcome_of(line)] += 1
            self._next += 1

    async def _line(self, epoch: int, device_id: DeviceId, root: Root, final: Block) -> Measured | None:
        for seat in await SeatDirectory(self.chain).current(final):
            if not seat.endpoint:
                continue
            try:
                answer = await self.client.request(
                    "GET",
                    Endpoint(seat.endpoint, seat.tls_fingerprint),
                    paths.epoch_device(epoch, device_id),
                    max_bytes=MAX_LINE_BYTES,
                    timeout_s=TIMEOUT_S,
                )
                line = parse_report_line(json.loads(answer.body), root) if answer.status == 200 else None
            except (NetworkError, ReportLineError, ValueError, RecursionError):
                continue
            if line is not None and line.leaf.device_id == device_id and line.leaf.epoch == epoch:
                return line
        return None
