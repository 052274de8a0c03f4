"""What is on offer: devices alone and in nodes, by the terms, as far as a lease of them could begin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.chain.contracts.leases import LeaseStatus
from assay.chain.contracts.operators import ALL_SCOPES, OperatorScope
from assay.protocol.messages import Offer
from assay.protocol.signing import sign_compact
from assay.provider.account.authority import Authority
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, NotFound, Unavailable
from assay.provider.offers.bonds import Bonds
from assay.provider.offers.offer_service import OfferService
from assay.provider.offers.offers import OfferMaker, Price
from assay.provider.offers.terms import Discount, Node, ProviderTerms, TermsFile
from assay.wire.leases import parse_signed_offer
from tests.unit.provider.conftest import DEVICES, ESCROW, NODE, OPERATOR, PROVIDER, RENTER, TOKEN, key, lease_on
from tests.unit.provider.contracts_fake import ContractsFake, SenderFake

IDS = NODE.device_ids
PRICE = Price(TOKEN, rate=10**18, min_duration=60, max_duration=3600)
NODE_PRICE = replace(PRICE, rate=2 * 10**18, notice=600)
RACK = Node(tuple(one.name for one in DEVICES), NODE_PRICE)


class World:
    """An operator's offers over three devices, of which all have a price and make up a node."""

    def __init__(self, folder: Path, *sizes: int) -> None:
        self.chain, self.sender, self.terms = ContractsFake(), SenderFake(OPERATOR), TermsFile(folder)
        self.chain.both(operators={OPERATOR: (int(ALL_SCOPES), 10_000)}, credit=(10**6, 10**6, 10**6))
        prices = {one.name: PRICE for one in DEVICES}
        self.terms.write(ProviderTerms(prices, {"rack": RACK}))
        authority = Authority(self.anything, PROVIDER, OPERATOR)
        maker = OfferMaker(PROVIDER, OPERATOR, ESCROW, lambda d: sign_compact(d, key("operator")), lambda: 1_000.0)
        devices: dict[bytes, OwnDevice] = {one.device_id: one for one in DEVICES}
        sender: Any = self.sender
        self.service = OfferService(
            self.anything, sender, devices, {}, maker, self.terms, authority, Bonds(self.anything, authority),
            sizes=sizes,
        )  # fmt: skip

    @property
    def anything(self) -> Any:
        return self.chain

    def change(self, **changes: Any) -> None:
        self.terms.write(replace(self.terms.read(), **changes))

    async def offers(self) -> list[Offer]:
        return [parse_signed_offer(one, ESCROW)[0] for one in await self.service.current()]

    async def on_offer(self) -> set[tuple[bytes, ...]]:
        return {offer.device_ids for offer in await self.offers()}

    def next_head(self) -> None:
        last = self.chain.head_block
        self.chain.head_block = replace(last, number=last.number + 1, hash=bytes([last.number + 1]) * 32)

    def next_block(self) -> None:
        last = self.chain.final_block
        self.chain.final_block = replace(last, number=last.number + 1, hash=bytes([last.number + 1]) * 32)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


EVERYTHING = {(one,) for one in IDS} | {IDS}


async def test_current__all_free__each_device_alone_and_the_node_at_its_own_rate(world: World) -> None:
    offers = await world.offers()
    assert {offer.device_ids: (offer.rate, offer.notice) for offer in offers} == {
        **dict.fromkeys(((one,) for one in IDS), (PRICE.rate, 0)),
        IDS: (NODE_PRICE.rate, 600),
    }
    assert {(offer.provider, offer.operator) for offer in offers} == {(PROVIDER, OPERATOR)}
    assert [offer.device_ids for offer in offers] == sorted(offer.device_ids for offer in offers)


async def test_current__one_device_leased__takes_the_node_off_the_market_too(world: World) -> None:
    held = lease_on(replace(NODE, device_ids=IDS[:1]), 8, status=LeaseStatus.ACTIVE, stop=5_000)
    world.chain.both(leased={IDS[0]: held})
    assert await world.on_offer() == {(IDS[1],), (IDS[2],)}


async def test_current__node_leased__takes_all_its_devices_off_the_market(world: World) -> None:
    world.chain.both(leased=dict.fromkeys(IDS, lease_on(NODE, 8, status=LeaseStatus.ACTIVE)))
    assert await world.on_offer() == set()


async def test_current__renter_left_early__devices_can_be_let_again(world: World) -> None:
    left = lease_on(NODE, 8, status=LeaseStatus.ACTIVE, left_early=True)
    world.chain.both(leased=dict.fromkeys(IDS, left))
    assert await world.on_offer() == EVERYTHING
    world.next_block()
    # Its end would forfeit the bond that downtime has: no operator can start another lease over it.
    world.chain.both(leased=dict.fromkeys(IDS, replace(left, forfeitable=1)))
    assert await world.on_offer() == set()


async def test_current__device_retired_or_slashed__no_offer_with_it(world: World) -> None:
    world.chain.both(inactive={IDS[2]})
    assert await world.on_offer() == {(IDS[0],), (IDS[1],)}


async def test_current__credit_for_one_device_only__node_is_not_shown(world: World) -> None:
    world.chain.both(credit=(100, 100, 100))
    assert await world.on_offer() == {(one,) for one in IDS}
    world.next_block()
    world.chain.both(credit=(100, 50, 50))
    assert await world.on_offer() == set()


@pytest.mark.parametrize("scope", [OperatorScope.OFFER, OperatorScope.START])
async def test_current__operator_may_not_offer_or_start__nothing_is_shown(world: World, scope: OperatorScope) -> None:
    world.chain.both(operators={OPERATOR: (int(ALL_SCOPES & ~scope), 10_000)})
    assert await world.on_offer() == set()
    with pytest.raises(Unavailable, match="may not offer and start leases"):
        await world.service.quote(IDS, RENTER, 60)


async def test_current__asked_again_and_again__the_chain_is_asked_once_a_block(world: World) -> None:
    await world.on_offer()
    asked = len(world.chain.asked)
    for _ in range(5):
        await world.on_offer()
    assert len(world.chain.asked) == asked
    world.next_block()
    await world.on_offer()
    assert len(world.chain.asked) == 2 * asked


async def test_current__terms_changed__hold_at_once(world: World) -> None:
    await world.on_offer()
    world.change(nodes={})
    assert await world.on_offer() == {(one,) for one in IDS}
    world.change(draining=True)
    assert await world.on_offer() == set()
    with pytest.raises(Conflict, match="no new leases"):
        await world.service.quote(IDS[:1], RENTER, 60)


async def test_current__node_with_a_device_that_another_host_serves__is_not_offered_here(world: World) -> None:
    elsewhere = tuple(sorted([*RACK.devices, "0x" + "01" * 32]))
    world.change(nodes={"rack": RACK, "wide": Node(elsewhere, NODE_PRICE)})
    assert await world.on_offer() == EVERYTHING


async def test_nonce__of_a_node__is_above_the_floor_of_every_device_for_this_signer(world: World) -> None:
    floors = {(IDS[1], OPERATOR): 7, (IDS[2], PROVIDER): 99}
    world.chain.both(floors=floors)
    world.change(nonce_floors={DEVICES[0].name: 5})
    nonces = {offer.device_ids: offer.nonce for offer in await world.offers()}
    assert nonces == {(IDS[0],): 5, (IDS[1],): 7, (IDS[2],): 0, IDS: 7}


async def test_specifications__of_devices_in_several_offers__told_once(world: World) -> None:
    told = {one.device_id: replace(one, specification={"model": one.name}) for one in DEVICES}
    world.service._devices = told
    listed = await world.service.listed()
    assert [one["model"] for one in listed["specifications"]] == [one.name for one in DEVICES]


async def test_specifications__of_devices_that_are_leased__are_told_to_their_renters(world: World) -> None:
    told = {one.device_id: replace(one, specification={"model": one.name}) for one in DEVICES}
    world.service._devices = told
    world.change(draining=True)
    listed = await world.service.listed()
    assert listed["offers"] == [] and len(listed["specifications"]) == len(DEVICES)


async def test_quote__node__is_for_the_renter_alone_with_the_discount(world: World) -> None:
    world.change(discounts=(Discount(600, 1_000),))
    offer, _ = parse_signed_offer(await world.service.quote(IDS, RENTER, 600), ESCROW)
    assert (offer.renter, offer.device_ids, offer.rate) == (RENTER, IDS, 18 * 10**17)


@pytest.mark.parametrize("ids", [IDS[:2], tuple(reversed(IDS)), (bytes(32),), (IDS[0], IDS[0])])
async def test_quote__devices_that_are_not_on_offer_as_one__is_refused(world: World, ids: tuple[bytes, ...]) -> None:
    with pytest.raises(NotFound, match="not on offer here together"):
        await world.service.quote(ids, RENTER, 60)


async def test_quote__too_long_leased_or_without_a_bond__is_refused_before_the_renter_pays_gas(world: World) -> None:
    with pytest.raises(Conflict, match="leases last 60 to 3600 s"):
        await world.service.quote(IDS, RENTER, 3601)
    world.next_head()
    world.chain.latest.leased = {IDS[2]: lease_on(NODE, 8, status=LeaseStatus.ACTIVE, stop=4_444)}
    with pytest.raises(Conflict, match=f"{DEVICES[2].name} is leased until 4444"):
        await world.service.quote(IDS, RENTER, 60)
    world.next_head()
    world.chain.both(leased={}, credit=(119, 200, 200))
    with pytest.raises(Unavailable, match=r"the bond is 0\.00012 USD"):
        await world.service.quote(IDS, RENTER, 60)


async def test_quote__asked_by_many_in_one_block__the_chain_is_asked_once(world: World) -> None:
    for number in range(20):
        await world.service.quote(IDS, "0x" + f"{number:040x}", 60)
    asked = len(world.chain.asked)
    await world.service.quote(IDS, RENTER, 60)
    assert len(world.chain.asked) == asked
    world.next_head()
    await world.service.quote(IDS, RENTER, 60)
    assert len(world.chain.asked) == 2 * asked


async def test_quote__a_price_for_every_length_of_a_lease__costs_the_chain_nothing_more(world: World) -> None:
    world.change(discounts=tuple(Discount(seconds, seconds) for seconds in range(60, 3_600, 7)))
    await world.service.quote(IDS, RENTER, 60)
    asked, rates = len(world.chain.asked), set()
    for seconds in range(61, 3_600, 7):
        offer, _ = parse_signed_offer(await world.service.quote(IDS, RENTER, seconds), ESCROW)
        rates.add(offer.rate)
    assert len(rates) > 500
    assert len(world.chain.asked) == asked
    # A bond that is too large at some prices is their refusal alone.
    world.next_head()
    world.chain.both(credit=(100, 100, 100))
    await world.service.quote(IDS, RENTER, 3_599)
    asked = len(world.chain.asked)
    with pytest.raises(Unavailable, match="the bond is"):
        await world.service.quote(IDS, RENTER, 60)
    await world.service.quote(IDS, RENTER, 3_599)
    assert len(world.chain.asked) == asked


async def test_cancel_due__floors_of_what_this_key_signed__are_raised_once(world: World) -> None:
    world.change(nonce_floors={DEVICES[0].name: 2, "0x" + "99" * 32: 5})
    world.chain.latest.floors = {(IDS[0], PROVIDER): 9}  # another signer's
    await world.service.cancel_due()
    (call,) = world.sender.sent
    assert (call.function, call.args) == ("cancelOffers", (IDS[0], 2))
    world.chain.latest.floors[(IDS[0], OPERATOR)] = 2
    await world.service.cancel_due()
    assert len(world.sender.sent) == 1


async def test_current__with_sizes__alike_free_devices_are_on_offer_together_at_the_sum(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, 2, 4)
    world.change(nodes={})
    alone = {(one,) for one in IDS}
    assert await world.on_offer() == alone | {IDS[:2]}
    assert {o.rate for o in await world.offers() if len(o.device_ids) == 2} == {2 * PRICE.rate}
    assert (await world.service.quote(IDS[1:], RENTER, 60))["rate"] == str(2 * PRICE.rate)
    held = lease_on(replace(NODE, device_ids=IDS[:1]), 8, status=LeaseStatus.ACTIVE, stop=5_000)
    world.chain.both(leased={IDS[0]: held})
    world.next_block()
    assert await world.on_offer() == {(IDS[1],), (IDS[2],), IDS[1:]}
    world.change(prices={one.name: replace(PRICE, notice=60 * n) for n, one in enumerate(DEVICES)}, nodes={})
    assert await world.on_offer() == {(IDS[1],), (IDS[2],)}
    with pytest.raises(NotFound):
        await world.service.quote(IDS[1:], RENTER, 60)


async def test_current__with_sizes__a_node_of_its_own_price_keeps_it(tmp_path: Path) -> None:
    world = World(tmp_path, 3)
    assert [o.rate for o in await world.offers() if len(o.device_ids) == 3] == [NODE_PRICE.rate]
