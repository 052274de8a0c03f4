"""Reads a market's index over HTTP. What it says is a claim until `market_check` has held it to the chain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.network.origins import Endpoint
from assay.protocol.hexadecimal import HexadecimalError, parse_address, parse_bytes32, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leases import MAX_DEVICES
from assay.protocol.specification import DeclaredHost
from assay.protocol.types import DeviceId
from assay.renter.errors import ProviderRefused, Unreachable
from assay.renter.http_client import HttpClient
from assay.sheet.fields import parse_sheet
from assay.sheet.values import Sheet
from assay.wire import market_paths
from assay.wire.checks import CheckError, SignedCheck

PAGE = 100
MAX_PAGES = 100
MAX_PAGE = 2 << 20
TIMEOUT_S = 15.0


@dataclass(frozen=True)
class MarketRow:
    """An offer, of one device or of several together, that a market says can be taken; `offer_hash` names it. The rate
    in base units × 10¹⁸ a second, durations and `notice` in seconds; numbers of several devices are the least of them,
    `host` is what all of them together declare of their machine.
    """

    device_ids: tuple[DeviceId, ...]
    offer_hash: bytes
    provider: str
    profile: int
    model: str
    region: str
    memory_mib: int
    score_gops: int
    uptime_bps: int
    epoch: int
    token: str
    rate: int
    min_duration: int
    max_duration: int
    valid_until: int
    notice: int
    host: DeclaredHost | None = None
    declared_mib: int = 0
    expected_gops: int = 0
    sheet: Sheet = field(default_factory=dict, compare=False)

    def sheet_number(self, name: str) -> int:
        """A number of the sheet; 0 where it is not told."""
        value = self.sheet.get(name)
        return value.value if value is not None and isinstance(value.value, int) else 0

    @property
    def listing_id(self) -> bytes:
        """How the market names these devices on offer together: the id of one, H of the ids of several."""
        return self.device_ids[0] if len(self.device_ids) == 1 else keccak(b"".join(self.device_ids))


@dataclass(frozen=True)
class Shown:
    """What a market shows of one device: its leaf in a report with the proof, as served, and its specification."""

    leaf: tuple[Any, ...]
    proof: tuple[Any, ...]
    specification: str | None


@dataclass(frozen=True)
class MarketEvidence:
    """What a market shows for a row: the signed offer as it serves it, and each device in the offer's order."""

    offer: Mapping[str, Any]
    devices: tuple[Shown, ...]


class MarketClient:
    """One market by its address."""

    def __init__(self, http: HttpClient, address: str) -> None:
        self._http = http
        self._address = Endpoint(address, own=True)

    async def available(self, filters: Sequence[tuple[str, str]]) -> AsyncIterator[MarketRow]:
        """What can be leased, in the market's order, page by page. Raises Unreachable."""
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            query = [*filters, ("limit", str(PAGE)), *([("cursor", cursor)] if cursor else [])]
            answer = await self._get(market_paths.listings(query))
            rows = answer.get("data")
            if not isinstance(rows, list) or len(rows) > PAGE:
                raise Unreachable(f"{self._address}: not a list of at most {PAGE} listings")
            for row in rows:
                yield parse_row(row, self._address.url)
            cursor = answer.get("next")
            if not cursor or not isinstance(cursor, str):
                return

    async def endpoint(self, listing_id: bytes) -> str:
        """Where the market says that the devices of a listing answer; empty where it does not know."""
        first = (await self._parts(listing_id))[0].get("device")
        return str(first.get("endpoint", "")) if isinstance(first, dict) else ""

    async def evidence(self, row: MarketRow) -> MarketEvidence:
        """What proves a row. Raises Unreachable."""
        offer = (await self._get(market_paths.offer(row.offer_hash))).get("data")
        if not isinstance(offer, dict):
            raise Unreachable(f"{self._address}: shows no offer {to_hex(row.offer_hash)}")
        parts = await self._parts(row.listing_id)
        if len(parts) != len(row.device_ids):
            raise Unreachable(f"{self._address}: shows {len(parts)} devices of a listing of {len(row.device_ids)}")
        lines = await asyncio.gather(*(self.line(row.epoch, device_id) for device_id in row.device_ids))
        shown = zip(lines, parts, strict=True)
        return MarketEvidence(offer, tuple(Shown(leaf, proof, _document(part)) for (leaf, proof), part in shown))

    async def line(self, epoch: int, device_id: DeviceId) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """(leaf, its proof) of a device in a report, as the market serves them: unproven. Raises Unreachable."""
        shown = (await self._get(market_paths.epoch_device(epoch, device_id))).get("data")
        leaf, nodes = (shown.get("leaf"), shown.get("proof")) if isinstance(shown, dict) else (None, None)
        if not isinstance(leaf, list) or not isinstance(nodes, list):
            raise Unreachable(f"{self._address}: the proof of device {to_hex(device_id)} is malformed")
        return tuple(leaf), tuple(nodes)

    async def status(self) -> dict[str, Any]:
        """Network, chain, block, lag: the `at` of an answer."""
        at = (await self._get(market_paths.NETWORK)).get("at")
        if not isinstance(at, dict):
            raise Unreachable(f"{self._address}: does not say where its index stands")
        return at

    async def checks(self, device_id: DeviceId) -> list[SignedCheck]:
        """What the market shows of renters' results for a device alone: not held to anything. Raises Unreachable."""
        rows = (await self._get(market_paths.checks(device_id))).get("data")
        try:
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise CheckError("no list of results")
            return [SignedCheck.from_json({k: v for k, v in row.items() if k != "renter"}) for row in rows]
        except CheckError as error:
            raise Unreachable(f"{self._address}: {error}") from None

    async def take_check(self, signed: SignedCheck) -> None:
        """Has the market keep a result. Raises Unreachable with why it does not."""
        body = json.dumps(signed.to_json()).encode()
        headers = {"content-type": "application/json"}
        try:
            await self._http.json_of(
                "POST", self._address, market_paths.CHECKS, body=body, headers=headers, most=MAX_PAGE
            )
        except ProviderRefused as error:
            raise Unreachable(f"the market {self._address} does not keep it ({error.status}): {error.reason}") from None

    async def _parts(self, listing_id: bytes) -> list[dict[str, Any]]:
        """What the market shows of each device of a listing, in their order."""
        data = (await self._get(market_paths.listing(listing_id))).get("data")
        parts = data.get("devices") if isinstance(data, dict) else None
        if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
            raise Unreachable(f"{self._address}: shows no devices of listing {to_hex(listing_id)}")
        return parts

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            return await self._http.json_of("GET", self._address, path, most=MAX_PAGE, timeout_s=TIMEOUT_S)
        except ProviderRefused as error:
            raise Unreachable(f"the market {self._address} refused ({error.status}): {error.reason}") from None


def parse_row(row: Any, source: str) -> MarketRow:
    """One line of `/v1/listings`. Raises Unreachable."""
    try:
        device_ids = tuple(DeviceId(parse_bytes32(one, "deviceIds")) for one in row["deviceIds"])
        if not 1 <= len(device_ids) <= MAX_DEVICES:
            raise ValueError(f"{len(device_ids)} devices")
        return MarketRow(
            device_ids=device_ids,
            offer_hash=parse_bytes32(row["offer"], "offer"),
            provider=parse_address(row["provider"], "provider"),
            profile=int(row["profile"]),
            model=str(row["model"]),
            region=str(row["region"]),
            memory_mib=int(row["memoryMib"]),
            score_gops=int(row["scoreGops"]),
            uptime_bps=int(row["uptimeBps"]),
            epoch=int(row["passedEpoch"]),
            token=parse_address(row["token"], "token"),
            rate=int(row["rate"]),
            min_duration=int(row["minDuration"]),
            max_duration=int(row["maxDuration"]),
            valid_until=int(row["validUntil"]),
            notice=int(row["notice"]),
            host=_host(row),
            declared_mib=int(row.get("declaredMib", 0)),
            expected_gops=int(row.get("expectedGops", 0)),
            sheet=parse_sheet(row.get("sheet", {})),
        )
    except (KeyError, TypeError, ValueError, HexadecimalError) as error:
        raise Unreachable(f"{source}: a malformed listing: {error}") from None


def _host(row: Mapping[str, Any]) -> DeclaredHost | None:
    """What all devices of a listing declare of their machine; None for nothing, as of a market that knows no such."""
    cores, memory_mib, disk_mib = (int(row.get(name, 0)) for name in ("hostCores", "hostMemoryMib", "hostDiskMib"))
    return DeclaredHost(cores, memory_mib, disk_mib) if min(cores, memory_mib, disk_mib) > 0 else None


def _document(part: Mapping[str, Any]) -> str | None:
    """The declared specification in what a market shows of a device."""
    specification = part.get("specification")
    document = specification.get("document") if isinstance(specification, dict) else None
    return document if isinstance(document, str) else None
