"""Finds devices and nodes: straight from chain, validators and providers, or through a
market whose claims can be checked."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from assay.chain.contracts.devices import Device, DeviceDirectory, DeviceStatus
from assay.chain.contracts.leases import active_lease
from assay.chain.rpc.client import Chain
from assay.network.origins import Endpoint
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.protocol.messages import Offer
from assay.protocol.specification import Specification, host_of_all
from assay.protocol.types import DeviceId, Root
from assay.renter.errors import BadInput, NoDevice, Unreachable
from assay.renter.http_client import HttpClient
from assay.renter.market.listing import Evidence, Listing, common, declared_columns, listings, proven_listing
from assay.renter.market.market_client import MarketClient
from assay.renter.market.market_search import MarketSearch
from assay.renter.market.measurements import Measurements
from assay.renter.market.offer_checks import ESCROW, offer_fault
from assay.renter.market.offers import ANYONE, Offers, node_of
from assay.renter.market.profile_caps import ProfileCaps
from assay.renter.market.search import Order, Wanted, is_near_enough, matches, ordered
from assay.renter.market.tokens import Tokens
from assay.renter.market.validators import Validators
from assay.sheet.declared import host_columns
from assay.sheet.fields import sheet_of_row
from assay.sheet.model_names import named_model
from assay.sheet.values import Sheet
from assay.wire.leases import SignedOffer
from assay.wire.lines import Measured, ReportLineError, leaf_of_values, proven

CHECK_CONCURRENCY = 64  # of a node that counts calls, they are a few
FULL_ID, MIN_DIGITS = 66, 6
BEGINNING = re.compile(r"0x[0-9a-fA-F]{6,63}")
RoundTrips = Callable[[Iterable[str]], Awaitable[dict[str, float]]]


class Discovery:
    """Reads only. `measure` times round trips to endpoints and stands in for the network in tests."""

    def __init__(
        self,
        chain: Chain,
        http: HttpClient,
        validators: Validators,
        clock: Callable[[], float],
        measure: RoundTrips,
    ) -> None:
        self._chain = chain
        self._http = http
        self._clock = clock
        self._measure = measure
        self._directory = DeviceDirectory(chain)
        self._measurements = Measurements(chain, validators)
        self._offers = Offers(http, chain.domain(ESCROW))
        self._tokens = Tokens(chain)
        self._profiles = ProfileCaps(chain)

    async def devices(self) -> dict[DeviceId, Device]:
        """All devices of the registry by id."""
        return await self._directory.refresh()

    async def device(self, device_id: DeviceId) -> Device:
        """An active device by its id. Raises NoDevice."""
        return (await self.node([device_id]))[0]

    async def node(self, device_ids: Sequence[DeviceId]) -> tuple[Device, ...]:
        """Active devices by their ids, in that order, ready to be asked. Raises NoDevice naming the one that is not."""
        known = await self._directory.refresh()
        for device_id in device_ids:
            device = known.get(device_id)
            if device is None or device.status is not DeviceStatus.ACTIVE:
                state = "not in the registry" if device is None else device.status.name.lower()
                raise NoDevice(f"device {to_hex(device_id)} is {state}; `assay search` lists those that can be leased")
        return tuple(known[device_id] for device_id in device_ids)

    async def device_id(self, text: str) -> DeviceId:
        """The device that an id, or the beginning of one, names. Raises BadInput, NoDevice."""
        if len(text) == FULL_ID:
            return DeviceId(parse_bytes32(text, "device"))
        if not BEGINNING.fullmatch(text):
            raise BadInput(f"device {text[:80]!r}: expected 0x and 64 hex digits, or at least the first {MIN_DIGITS}")
        named = [i for i in await self._directory.active() if ("0x" + i.hex()).startswith(text.lower())]
        if not named:
            raise NoDevice(f"no active device begins with {text}; `assay search` lists those that can be leased")
        if len(named) > 1:
            raise BadInput(f"{len(named)} devices begin with {text}: write more of it")
        return named[0]

    async def search(self, wanted: Wanted, order: Order, limit: int) -> list[Listing]:
        """At most `limit` proven listings that are what is wanted and that the escrow takes now; best first."""
        known = await self._directory.refresh()
        devices = {i: one for i, one in known.items() if one.status is DeviceStatus.ACTIVE}
        passes, (offers, specifications) = await asyncio.gather(
            self._measurements.passes(), self._offers.of_devices(devices)
        )
        decimals = await self._tokens.decimals(signed.offer.token for signed in offers)
        found = await self._profiles.expected(listings(devices, passes, offers, decimals, specifications))
        found = _with_slashes(found, known)
        placed = await self._placed([one for one in found if matches(one, wanted, self._clock())], wanted, order)
        return await self._takeable(placed, limit)

    async def search_market(self, market: str, wanted: Wanted, order: Order, verify: bool, limit: int) -> list[Listing]:
        """At most `limit` listings as a market claims them; with `verify` each with its evidence, or the doubt."""
        index = MarketSearch(self._chain, MarketClient(self._http, market), self._tokens, self._clock)
        claims = (await self._placed(await index.claims(wanted, order, limit), wanted, order))[:limit]
        return list(await asyncio.gather(*(index.checked(one) for one in claims))) if verify else claims

    async def listing(self, device_id: DeviceId, gpus: int = 1, token: str | None = None) -> Listing:
        """The public offer of a device, alone or with others to `gpus`, in a token where one is named; proven by the
        newest epoch in which all of them passed. Raises NoDevice saying as what it is on offer."""
        device, known = await self.device(device_id), await self._directory.active()
        answer = await self._offers.of_endpoint(Endpoint(device.endpoint, device.tls_fingerprint))
        offered = [
            signed.offer
            for signed in answer.offers
            if device_id in signed.offer.device_ids
            and signed.offer.renter == ANYONE
            and token in (None, signed.offer.token)
            and node_of(signed.offer, known)
        ]
        faults = []
        for signed in answer.offers:
            if signed.offer not in offered or len(signed.offer.device_ids) != gpus:
                continue
            fault = await offer_fault(self._chain, signed.offer)
            if fault is None:
                specifications = {spec.spec_hash: spec for spec in answer.specifications}
                return await self._proven(signed, await self.node(signed.offer.device_ids), specifications)
            faults.append(fault)
        lease = await active_lease(self._chain, device_id, "latest")
        raise NoDevice(_not_offered(device, gpus, offered, faults, lease))

    async def declared_sheet(self, device_ids: Sequence[DeviceId]) -> Sheet:
        """What these devices together are and declare, on offer or not: the specifications that their provider serves,
        held to the hashes in the registry. Raises NoDevice, Unreachable, ProviderRefused."""
        known = await self._directory.refresh()
        if missing := [one for one in device_ids if one not in known]:
            raise NoDevice(f"device {to_hex(missing[0])} is not in the registry")
        devices = [known[one] for one in device_ids]
        answer = await self._offers.of_endpoint(Endpoint(devices[0].endpoint, devices[0].tls_fingerprint))
        served = {spec.spec_hash: spec for spec in answer.specifications}
        declared = [served.get(device.spec_hash) for device in devices]
        model = common((one.model if one else "" for one in declared), "")
        named = named_model(model, min(one.memory_mib if one else 0 for one in declared))
        host = host_of_all(one.host if one else None for one in declared)
        return sheet_of_row(
            {
                "gpus": len(devices), "memory_proven": False, "model_name": named.name, "memory_gb": named.memory_gb,
                **host_columns(host), **declared_columns(declared),
            }
        )  # fmt: skip

    async def scores(self, device_ids: Sequence[DeviceId]) -> dict[DeviceId, int]:
        """Their scores in the newest report that the escrow counts and in which all of them passed; none where there
        is no such report."""
        try:
            lines = await self._measurements.passing(device_ids)
        except NoDevice:
            return {}
        return {line.leaf.device_id: line.leaf.score_gops for line in lines}

    async def quote(self, device_ids: Sequence[DeviceId], renter: str, seconds: int) -> Listing:
        """Devices together at the price that their provider makes to one renter. Raises
        NoDevice, ProviderRefused, Unreachable."""
        node = await self.node(device_ids)
        signed = await self._offers.quote(node, renter, seconds)
        if fault := await offer_fault(self._chain, signed.offer):
            raise Unreachable(f"{node[0].endpoint}: the escrow would not take its quote: {fault}")
        return await self._proven(signed, node, {})

    async def line(self, epoch: int, root: Root, device_id: DeviceId, market: str | None) -> Measured | None:
        """A device's line of a report, proven against its root: from a validator, else from the market."""
        found = await self._measurements.line(epoch, root, device_id)
        if found is None and market is not None:
            with suppress(Unreachable, ReportLineError, HexadecimalError, TypeError, ValueError):
                values, nodes = await MarketClient(self._http, market).line(epoch, device_id)
                found = proven(leaf_of_values(values), nodes, root)
        return found

    async def _proven(
        self, signed: SignedOffer, node: tuple[Device, ...], specifications: Mapping[bytes, Specification]
    ) -> Listing:
        token = signed.offer.token
        measured, decimals = await asyncio.gather(
            self._measurements.passing(signed.offer.device_ids), self._tokens.decimals([token])
        )
        if token not in decimals:
            raise NoDevice(f"{node[0].endpoint}: its offer is priced in {token}, which answers as no token does")
        listing = proven_listing(Evidence(node, measured, signed), decimals[token], specifications)
        return _with_slashes(await self._profiles.expected([listing]), await self._directory.refresh())[0]

    async def _takeable(self, found: Sequence[Listing], limit: int) -> list[Listing]:
        """The first `limit` whose offers the escrow takes now; no more are asked about than it needs."""
        taken: list[Listing] = []
        for start in range(0, len(found), CHECK_CONCURRENCY):
            some = found[start : start + CHECK_CONCURRENCY]
            faults = await asyncio.gather(*(self._fault(one) for one in some))
            taken += [one for one, fault in zip(some, faults, strict=True) if fault is None]
            if len(taken) >= limit:
                break
        return taken[:limit]

    async def _fault(self, one: Listing) -> str | None:
        return await offer_fault(self._chain, one.evidence.signed.offer) if one.evidence else "it is not proven"

    async def _placed(self, found: list[Listing], wanted: Wanted, order: Order) -> list[Listing]:
        """With round trips, those that are too far away left out, in order."""
        measured = await self._measure(one.endpoint for one in found)
        timed = [replace(one, round_trip_ms=measured.get(one.endpoint)) for one in found]
        return ordered((one for one in timed if is_near_enough(one, wanted)), order, wanted.near)


def _not_offered(device: Device, gpus: int, offered: Sequence[Offer], faults: Sequence[str], lease: int) -> str:
    """Why a device cannot be leased as so many, and as how many it can."""
    name = to_hex(device.device_id)
    if faults:
        return f"the offer of device {name} cannot be taken: {faults[0]}"
    if not offered and lease:
        return f"device {name} is not on offer: lease {lease} runs on it"
    if not offered:
        return f"device {name} is not on offer: {device.endpoint} makes none for it now"
    sizes = sorted({len(offer.device_ids) for offer in offered})
    asked = "alone" if gpus == 1 else f"as a node of {gpus}"
    return f"device {name} is not on offer {asked}: say --gpus {' or '.join(map(str, sizes))}"


def _with_slashes(found: Sequence[Listing], known: Mapping[DeviceId, Device]) -> list[Listing]:
    """With how many devices of each provider were slashed, as the registry has them."""
    slashed = Counter(one.provider for one in known.values() if one.status is DeviceStatus.SLASHED)
    return [replace(one, provider_slashes=slashed[one.provider]) for one in found]
