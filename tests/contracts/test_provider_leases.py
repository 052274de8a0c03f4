"""Leases of nodes kept by the provider's own code on the real contracts: by an operator from bond credit, or itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import ape
import pytest
from support.lettings import RICH, Letting

from assay.chain.contracts.contract_signatures import contract_accepts
from assay.chain.contracts.leases import LeaseStatus, active_lease, read_lease, read_offer
from assay.chain.deployment import Deployment
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.provider.account.authority import Authority
from assay.provider.chain_view import ChainView
from assay.provider.database import open_database
from assay.provider.errors import Conflict, NotAuthorised, Unavailable
from assay.provider.leasing import orders
from assay.provider.leasing.escrow_sender import EscrowSender
from assay.provider.leasing.lease_book import LeaseBook
from assay.provider.leasing.lease_keeper import RETRY_S, LeaseKeeper
from assay.provider.leasing.lease_rules import LeasePolicy
from assay.provider.leasing.lease_starts import LeaseStarts, StartConditions
from assay.provider.leasing.wipe_records import WipeRecords
from assay.provider.offers.bonds import Bonds
from assay.provider.offers.lease_offers import LeaseOffers
from assay.provider.offers.terms import ProviderTerms
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Limits
from assay.provider.workloads.jobs import JobBook

BOND, HOUR = 36_000, 3600
OFFER, START, END, CLAIM, EVERYTHING = 1, 2, 4, 8, 31


class Host:
    """A provider's daemon as far as it deals with leases, with the key of `account`. All that was done is final."""

    def __init__(self, network, chain, folder, provider, account):
        key = Key(bytes.fromhex(account.private_key.removeprefix("0x")))
        self.network, self.chain = network, chain
        self.journal = Journal(folder / f"{key.address}.sqlite", key.address, chain.chain_id)
        self.authority = Authority(chain, provider.address, key.address)
        escrow = EscrowSender(chain, Sender(chain, key, self.journal, poll_s=0.01), self.authority)
        database = open_database(folder / f"{key.address}-provider.sqlite")
        self.book, self.terms, self.roots, self.waited = LeaseBook(database), ProviderTerms(), b"", 0.0
        self.offers = LeaseOffers(self.book, partial(read_offer, chain), provider.address)
        conditions = StartConditions(chain, self.authority, Bonds(chain, self.authority))
        domain = chain.domain("LeaseEscrow")
        self.starts = LeaseStarts(
            conditions, lambda lease, offer: self.roots, escrow, domain, partial(contract_accepts, chain), self.clock
        )
        jobs = JobBook(database, LocalRuntime(31337), folder, Limits(), self.clock)
        self.keeper = LeaseKeeper(
            dict.fromkeys(device.id for device in network.devices),
            ChainView(chain, provider.address),
            escrow,
            jobs,
            self.book,
            self.offers,
            LeasePolicy(claim_every=0, grace=0, holdback=network.LeaseEscrow.holdback()),
            WipeRecords(database, domain, key.sign_digest),
            lambda: self.terms,
            self.clock,
        )

    def clock(self):
        return float(self.network.now + self.waited)

    async def start(self, letting, **changes):
        """What the daemon does with the renter's word."""
        lease = await read_lease(self.chain, letting.lease_id)
        _, _, roots, until, signature = letting.start_arguments()
        self.roots, word = changes.get("roots", roots), changes.get("word", signature)
        await self.starts.start(lease, await self.offers.of(lease), roots, until, word)
        self.book.note(lease.lease_id)

    async def obstacle(self, letting):
        lease = await read_lease(self.chain, letting.lease_id)
        return str(await self.starts.obstacle(lease, await self.offers.of(lease)))

    async def tick(self):
        self.waited += RETRY_S
        await self.keeper.tick()


@asynccontextmanager
async def host(node, folder, account):
    network = node.network
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=0)
    one = Host(network, chain, folder, node.provider, account)
    try:
        yield one
    finally:
        one.journal.close()
        await chain.close()


@pytest.fixture
def operator(network):
    return network.accounts[44]


@pytest.fixture
def node(measured, network, operator):
    """Two devices of one provider, on offer together by its operator, and opened by a renter."""
    before = network.chain.snapshot()  # what is sent past Ape is not always undone by it
    made = Letting(network, measured, network.devices[:2], network.accounts[30])
    network.appoint(made.provider, operator, EVERYTHING)
    made.change(operator=operator.address, notice=600).open(signer=operator)
    yield made
    network.chain.restore(before)


def credit(node, amount=10 * BOND, limit=BOND):
    node.network.TestToken.approve(node.escrow, RICH, sender=node.provider)
    node.escrow.fillBondCredit(node.network.TestToken, amount, sender=node.provider)
    node.escrow.setBondLimit(node.network.TestToken, limit, sender=node.provider)


async def test_obstacles__one_after_the_other__are_told_with_their_values_before_anything_is_sent(
    node, operator, tmp_path
):
    network = node.network
    sent = network.chain.provider.get_nonce(operator.address)
    async with host(node, tmp_path, operator) as daemon:
        assert "has 0 of bond credit" in await daemon.obstacle(node)
        credit(node, BOND - 1)
        with pytest.raises(Unavailable, match=r"has 0\.035999 of bond credit"):
            await daemon.start(node)
        credit(node, BOND, BOND - 1)
        with pytest.raises(Unavailable, match=r"take 0\.035999 now and 0\.035999 a day"):
            await daemon.start(node)
        credit(node)
        network.appoint(node.provider, operator, EVERYTHING & ~START)
        with pytest.raises(Unavailable, match="lacks the scope start"):
            await daemon.start(node)
        network.appoint(node.provider, operator, EVERYTHING & ~OFFER)
        with pytest.raises(Unavailable, match="who signed the offer, may offer nothing"):
            await daemon.start(node)
        network.appoint(node.provider, operator, EVERYTHING)
        with pytest.raises(NotAuthorised, match="not signed by"):
            await daemon.start(node, word=bytes(65))
        with pytest.raises(Conflict, match="handed over were"):
            await daemon.start(node, roots=bytes(32))
        network.DeviceRegistry.retire(node.devices[1].id, sender=node.provider)
        with pytest.raises(Conflict, match=node.devices[1].id.hex()):
            await daemon.start(node)
    assert network.chain.provider.get_nonce(operator.address) == sent


async def test_node__started_by_an_operator__ended_after_its_notice_and_paid_to_the_payout_address(
    node, operator, tmp_path
):
    network, vault = node.network, network_account(node, 43)
    credit(node)
    network.DeviceRegistry.setPayout(vault, sender=node.provider)
    async with host(node, tmp_path, operator) as daemon:
        await daemon.start(node)
        assert node.escrow.bondCredit(node.provider, network.TestToken).amount == 9 * BOND
        assert [await active_lease(daemon.chain, device.id) for device in node.devices] == [node.lease_id] * 2
        assert not any([await daemon.keeper.idle(device.id) for device in node.devices])
        await daemon.tick()
        assert daemon.book.offer(node.lease_id) == node.terms

        daemon.terms = ProviderTerms().with_order("notices", node.lease_id)
        await daemon.tick()
        assert node.lease.noticeAt > 0
        with pytest.raises(Conflict, match="it can end from"):
            await orders.notice(daemon.authority, node.lease_id)
        network.pass_time(598)
        await daemon.tick()
        assert node.lease.status == LeaseStatus.ACTIVE
        network.pass_time(5)
        await daemon.tick()
        lease = await read_lease(daemon.chain, node.lease_id)
        assert (lease.status, lease.forfeited, lease.forfeitable) == (LeaseStatus.ENDED, 0, 0)

        before = node.balance(vault)
        network.pass_time(network.LeaseEscrow.holdback() + 10)
        for _ in range(2):
            await daemon.tick()
        streamed = node.escrow.streamed(node.lease_id)
        fee = node.escrow.fees(network.TestToken)
        assert (node.lease.claimed, node.lease.bondReturned) == (streamed, True)
        assert node.balance(vault) - before == BOND + streamed - fee
        assert daemon.book.unsettled() == []


async def test_operator__that_may_only_start__leaves_the_money_where_it_is(node, operator, tmp_path):
    network = node.network
    credit(node)
    async with host(node, tmp_path, operator) as daemon:
        await daemon.start(node)
        network.appoint(node.provider, operator, OFFER | START)
        daemon.terms = ProviderTerms().with_order("notices", node.lease_id)
        network.pass_time(network.LeaseEscrow.holdback() + HOUR)
        nonce = network.chain.provider.get_nonce(operator.address)
        await daemon.tick()
        assert (node.lease.noticeAt, node.lease.claimed) == (0, 0)
        assert network.chain.provider.get_nonce(operator.address) == nonce
        network.appoint(node.provider, operator, OFFER | START | CLAIM)
        await daemon.tick()
        assert node.lease.claimed > 0


async def test_left_early__devices_stay_leased_until_the_provider_releases_them(node, operator, tmp_path):
    network = node.network
    credit(node)
    async with host(node, tmp_path, operator) as daemon:
        await daemon.start(node)
        network.pass_time(HOUR // 2)
        node.escrow.end(node.lease_id, sender=node.renter)
        await daemon.tick()
        assert node.lease.leftEarly and daemon.keeper.runs_until(node.lease_id) == 0
        assert not await daemon.keeper.idle(node.devices[0].id)
        with pytest.raises(Conflict, match="`assay provider release` ends it"):
            await orders.end(daemon.authority, node.lease_id)
        with pytest.raises(Conflict, match=f"lease {node.lease_id}.: `assay provider release` frees it"):
            await orders.retirement(replace_signer(daemon.authority, node.provider), node.devices[0].id)
        daemon.terms = ProviderTerms().with_order("releases", node.lease_id)
        await daemon.tick()
        assert await daemon.keeper.idle(node.devices[0].id)
        lease = await read_lease(daemon.chain, node.lease_id)
        assert (lease.status, lease.forfeited, lease.forfeitable) == (LeaseStatus.ENDED, 0, 0)
        assert lease.stop - lease.start < HOUR


async def test_left_early__devices_let_again__the_old_stream_ends_with_the_new_start(node, operator, tmp_path):
    network = node.network
    credit(node, limit=2 * BOND)
    alone = Letting(network, node.epoch, node.devices[:1], network.accounts[31])
    alone.change(operator=operator.address).open(signer=operator)
    async with host(node, tmp_path, operator) as daemon:
        await daemon.start(node)
        with pytest.raises(Conflict, match=f"is leased until {node.lease.stop} .lease {node.lease_id}."):
            await daemon.start(alone)
        node.escrow.end(node.lease_id, sender=node.renter)
        await daemon.start(alone)
        devices = [await active_lease(daemon.chain, device.id) for device in node.devices]
        assert devices == [alone.lease_id, 0]
        assert (await read_lease(daemon.chain, node.lease_id)).status is LeaseStatus.ENDED


async def test_end__by_the_provider_itself__forfeits_what_was_told_and_an_operator_may_not(node, operator, tmp_path):
    network = node.network
    node.change(operator="0x" + "00" * 20)
    async with host(node, tmp_path, operator) as daemon:
        credit(node)
        own = Letting(network, node.epoch, node.devices, network.accounts[31])
        own.open()
        await daemon.start(own)  # an operator may start what the provider has signed
        network.pass_time(HOUR // 4)
        with pytest.raises(Conflict, match="which an operator cannot do"):
            await orders.end(daemon.authority, own.lease_id)
        with ape.reverts(node.escrow.LeaseEscrow_WouldForfeit):
            node.escrow.end(own.lease_id, sender=operator)
        told = await orders.end(replace_signer(daemon.authority, node.provider), own.lease_id)
        node.escrow.end(own.lease_id, sender=node.provider)
        forfeited = (await read_lease(daemon.chain, own.lease_id)).forfeited
        assert 0 <= told.forfeits - forfeited <= 50  # some seconds later, at ten base units each
        assert 26_000 < forfeited < 27_100


async def test_start__by_the_provider_itself__takes_the_bond_from_its_account(node, tmp_path):
    network = node.network
    own = Letting(network, node.epoch, node.devices, network.accounts[31])
    own.open()
    before = node.balance(node.provider)
    async with host(node, tmp_path, node.provider) as daemon:
        assert await daemon.obstacle(own) == "None"
        await daemon.start(own)
    assert before - node.balance(node.provider) == BOND
    assert own.lease.status == LeaseStatus.ACTIVE


def network_account(node, number):
    return node.network.accounts[number]


def replace_signer(authority, account):
    return replace(authority, signer=account.address)
