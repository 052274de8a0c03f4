"""The current offers of devices and nodes, and quotes for one renter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from assay.chain.contracts.leases import nonce_floor
from assay.chain.contracts.operators import OperatorScope
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.sender import Sender
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.leases import shown_devices
from assay.protocol.rates import cost
from assay.protocol.types import DeviceId
from assay.provider.account.authority import Authority, scope_names
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, NotFound, ProviderError, Unavailable
from assay.provider.leasing.lease_states import require_free, why_not_free, why_not_leasable
from assay.provider.offers.bonds import BondFunds, Bonds
from assay.provider.offers.free_nodes import alike, free_nodes, price_together
from assay.provider.offers.offers import OfferMaker, Price
from assay.provider.offers.terms import ProviderTerms, TermsFile

OFFERING = OperatorScope.OFFER | OperatorScope.START
DeviceIds = tuple[DeviceId, ...]
Candidates = dict[DeviceIds, Price]

log = structlog.get_logger()


@dataclass(frozen=True)
class _Looked:
    """What was on offer by these terms at this final block."""

    block: Block
    terms: ProviderTerms
    on_offer: list[tuple[DeviceIds, Price, int]]  # devices, price, nonce


@dataclass(frozen=True)
class _Quotes:
    """What quotes by these terms were found to rest on at this head."""

    head: Block
    terms: ProviderTerms
    by_devices: dict[DeviceIds, tuple[ProviderError | None, int]] = field(default_factory=dict)  # and the nonce
    funds: dict[str, BondFunds] = field(default_factory=dict)  # by token


class OfferService:
    """Signs offers by the terms; a price in the terms goes before the one the daemon was started with. A device can
    stand alone and in nodes: whichever lease starts first has it.
    """

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        devices: Mapping[DeviceId, OwnDevice],
        prices: Mapping[DeviceId, Price],
        maker: OfferMaker,
        terms: TermsFile,
        authority: Authority,
        bonds: Bonds,
        cards: Callable[[DeviceIds], str | None] = lambda ids: None,
        sizes: Collection[int] = (),
    ) -> None:
        """`cards` says why a renter could not have the cards of these devices now; free devices that are alike are on
        offer in nodes of these `sizes` too."""
        self._chain = chain
        self._sender = sender
        self._devices = devices
        self._prices = prices
        self._maker = maker
        self._terms = terms
        self._authority = authority
        self._bonds = bonds
        self._cards = cards
        self._sizes = sorted(set(sizes))
        self._looked: _Looked | None = None
        self._looking = asyncio.Lock()
        self._told: dict[DeviceIds, str] = {}
        self._quotes: _Quotes | None = None

    async def listed(self) -> dict[str, Any]:
        """The public offers and what the devices are, as they travel."""
        offers = await self.current()
        return {"offers": offers, "specifications": self.specifications()}

    async def current(self) -> list[dict[str, Any]]:
        """Public offers, as JSON, of what can be had: all its devices free, the bond there. Ascending by devices; none
        while draining. The chain is asked once a block, however often others ask here.
        """
        terms = self._terms.read()
        async with self._looking:
            block = await self._chain.recent_final()
            if self._looked is None or (self._looked.block, self._looked.terms) != (block, terms):
                self._looked = _Looked(block, terms, await self._on_offer(terms, block))
        return [self._maker.offer(ids, price, nonce) for ids, price, nonce in self._looked.on_offer]

    def specifications(self) -> list[Mapping[str, Any]]:
        """What the devices were enrolled as, where it is known: also of those that are leased, whose renters hold them
        to it."""
        known = (device.specification for device in self._devices.values())
        return [specification for specification in known if specification is not None]

    async def quote(self, device_ids: DeviceIds, renter: str, seconds: int) -> dict[str, Any]:
        """An offer for one renter alone, by the terms' discounts.

        Raises NotFound for what is not on offer together, Conflict for what is leased or not for so long, Unavailable
        where the lease could not be started.
        """
        terms = self._terms.read()
        price = self._price(terms, device_ids)
        if price is None:
            raise NotFound(f"{shown_devices(device_ids)}: not on offer here together")
        if terms.draining:
            raise Conflict("this provider takes no new leases now")
        if not price.min_duration <= seconds <= price.max_duration:
            raise Conflict(f"{seconds} s: leases last {price.min_duration} to {price.max_duration} s here")
        price = terms.quote(price, seconds)
        async with self._looking:
            refusal, nonce = await self._quotable(terms, device_ids, price)
        if refusal is not None:
            raise type(refusal)(str(refusal))
        return self._maker.offer(device_ids, price, nonce, renter)

    async def cancel_due(self) -> None:
        """Raises nonce floors on the chain where the terms ask for it: those of what this daemon's key has signed."""
        for device, floor in self._terms.read().nonce_floors.items():
            device_id = DeviceId(parse_bytes32(device, "device"))
            if device_id in self._devices and await self._floor(device_id, head=True) < floor:
                await self._authority.require(OperatorScope.OFFER, "cancel offers")
                call = ContractCall("LeaseEscrow", "cancelOffers", (device_id, floor))
                receipt = await self._sender.send(call, purpose=f"cancel offers of {device} below {floor}")
                log.info("offers cancelled", device=device, below=floor, transaction=receipt.transaction_hash)

    def _candidates(self, terms: ProviderTerms) -> Candidates:
        """Everything that has a price and is served here, whether it can be had now or not."""
        found: Candidates = {}
        for device_id in self._devices:
            price = terms.prices.get(to_hex(device_id)) or self._prices.get(device_id)
            if price is not None:
                found[(device_id,)] = price
        for node in terms.nodes.values():
            if all(device_id in self._devices for device_id in node.device_ids):
                found[node.device_ids] = node.price
        return found

    def _price(self, terms: ProviderTerms, device_ids: DeviceIds) -> Price | None:
        """What is on offer as one costs, leased or not; None for what never is."""
        candidates = self._candidates(terms)
        alone = [candidates.get((device_id,)) for device_id in device_ids]
        prices = [price for price in alone if price is not None]
        if (known := candidates.get(device_ids)) is not None:
            return known
        if len(device_ids) not in self._sizes or len(prices) < len(device_ids):
            return None
        return price_together(prices) if alike(self._devices[one] for one in device_ids) else None

    async def _on_offer(self, terms: ProviderTerms, block: Block) -> list[tuple[DeviceIds, Price, int]]:
        """What of it can be had as of a final block, with its nonce; the log says once what cannot, and why."""
        if terms.draining:
            return []
        named = self._candidates(terms)
        found = await self._leasable(terms, named, block)
        alone = {ids[0]: price for ids, price, _ in found if len(ids) == 1}
        gathered = free_nodes(alone, self._devices, self._sizes)
        found += await self._leasable(terms, {ids: one for ids, one in gathered.items() if ids not in named}, block)
        return sorted(found, key=lambda one: one[0])

    async def _leasable(
        self, terms: ProviderTerms, candidates: Candidates, block: Block
    ) -> list[tuple[DeviceIds, Price, int]]:
        """Those of the candidates that nothing stands in the way of."""
        missing = await self._authority.lacking(OFFERING) if candidates else OperatorScope(0)
        found = []
        for ids, price in sorted(candidates.items(), key=lambda one: one[0]):
            lacking = f"the operator lacks {scope_names(missing)}" if missing else None
            reason = lacking or await self._obstacle(ids, price, block)
            if reason is None:
                found.append((ids, price, await self._nonce(terms, ids)))
                self._told.pop(ids, None)
            elif self._told.get(ids) != reason:
                self._told[ids] = reason
                log.info("not on offer", devices=shown_devices(ids), reason=reason)
        return found

    async def _quotable(self, terms: ProviderTerms, ids: DeviceIds, price: Price) -> tuple[ProviderError | None, int]:
        """Why a lease at this price could not be opened and started as of the head, and the nonce of its offer. The
        chain is asked once a block for each set of devices and each token, not for each price, of which there is one
        for each discount: anybody may ask here, as often as he likes.
        """
        head = await self._chain.recent_head()
        if self._quotes is None or (self._quotes.head, self._quotes.terms) != (head, terms):
            self._quotes = _Quotes(head, terms)
        quotes = self._quotes
        if ids not in quotes.by_devices:
            refusal = None
            try:
                await require_free(self._chain, self._authority.provider, ids)
                if obstacle := self._cards(ids):
                    raise Unavailable(obstacle)
                await self._authority.require(OFFERING, "offer and start leases")
            except ProviderError as error:
                refusal = error
            quotes.by_devices[ids] = refusal, await self._nonce(terms, ids)
        if price.token not in quotes.funds:
            quotes.funds[price.token] = await self._bonds.funds(price.token)
        refusal, nonce = quotes.by_devices[ids]
        if refusal is None:
            try:
                quotes.funds[price.token].require(cost(price.rate, price.min_duration))
            except ProviderError as error:
                refusal = error
        return refusal, nonce

    async def _obstacle(self, ids: DeviceIds, price: Price, block: Block) -> str | None:
        return (
            await why_not_leasable(self._chain, self._authority.provider, ids, block)
            or await why_not_free(self._chain, ids, block)
            or self._cards(ids)
            or await self._bonds.shortfall(price.token, cost(price.rate, price.min_duration))
        )

    async def _nonce(self, terms: ProviderTerms, device_ids: DeviceIds) -> int:
        """At least the floor of each device, the one on the chain and the one asked for."""
        wanted = [terms.nonce_floors.get(to_hex(device_id), 0) for device_id in device_ids]
        return max([*wanted, *[await self._floor(device_id) for device_id in device_ids]])

    async def _floor(self, device_id: DeviceId, head: bool = False) -> int:
        return await nonce_floor(self._chain, device_id, self._authority.signer, "latest" if head else None)
