"""Searches a market's index: what it claims, or each claim held to the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from assay.chain.contracts.devices import Device, DeviceStatus
from assay.chain.contracts.epochs import read_epoch_state
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.protocol.leases import MAX_DEVICES
from assay.protocol.specification import MAX_TEXT
from assay.protocol.types import DeviceId
from assay.renter.errors import RenterError, Unreachable
from assay.renter.market.listing import Evidence, Listing, claim_of, claimed_listing
from assay.renter.market.market_check import ChainFacts, MarketContradicted, checked
from assay.renter.market.market_client import MarketClient, MarketRow
from assay.renter.market.offer_checks import ESCROW, REGISTRY, offer_fault
from assay.renter.market.profile_caps import ProfileCaps
from assay.renter.market.search import Order, Wanted, matches, ordered
from assay.renter.market.tokens import Tokens
from assay.sheet.fields import BY_NAME, DECLARED
from assay.sheet.orders import SORTS
from assay.sheet.values import Sheet

MIB_IN_GIB = 1024
CONCURRENCY = 16


class MarketSearch:
    """One market; reads only."""

    def __init__(self, chain: Chain, client: MarketClient, tokens: Tokens, clock: Callable[[], float]) -> None:
        self._chain = chain
        self._client = client
        self._tokens = tokens
        self._profiles = ProfileCaps(chain)
        self._clock = clock

    async def claims(self, wanted: Wanted, order: Order, limit: int) -> list[Listing]:
        """What the market claims that is wanted, the endpoints with it: `limit` of the best, or all where round trips
        are still to be measured."""
        # In the market's own order its first pages are the best; for another order all of them must be seen.
        timed = order is Order.latency or wanted.max_rtt_ms is not None
        early = (order.value in SORTS) and wanted.near is None and not timed
        found: list[Listing] = []
        async for row in self._client.available(_filters(wanted, order)):
            decimals = (await self._tokens.decimals([row.token])).get(row.token)
            if decimals is not None and matches(one := claimed_listing(row, decimals), wanted, self._clock()):
                found.append(one)
            if early and len(found) >= limit:
                break
        if not timed:
            found = ordered(found, order, wanted.near)[:limit]
        endpoints = await self._at_most(self._client.endpoint(claim_of(one).listing_id) for one in found)
        return [replace(one, endpoint=endpoint) for one, endpoint in zip(found, endpoints, strict=True)]

    async def checked(self, listing: Listing) -> Listing:
        """A claim with its evidence, or with the doubt about it."""
        try:
            evidence = await self._evidence(claim_of(listing))
        except (MarketContradicted, RenterError) as error:
            return replace(listing, doubt=str(error))
        # What is checked is shown as measured, also where the market shows what is declared, or a newer uptime.
        leaves = [line.leaf for line in evidence.measured]
        memory, uptime = min(leaf.memory_mib for leaf in leaves), min(leaf.uptime_bps for leaf in leaves)
        expected = (await self._profiles.expected([listing]))[0].expected_gops
        return replace(
            listing,
            evidence=evidence,
            memory_mib=memory,
            uptime_bps=uptime,
            expected_gops=expected,
            declared=_declared(listing.claimed),
        )

    async def _evidence(self, row: MarketRow) -> Evidence:
        shown = await self._client.evidence(row)
        block = await self._chain.finalised()
        devices, state = await asyncio.gather(
            asyncio.gather(*(self._device(device_id, block) for device_id in row.device_ids)),
            read_epoch_state(self._chain, row.epoch, block),
        )
        facts = ChainFacts(tuple(devices), state.devices_root)
        evidence = checked(row, shown, facts, self._chain.domain(ESCROW))
        if fault := await offer_fault(self._chain, evidence.signed.offer, block):
            raise MarketContradicted(f"the escrow would not take the offer: {fault}")
        return evidence

    async def _device(self, device_id: DeviceId, block: Block) -> Device:
        entry = await self._chain.call(REGISTRY, "device", device_id, at=block)
        return Device(
            device_id, entry.provider, entry.deviceKey, entry.profile, bytes(entry.specHash), DeviceStatus(entry.status)
        )

    async def _at_most(self, asks: Iterable[Awaitable[str]]) -> list[str]:
        gate = asyncio.Semaphore(CONCURRENCY)

        async def one(ask: Awaitable[str]) -> str:
            async with gate:
                with suppress(Unreachable):
                    return await ask
            return ""

        return list(await asyncio.gather(*(one(ask) for ask in asks)))


def _declared(claimed: Sheet) -> dict[str, int | str]:
    """The declared columns of a sheet that was held to the specifications."""
    numbers = {name: BY_NAME[name] for name in DECLARED & claimed.keys()}
    return {
        field.column: field.number(str(claimed[name].value)) if not field.is_text else claimed[name].value
        for name, field in numbers.items()
    }


def _filters(wanted: Wanted, order: Order) -> list[tuple[str, str]]:
    """What a market can filter itself; the rest is filtered here."""
    filters = [("sort", order.value if order.value in SORTS else "price")]
    most = MAX_DEVICES if wanted.max_gpus is None else min(wanted.max_gpus, MAX_DEVICES)
    if (wanted.min_gpus, most) != (1, MAX_DEVICES):
        filters += [("gpus", str(count)) for count in range(wanted.min_gpus, most + 1)]
    if wanted.no_slashed:
        filters.append(("noSlashed", "true"))
    if wanted.firm:
        filters.append(("firm", "true"))
    if wanted.min_score:
        filters.append(("minScoreGops", str(wanted.min_score)))
    if wanted.min_memory_mib >= MIB_IN_GIB:
        filters.append(("minMemoryGiB", str(wanted.min_memory_mib // MIB_IN_GIB)))
    for sign, bounds in (("min", wanted.at_least), ("max", wanted.at_most)):
        filters += [(sign, f"{name}:{BY_NAME[name].shown(number)}") for name, number in bounds]
    if wanted.model:
        filters.append(("model", wanted.model[:MAX_TEXT]))
    if wanted.min_of_expected_bps:
        filters.append(("minOfExpectedBps", str(wanted.min_of_expected_bps)))
    if wanted.min_memory_gb:
        filters.append(("minMemoryGb", str(wanted.min_memory_gb)))
    host = wanted.min_host
    for name, least in (
        ("minCpus", host.cores),
        ("minRamGiB", host.memory_mib // MIB_IN_GIB),
        ("minDiskGiB", host.disk_mib // MIB_IN_GIB),
    ):
        if least:
            filters.append((name, str(least)))
    if wanted.token:
        filters.append(("token", wanted.token))
    if wanted.provider:
        filters.append(("provider", wanted.provider))
    if wanted.profile is not None:
        filters.append(("profile", str(wanted.profile)))
    return filters
