"""What the network measured of devices: lines of reports, believed only where the chain's root proves them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.epochs import Phase, read_epoch_state
from assay.chain.seats import Seat, SeatDirectory
from assay.protocol.encoding import EncodingError
from assay.protocol.flags import Flag
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.standard_merkle import verify
from assay.renter.errors import NoDevice, ProviderRefused, Unreachable
from assay.renter.http_client import HttpClient

MAX_PROOF = 64
MAX_INDEX = 64 << 20
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """A line of a report with the proof that it stands there, as `LeaseEscrow.open` takes both."""

    leaf: DeviceLeaf
    proof: tuple[bytes, ...]

    @property
    def passed(self) -> bool:
        """Whether the device can be leased against this line: its flags are exactly 1."""
        return self.leaf.flags == Flag.PASSED


def parse_entry(entry: Any, devices_root: bytes) -> Measured:
    """A validator's {leaf, proof}, checked against the root. Raises Unreachable where it does not stand
    there.
    """
    try:
        leaf, proof = entry["leaf"], entry["proof"]
        parsed = DeviceLeaf(
            epoch=leaf["epoch"],
            device_id=parse_bytes32(leaf["deviceId"], "deviceId"),
            seal_index=leaf["sealIndex"],
            profile=leaf["profile"],
            score_gops=leaf["scoreGops"],
            memory_mib=leaf["memoryMiB"],
            uptime_bps=leaf["uptimeBps"],
            flags=leaf["flags"],
            result_root=parse_bytes32(leaf["resultRoot"], "resultRoot"),
        )
        if len(proof) > MAX_PROOF:
            raise Unreachable(f"a proof of {len(proof)} nodes, at most {MAX_PROOF} are read")
        nodes = tuple(parse_bytes32(node, "proof") for node in proof)
        stands = verify(devices_root, DeviceLeaf.TYPES, parsed.values(), nodes)
    except (KeyError, TypeError, HexadecimalError, EncodingError) as error:
        raise Unreachable(f"a malformed line of a report: {error}") from None
    if not stands:
        raise Unreachable(f"a line of 0x{parsed.device_id.hex()} that is not in the report on the chain")
    return Measured(parsed, nodes)


class Measurements:
    """Reads reports from validators, any of them: the root on the chain says whether an answer is right."""

    def __init__(self, chain: Chain, http: HttpClient) -> None:
        self._chain = chain
        self._http = http
        self._seats = SeatDirectory(chain)

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

    async def _reported(self, block: Block) -> list[tuple[int, bytes]]:
        """(epoch, devicesRoot) of the reported epochs that `open` takes, newest first."""
        current = int(await self._chain.call("EpochOracle", "currentEpoch", at=block))
        max_age = int(await self._chain.call("LeaseEscrow", "maxAge", at=block))
        reported = []
        for epoch in range(current, max(current - max_age, 0) - 1, -1):
            state = await read_epoch_state(self._chain, epoch, block)
            if state.phase is Phase.REPORTED:
                reported.append((epoch, state.devices_root))
        return reported

    async def _of_epoch(self, epoch: int, root: bytes, block: Block) -> list[Measured]:
        async def lines(seat: Seat) -> list[Measured]:
            url = f"{seat.endpoint.rstrip('/')}/v1/epochs/{epoch}"
            index = await self._http.json_of("GET", url, most=MAX_INDEX)
            entries = index.get("devices")
            if not isinstance(entries, list) or not entries:
                raise Unreachable(f"{url}: holds no lines of this report")
            return [parse_entry(entry, root) for entry in entries]

        try:
            return await self._first(await self._seats.current(block), lines)
        except Unreachable:
            # A report that nobody serves helps nobody; an older one may be served.
            return []

    async def _of_device(self, epoch: int, root: bytes, device_id: bytes, block: Block) -> Measured | None:
        async def line(seat: Seat) -> Measured:
            url = f"{seat.endpoint.rstrip('/')}/v1/epochs/{epoch}/devices/0x{device_id.hex()}"
            measured = parse_entry(await self._http.json_of("GET", url), root)
            if measured.leaf.device_id != device_id:
                raise Unreachable(f"{url}: answered another device's line")
            return measured

        try:
            return await self._first(await self._seats.current(block), line)
        except Unreachable:
            return None

    async def _first(self, seats: Sequence[Seat], ask: Callable[[Seat], Awaitable[T]]) -> T:
        last: Exception = Unreachable("no validator announces an address")
        for seat in seats:
            if not seat.endpoint:
                continue
            self._http.pin(seat.endpoint, seat.tls_fingerprint)
            try:
                return await ask(seat)
            except (Unreachable, ProviderRefused) as error:
                last = error
        raise Unreachable(f"no validator serves the report: {last}")


def without_proof(measured: Measured) -> Mapping[str, Any]:
    """The line as JSON, for people and programs."""
    leaf = measured.leaf
    return {
        "epoch": leaf.epoch,
        "profile": leaf.profile,
        "scoreGops": leaf.score_gops,
        "memoryMiB": leaf.memory_mib,
        "uptimeBps": leaf.uptime_bps,
        "flags": leaf.flags,
    }
