"""Finds devices: straight from chain, validators and providers, or through a market whose claims can be checked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from assay.chain.client import Chain
from assay.chain.devices import Device, DeviceDirectory, DeviceStatus
from assay.chain.epochs import read_epoch_state
from assay.chain.erc20 import Erc20
from assay.chain.errors import ChainError
from assay.chain.leases import active_lease, nonce_floor
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32
from assay.protocol.report_lines import Measured, ReportLineError, leaf_of_values, proven
from assay.renter.errors import BadInput, NoDevice, RenterError, Unreachable
from assay.renter.http_client import HttpClient
from assay.renter.listing import Evidence, Listing, claimed_listing, listings, proven_listing
from assay.renter.market_check import ChainFacts, MarketContradicted, checked
from assay.renter.market_client import MarketClient, MarketRow
from assay.renter.measurements import Measurements
from assay.renter.offers import Offers
from assay.renter.round_trips import round_trips
from assay.renter.search import Order, Wanted, is_near_enough, matches, ordered
from assay.renter.validators import Validators

ESCROW = "LeaseEscrow"
MIB_IN_GIB = 1024
AT_ONCE = 16
FULL_ID, LEAST_DIGITS = 66, 6
BEGINNING = re.compile(r"0x[0-9a-fA-F]{6,63}")
MARKET_ORDERS = {Order.price: "price", Order.score: "score", Order.value: "value", Order.memory: "memory"}
RoundTrips = Callable[[Iterable[str]], Awaitable[dict[str, float]]]


class Discovery:
    """Reads only. `measure` times round trips to endpoints and stands in for the network in tests."""

    def __init__(
        self,
        chain: Chain,
        http: HttpClient,
        validators: Validators,
        clock: Callable[[], float],
        measure: RoundTrips = round_trips,
    ) -> None:
        self._chain = chain
        self._http = http
        self._clock = clock
        self._measure = measure
        self._directory = DeviceDirectory(chain)
        self._measurements = Measurements(chain, validators)
        self._offers = Offers(http, chain.domain(ESCROW))
        self._decimals: dict[str, int | None] = {}

    async def devices(self) -> dict[bytes, Device]:
        """All devices of the registry by id."""
        return await self._directory.refresh()

    async def device(self, device_id: bytes) -> Device:
        """An active device by its id. Raises NoDevice."""
        device = (await self._directory.refresh()).get(device_id)
        if device is None or device.status is not DeviceStatus.ACTIVE:
            state = "not in the registry" if device is None else device.status.name.lower()
            raise NoDevice(f"device 0x{device_id.hex()} is {state}; `assay search` lists those that can be leased")
        self._http.pin(device.endpoint, device.tls_fingerprint)
        return device

    async def device_id(self, text: str) -> bytes:
        """The device that an id, or the beginning of one, names. Raises BadInput, NoDevice."""
        if len(text) == FULL_ID:
            return parse_bytes32(text, "device")
        if not BEGINNING.fullmatch(text):
            raise BadInput(f"device {text[:80]!r}: expected 0x and 64 hex digits, or at least the first {LEAST_DIGITS}")
        named = [i for i in await self._directory.active() if ("0x" + i.hex()).startswith(text.lower())]
        if not named:
            raise NoDevice(f"no active device begins with {text}; `assay search` lists those that can be leased")
        if len(named) > 1:
            raise BadInput(f"{len(named)} devices begin with {text}: write more of it")
        return named[0]

    async def search(self, wanted: Wanted, order: Order) -> list[Listing]:
        """Proven listings that are what is wanted; best first."""
        devices = await self._directory.active()
        measured, (offers, specifications) = await asyncio.gather(
            self._measurements.latest(), self._offers.of_devices(devices.values())
        )
        decimals = await self._known_decimals({signed.offer.token for signed in offers.values()})
        found = listings(devices, measured, offers, decimals, specifications)
        return await self._placed([one for one in found if matches(one, wanted, self._clock())], wanted, order)

    async def search_market(self, market: str, wanted: Wanted, order: Order, verify: bool, limit: int) -> list[Listing]:
        """At most `limit` listings as a market claims them; with `verify` each with its evidence, or the doubt."""
        client = MarketClient(self._http, market)
        rows = await self._matching_rows(client, wanted, order, limit)
        rows = (await self._placed(rows, wanted, order))[:limit]
        return list(await asyncio.gather(*(self._checked(client, one) for one in rows))) if verify else rows

    async def listing(self, device_id: bytes) -> Listing:
        """One device's offer with its newest passing line. Raises NoDevice."""
        device = await self.device(device_id)
        if lease := await active_lease(self._chain, device_id, "latest"):
            raise NoDevice(f"device 0x{device_id.hex()} is not on offer: lease {lease} runs on it")
        measured, answer = await asyncio.gather(
            self._measurements.passing(device_id), self._offers.of_endpoint(device.endpoint)
        )
        specification = next((s for s in answer.specifications if s.spec_hash == device.spec_hash), None)
        for signed in answer.offers:
            if signed.offer.device_id == device_id and signed.offer.provider == device.provider:
                decimals = await Erc20(self._chain, signed.offer.token).decimals()
                return proven_listing(Evidence(device, measured, signed), decimals, specification)
        raise NoDevice(f"device 0x{device_id.hex()} is not on offer: {device.endpoint} makes none for it now")

    async def quote(self, device_id: bytes, renter: str, seconds: int) -> Listing:
        """One device at the price its provider makes to one renter. Raises NoDevice, ProviderRefused, Unreachable."""
        device = await self.device(device_id)
        signed, measured = await asyncio.gather(
            self._offers.quote(device, renter, seconds), self._measurements.passing(device_id)
        )
        decimals = await Erc20(self._chain, signed.offer.token).decimals()
        return proven_listing(Evidence(device, measured, signed), decimals, None)

    async def line(self, epoch: int, root: bytes, device_id: bytes, market: str | None) -> Measured | None:
        """A device's line of a report, proven against its root: from a validator, else from the market."""
        found = await self._measurements.line(epoch, root, device_id)
        if found is None and market is not None:
            with suppress(Unreachable, ReportLineError, HexadecimalError, TypeError, ValueError):
                values, nodes = await MarketClient(self._http, market).line(epoch, device_id)
                found = proven(leaf_of_values(values), nodes, root)
        return found

    async def _placed(self, found: list[Listing], wanted: Wanted, order: Order) -> list[Listing]:
        """With round trips, those that are too far away left out, in order."""
        measured = await self._measure(one.endpoint for one in found)
        timed = [replace(one, round_trip_ms=measured.get(one.endpoint)) for one in found]
        return ordered((one for one in timed if is_near_enough(one, wanted)), order, wanted.near)

    async def _matching_rows(self, client: MarketClient, wanted: Wanted, order: Order, limit: int) -> list[Listing]:
        # In the market's own order its first pages are the best; for another order all of them must be seen.
        timed = order is Order.latency or wanted.max_rtt_ms is not None
        early = order in MARKET_ORDERS and wanted.near is None and not timed
        found: list[Listing] = []
        async for row in client.available(_filters(wanted, order)):
            decimals = (await self._known_decimals({row.token})).get(row.token)
            if decimals is not None and matches(one := claimed_listing(row, decimals), wanted, self._clock()):
                found.append(one)
            if early and len(found) >= limit:
                break
        if not timed:
            found = ordered(found, order, wanted.near)[:limit]
        endpoints = await self._at_most(client.endpoint(one.device_id) for one in found)
        return [replace(one, endpoint=endpoint) for one, endpoint in zip(found, endpoints, strict=True)]

    async def _checked(self, client: MarketClient, listing: Listing) -> Listing:
        row = MarketRow(
            listing.device_id, listing.provider, listing.profile, listing.model, listing.region, listing.memory_mib,
            listing.score_gops, listing.uptime_bps, listing.epoch, listing.token, listing.rate,
            listing.min_duration, listing.max_duration, listing.valid_until,
        )  # fmt: skip
        try:
            shown = await client.evidence(row)
            evidence = checked(row, shown, await self._facts(row), self._chain.domain(ESCROW))
        except (MarketContradicted, RenterError) as error:
            return replace(listing, doubt=str(error))
        # What is checked is shown as measured, also where the market shows what is declared, or a newer uptime.
        leaf = evidence.measured.leaf
        return replace(listing, evidence=evidence, memory_mib=leaf.memory_mib, uptime_bps=leaf.uptime_bps)

    async def _facts(self, row: MarketRow) -> ChainFacts:
        block = await self._chain.finalised()
        entry, state, floor, lease = await asyncio.gather(
            self._chain.call("DeviceRegistry", "device", row.device_id, at=block),
            read_epoch_state(self._chain, row.epoch, block),
            nonce_floor(self._chain, row.device_id, block),
            active_lease(self._chain, row.device_id, block),
        )
        device = Device(
            row.device_id, entry.provider, entry.deviceKey, entry.profile, bytes(entry.specHash),
            DeviceStatus(entry.status),
        )  # fmt: skip
        return ChainFacts(device, state.devices_root, floor, lease)

    async def _at_most(self, asks: Iterable[Awaitable[str]]) -> list[str]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(ask: Awaitable[str]) -> str:
            async with gate:
                with suppress(Unreachable):
                    return await ask
            return ""

        return list(await asyncio.gather(*(one(ask) for ask in asks)))

    async def _known_decimals(self, tokens: set[str]) -> dict[str, int]:
        """Decimals of tokens; one that is none is left out, and its offers with it."""
        for token in tokens - set(self._decimals):
            try:
                self._decimals[token] = await Erc20(self._chain, token).decimals()
            except (ChainError, HexadecimalError):
                self._decimals[token] = None
        return {token: known for token in tokens if (known := self._decimals[token]) is not None}


def _filters(wanted: Wanted, order: Order) -> dict[str, str]:
    """What a market can filter itself; the rest is filtered here."""
    filters = {"sort": MARKET_ORDERS.get(order, "price")}
    if wanted.min_score:
        filters["minScoreGops"] = str(wanted.min_score)
    if wanted.min_memory_mib >= MIB_IN_GIB:
        filters["minMemoryGiB"] = str(wanted.min_memory_mib // MIB_IN_GIB)
    if wanted.token:
        filters["token"] = wanted.token
    if wanted.provider:
        filters["provider"] = wanted.provider
    if wanted.profile is not None:
        filters["profile"] = str(wanted.profile)
    return filters
