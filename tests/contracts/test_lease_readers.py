"""What the readers of `assay.chain` make of real leases, operators and demands."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from support.epochs import Epoch
from support.faults import sealed
from support.lettings import RICH, Letting

from assay.chain.contracts.demands import DemandDirectory, next_demand_price
from assay.chain.contracts.leases import LeaseStatus, active_lease, find_offer, nonce_floor, read_lease, read_offer
from assay.chain.contracts.operators import OperatorScope, may_act, payout_of, read_bond_credit
from assay.chain.deployment import Deployment
from assay.chain.errors import ChainError
from assay.chain.rpc.client import Chain
from assay.protocol.encoding import demand_id


@asynccontextmanager
async def connected(network):
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=0)
    try:
        yield chain
    finally:
        await chain.close()


@pytest.fixture
def node(measured, network):
    """Two devices of one provider on offer together."""
    return Letting(network, measured, network.devices[:2], network.accounts[30]).change(notice=90)


async def test_lease_of_a_node__opened_started_ended__read_with_its_offer(node):
    network = node.network
    node.open()
    async with connected(network) as chain:
        lease, offer = await find_offer(chain, node.lease_id)
        assert (lease.status, offer) == (LeaseStatus.PENDING, node.terms)
        node.start()
        lease = await read_lease(chain, node.lease_id)
        assert (lease.status, lease.devices, lease.notice, lease.bond) == (LeaseStatus.ACTIVE, 2, 90, 36_000)
        assert [await active_lease(chain, device.id) for device in node.devices] == [node.lease_id] * 2
        node.escrow.giveNotice(node.lease_id, sender=node.provider)
        node.escrow.end(node.lease_id, sender=node.renter)
        lease = await read_lease(chain, node.lease_id)
        assert lease.status is LeaseStatus.ENDED and not lease.left_early and lease.notice_at > 0
        assert await read_offer(chain, lease) == node.terms
        assert [await active_lease(chain, device.id) for device in node.devices] == [0, 0]


async def test_cancelled_lease__its_offer__is_kept_nowhere(node):
    node.open()
    node.escrow.cancel(node.lease_id, sender=node.renter)
    async with connected(node.network) as chain:
        lease, offer = await find_offer(chain, node.lease_id)
        assert (lease.status, lease.opened_block, offer) == (LeaseStatus.CANCELLED, 0, None)
        with pytest.raises(ChainError, match=f"lease {node.lease_id} is cancelled"):
            await read_offer(chain, lease)


async def test_nonce_floor__of_one_signer__leaves_the_other_s_offers(node):
    network, operator = node.network, node.network.accounts[44]
    network.appoint(node.provider, operator)
    node.escrow.cancelOffers(node.devices[0].id, 5, sender=operator)
    async with connected(network) as chain:
        assert await nonce_floor(chain, node.devices[0].id, operator.address) == 5
        assert await nonce_floor(chain, node.devices[0].id, node.provider.address) == 0


async def test_operator__starting_from_credit__scopes_payout_and_credit_read(node):
    network, operator = node.network, node.network.accounts[44]
    token, address = network.TestToken, node.provider.address
    network.appoint(node.provider, operator, int(OperatorScope.OFFER | OperatorScope.START))
    token.approve(node.escrow, RICH, sender=node.provider)
    node.escrow.fillBondCredit(token, 100_000, sender=node.provider)
    node.escrow.setBondLimit(token, 50_000, sender=node.provider)
    node.change(operator=operator.address).open(signer=operator)
    node.start(sender=operator)
    async with connected(network) as chain:
        assert (await read_lease(chain, node.lease_id)).bond == 36_000
        credit = await read_bond_credit(chain, address, token.address)
        assert (credit.amount, credit.per_day) == (64_000, 50_000)
        assert 13_900 < credit.left_today <= 14_000 == credit.available + 14_000 - credit.left_today
        assert await payout_of(chain, address) == address
        assert await may_act(chain, address, operator.address, OperatorScope.START)
        assert not await may_act(chain, address, operator.address, OperatorScope.START | OperatorScope.END)


async def test_demands__asked_of_a_device__found_by_id_until_they_are_closed(measured, network):
    epoch = Epoch(network, 1).open()
    committed = epoch.commit(network.devices[2])
    epoch.seal([committed]).draw()
    asker = network.accounts[40]
    async with connected(network) as chain:
        price = await next_demand_price(chain, committed.device.id, False)
        network.NetworkToken.approve(network.OpeningDemands, 10 * price.bond, sender=asker)
        network.OpeningDemands.demand(1, sealed(epoch, committed), False, 1, 2 * price.bond, sender=asker)
        directory = DemandDirectory(chain, [committed.device.id])
        (found,) = await directory.open_demands()
        assert found.demand_id == demand_id(committed.device.id, 1, False, 1)
        assert (found.t, found.is_row, found.demander) == (1, False, asker.address)
        assert found.result_root == committed.message.result_root
        network.go_to(found.deadline)
        network.OpeningDemands.expireDemand(found.demand_id, sender=asker)
        assert await directory.open_demands() == []
