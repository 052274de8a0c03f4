"""Reads a market's index over HTTP. What it says is a claim until `market_check` has held it to the chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from assay.protocol.hexadecimal import HexadecimalError, parse_address, parse_bytes32, to_hex
from assay.protocol.leases import MAX_DEVICES
from assay.renter.errors import ProviderRefused, Unreachable
from assay.renter.http_client import HttpClient

PAGE = 100
MOST_PAGES = 100
MOST_PAGE = 2 << 20
TIMEOUT_S = 15.0


@dataclass(frozen=True)
class MarketRow:
    """An offer, of one device or of several together, that a market says can be taken; `offer_hash` names it. The rate
    in base units × 10¹⁸ a second, durations and `notice` in seconds; numbers of several devices are the least of them.
    """

    device_ids: tuple[bytes, ...]
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
        self._address = address

    async def available(self, filters: Sequence[tuple[str, str]]) -> AsyncIterator[MarketRow]:
        """What can be leased, in the market's order, page by page. Raises Unreachable."""
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            query = [*filters, ("limit", str(PAGE)), *([("cursor", cursor)] if cursor else [])]
            answer = await self._get(f"/v1/devices?{urlencode(query)}")
            rows = answer.get("data")
            if not isinstance(rows, list) or len(rows) > PAGE:
                raise Unreachable(f"{self._address}: no list of at most {PAGE} devices")
            for row in rows:
                yield parse_row(row, self._address)
            cursor = answer.get("next")
            if not cursor or not isinstance(cursor, str):
                return

    async def endpoint(self, device_id: bytes) -> str:
        """Where the market says that a device answers; empty where it does not know."""
        return str((await self._detail(device_id))["device"].get("endpoint", ""))

    async def evidence(self, row: MarketRow) -> MarketEvidence:
        """What proves a row. Raises Unreachable."""
        offer = (await self._get(f"/v1/offers/{to_hex(row.offer_hash)}")).get("data")
        if not isinstance(offer, dict):
            raise Unreachable(f"{self._address}: shows no offer {to_hex(row.offer_hash)}")
        shown = await asyncio.gather(*(self._shown(row.epoch, device_id) for device_id in row.device_ids))
        return MarketEvidence(offer, tuple(shown))

    async def line(self, epoch: int, device_id: bytes) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """(leaf, its proof) of a device in a report, as the market serves them: unproven. Raises Unreachable."""
        shown = (await self._get(f"/v1/epochs/{epoch}/devices/{to_hex(device_id)}")).get("data")
        leaf, nodes = (shown.get("leaf"), shown.get("proof")) if isinstance(shown, dict) else (None, None)
        if not isinstance(leaf, list) or not isinstance(nodes, list):
            raise Unreachable(f"{self._address}: the proof of device {to_hex(device_id)} is malformed")
        return tuple(leaf), tuple(nodes)

    async def status(self) -> dict[str, Any]:
        """Network, chain, block, lag: the `at` of an answer."""
        at = (await self._get("/v1/network")).get("at")
        if not isinstance(at, dict):
            raise Unreachable(f"{self._address}: does not say where its index stands")
        return at

    async def _shown(self, epoch: int, device_id: bytes) -> Shown:
        detail, (leaf, proof) = await asyncio.gather(self._detail(device_id), self.line(epoch, device_id))
        specification = detail.get("specification")
        document = specification.get("document") if isinstance(specification, dict) else None
        return Shown(leaf, proof, document if isinstance(document, str) else None)

    async def _detail(self, device_id: bytes) -> dict[str, Any]:
        data = (await self._get(f"/v1/devices/{to_hex(device_id)}")).get("data")
        if not isinstance(data, dict) or not isinstance(data.get("device"), dict):
            raise Unreachable(f"{self._address}: knows no device {to_hex(device_id)}")
        return data

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            return await self._http.json_of("GET", self._address + path, most=MOST_PAGE, timeout_s=TIMEOUT_S)
        except ProviderRefused as error:
            raise Unreachable(f"the market {self._address} refused ({error.status}): {error.reason}") from None


def parse_row(row: Any, source: str) -> MarketRow:
    """One line of `/v1/devices`. Raises Unreachable."""
    try:
        device_ids = tuple(parse_bytes32(one, "deviceIds") for one in row["deviceIds"])
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
        )
    except (KeyError, TypeError, ValueError, HexadecimalError) as error:
        raise Unreachable(f"{source}: a malformed line of devices: {error}") from None
