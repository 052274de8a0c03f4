"""A renter's library on the real contracts: a lease over two devices opened, gone dark, refunded and left, with lines
that a validator or a market serves."""

from __future__ import annotations

from contextlib import asynccontextmanager

import httpx2
import pytest
from support.epochs import run_epoch
from support.faults import prove
from support.lettings import Letting

from assay.chain.contracts.devices import Device
from assay.chain.deployment import Deployment
from assay.chain.errors import Reverted
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import DeviceLeaf
from assay.protocol.signing import address_of
from assay.renter.errors import BadInput
from assay.renter.http_client import HttpClient
from assay.renter.lease.keeping import Move, Policy
from assay.renter.lease.lease_files import LeaseFiles
from assay.renter.lease.leaving import Free
from assay.renter.market.listing import Evidence, proven_listing
from assay.renter.money.wallet import Minima, WalletOpener
from assay.renter.renter import Renter
from assay.wire.leases import SignedOffer
from assay.wire.leaves import device_json
from assay.wire.lines import Measured
from tests.stand_in import client_of

HOUR = 3600
RATE = 10  # base units a second
START = 3_000  # of the lease, in seconds of epoch 0
VALIDATOR, MARKET = "https://validator.test", "https://market.test"


@pytest.fixture
def letting(measured, network):
    """Both devices of one provider together, from near the end of epoch 0 on, eight hours at least."""
    # What is sent past Ape is not always undone by it.
    before = network.chain.snapshot()
    account, _ = network.seats[1]
    network.ValidatorSet.setEndpoint(VALIDATOR, b"\1" * 32, sender=account)
    yield Letting(network, measured, network.devices[:2], network.accounts[30]).change(min_duration=8 * HOUR)
    network.chain.restore(before)


@pytest.fixture
def leased(letting):
    letting.open(deposit=400_000)
    letting.network.chain.pending_timestamp = letting.network.start_of(0) + START
    letting.start()
    return letting


class Served:
    """Reports as one validator and one market serve them; `silent` is whose host does not answer, `withheld` the
    devices whose lines nobody serves."""

    def __init__(self, letting):
        self.letting, self.epochs, self.silent, self.withheld = letting, {0: letting.epoch}, set(), set()

    def attest(self, number, *uptimes):
        """An epoch's report with the uptime of each device of the letting."""
        network, devices = self.letting.network, self.letting.devices
        up = {device.id: uptime for device, uptime in zip(devices, uptimes, strict=True)}
        self.epochs[number] = run_epoch(network, number, network.devices, {device.id: 2 for device in devices}, up)

    def answer(self, request):
        *_, kind, number, _, name = request.url.path.split("/")
        known = {to_hex(device.id): device for device in self.letting.devices}
        epoch = self.epochs.get(int(number)) if kind == "epochs" and name in known else None
        if request.url.host in self.silent or request.url.host not in ("validator.test", "market.test"):
            return httpx2.Response(503)
        if epoch is None or name in self.withheld:
            return httpx2.Response(404)
        leaf, proof = epoch.proof(known[name])
        nodes = [to_hex(node) for node in proof]
        if request.url.host == "validator.test":
            return httpx2.Response(200, json={"leaf": device_json(DeviceLeaf(*leaf)), "proof": nodes})
        shown = [to_hex(value) if isinstance(value, bytes) else str(value) for value in leaf]
        return httpx2.Response(200, json={"data": {"leaf": shown, "proof": nodes}})


@pytest.fixture
def served(letting):
    return Served(letting)


@asynccontextmanager
async def renting(letting, served, folder, account=None, sleep=None):
    """The library with the letting's renter's key, or another account's; by the chain's clock."""
    network = letting.network
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=0)
    key = Key(bytes.fromhex((account or letting.renter).private_key.removeprefix("0x")))
    http = HttpClient(client_of(served.answer))
    wallet = WalletOpener(chain, key, folder, 0.01)
    files = LeaseFiles(folder, chain.chain_id, letting.escrow.address)
    more = {"sleep": sleep} if sleep else {}
    try:
        yield Renter(chain, http, key, wallet, files, MARKET, clock=lambda: float(network.now), **more)
    finally:
        await http.close()
        await chain.close()


def listing(letting):
    """What a search would have shown."""
    devices = tuple(
        Device(d.id, letting.provider.address, address_of(d.private_key), d.profile.id, bytes(32))
        for d in letting.devices
    )
    lines = tuple(
        Measured(DeviceLeaf(*leaf), tuple(proof)) for leaf, proof in map(letting.epoch.proof, letting.devices)
    )
    return proven_listing(Evidence(devices, lines, SignedOffer(letting.terms, letting.signature())), 6, {})


async def test_open__node__takes_one_transaction_and_keeps_the_offer_that_the_log_has(letting, served, tmp_path):
    async with renting(letting, served, tmp_path) as renter:
        lease, done = await renter.open(listing(letting), 400_000, Minima(1_000))
        assert [one.name for one in done] == ["openWithPermit"]
        assert await renter.offer(lease.lease_id) == letting.terms
    async with renting(letting, served, tmp_path / "elsewhere") as renter:
        assert await renter.offer(lease.lease_id) == letting.terms
        planned = await renter.show(renter.plan_rent(listing(letting), 400_000, Minima(1_000)))
        assert [one.name for one in planned] == ["ERC20.approve", "LeaseEscrow.open"]


@pytest.mark.parametrize(("minima", "name"), [(Minima(1_001), "ScoreTooLow"), (Minima(0, 1), "MemoryTooSmall")])
async def test_open__devices_below_the_minima__are_refused_by_the_escrow_itself(
    letting, served, tmp_path, minima, name
):
    async with renting(letting, served, tmp_path) as renter:
        with pytest.raises(Reverted, match=name):
            await renter.open(listing(letting), 400_000, minima)


async def test_own_leases__of_a_node__show_its_devices_and_what_leaving_costs(leased, served, tmp_path):
    async with renting(leased, served, tmp_path) as renter:
        (view,) = await renter.own_leases()
        assert view.device_ids == leased.terms.device_ids and view.lease.devices == 2
        assert view.leaving.free is None
        assert view.streamed + view.leaving.cost == 8 * HOUR * RATE


async def test_refund_downtime__reports_of_all_kinds__the_worst_device_of_each_part_is_paid_once(
    leased, served, tmp_path
):
    network = leased.network
    served.attest(1, 10_000, 7_500)
    served.attest(2, 10_000, 10_000)
    network.go_to(network.start_of(3))
    async with renting(leased, served, tmp_path) as renter:
        planned = await renter.show(await renter.plan_downtime(leased.lease_id))
        found, done = await renter.refund_downtime(leased.lease_id)
        assert [(one.epoch, one.measured.leaf.device_id, one.seconds) for one in found.claimable] == [
            (1, leased.devices[1].id, 900)
        ]
        # What was shown is what was sent.
        sent = [network.chain.provider.web3.eth.get_transaction(one.hash)["input"] for one in done]
        assert [to_hex(bytes(data)) for data in sent] == [one.calldata for one in planned]
        assert leased.lease.downtimeRefund == found.amount == 900 * RATE
        assert (await renter.downtime(leased.lease_id)).claimable == ()
        before = leased.balance(leased.renter)
        assert (await renter.refund(leased.lease_id))[0] == 900 * RATE
        assert leased.balance(leased.renter) == before + 900 * RATE
        with pytest.raises(BadInput, match="nothing"):
            await renter.refund(leased.lease_id)


async def test_refund_downtime__first_and_last_part_of_an_epoch__are_refunded_in_any_order(letting, served, tmp_path):
    network = letting.network
    letting.open(deposit=400_000)
    served.attest(1, 0, 10_000)
    network.go_to(network.start_of(1) + 1_000)
    letting.start()
    served.attest(2, 0, 10_000)
    network.go_to(network.start_of(2) + 1_800)
    letting.escrow.end(letting.lease_id, sender=letting.provider)
    start, stop = letting.lease.start, letting.lease.stop
    late = served.epochs.pop(1)
    async with renting(letting, served, tmp_path) as renter:
        found, _ = await renter.refund_downtime(letting.lease_id)
        assert [(one.epoch, one.seconds) for one in found.claimable] == [(2, stop - network.start_of(2))]
        assert {epoch for epoch, _ in found.missing} == {1}
        # Nothing that was claimed closes what lies before it.
        served.epochs[1] = late
        found, _ = await renter.refund_downtime(letting.lease_id)
        assert [(one.epoch, one.seconds) for one in found.claimable] == [(1, network.start_of(2) - start)]


async def test_downtime__validators_silent__the_market_s_line_is_taken_and_else_the_device_named(
    leased, served, tmp_path
):
    served.attest(1, 7_500, 9_000)
    leased.network.go_to(leased.network.start_of(2))
    async with renting(leased, served, tmp_path) as renter:
        served.silent = {"validator.test"}
        found = await renter.downtime(leased.lease_id)
        assert [one.epoch for one in found.claimable] == [1] and found.missing == ()
    async with renting(leased, served, tmp_path) as renter:
        served.withheld = {to_hex(leased.devices[0].id)}
        found = await renter.downtime(leased.lease_id)
        assert ([one.epoch for one in found.held], found.claimable) == ([1], ())
        assert (1, leased.devices[0].id) in found.missing


async def test_refunder__named_by_the_renter__submits_downtime_and_nobody_else_does(leased, served, tmp_path):
    served.attest(1, 0, 10_000)
    leased.network.go_to(leased.network.start_of(2))
    agent = leased.network.accounts[31]
    async with renting(leased, served, tmp_path) as renter, renting(leased, served, tmp_path, agent) as helper:
        with pytest.raises(BadInput, match="assay refunder add"):
            await helper.refund_downtime(leased.lease_id)
        await renter.name_refunder(agent.address, True)
        assert await renter.refunders() == [agent.address]
        await helper.refund_downtime(leased.lease_id)
        assert leased.lease.downtime == HOUR
        await renter.name_refunder(agent.address, False)
        assert await renter.refunders() == []
        with pytest.raises(BadInput, match="assay refunder add"):
            await helper.refund_downtime(leased.lease_id)


async def test_keep__dark_right_after_the_start__loses_no_more_than_the_escrow_allows(leased, served, tmp_path):
    """Eight hours at least, dark from the first second: leaving after three minutes would have paid all of them."""
    network, told, number = leased.network, [], [1]

    async def sleep(seconds):
        """An epoch goes by, and is reported."""
        served.attest(number[0], 0, 10_000)
        number[0] += 1
        network.go_to(network.start_of(number[0]))

    async with renting(leased, served, tmp_path, sleep=sleep) as renter:
        lease_id = leased.lease_id
        before = leased.balance(leased.renter)
        policy = Policy(margin=600, step=1_800, cap=0, patience=180.0)
        assert await renter.keep(lease_id, policy, HOUR, told.append) is Move.END
        lease = await renter.lease(lease_id)
        assert not lease.left_early and lease.downtime > HOUR
        await renter.settle(lease_id, HOUR, told.append)
        lost = 400_000 - (leased.balance(leased.renter) - before)
        # What no report could attest (the rest of epoch 0, when it was up) and what was not over at the end.
        assert lost <= (HOUR + HOUR - START) * RATE
        assert lease.stop - lease.start < 4 * HOUR
        assert lease.forfeitable > 0 and lease.forfeited == 0
    assert any("leaving now would cost" in line for line in told)


async def test_keep__a_device_is_slashed__ends_at_once_and_pays_for_no_more(leased, served, tmp_path):
    network, told = leased.network, []
    network.go_to(network.start_of(0) + START + 600)
    first, second = (leased.epoch.commit(leased.devices[1], bytes([n]) * 32) for n in (1, 2))
    prove(network, "proveTwoCommitments", [first.struct, second.struct], network.bystander)
    async with renting(leased, served, tmp_path) as renter:
        view = await renter.view(leased.lease_id)
        assert (view.slashed, view.leaving.free) == (leased.devices[1].id, Free.slashed)
        policy = Policy(margin=600, step=1_800, cap=0, patience=None)
        assert await renter.keep(leased.lease_id, policy, HOUR, told.append) is Move.END
        lease = await renter.lease(leased.lease_id)
    assert lease.stop - lease.start < 700 and not lease.left_early
    # One of two devices: its half of the bond that is not served, to the network.
    assert 0 < lease.forfeitable <= lease.bond // 2 and lease.forfeited == 0
    assert any("was slashed" in line for line in told)


async def test_end__left_early__is_ended_again_once_downtime_frees_it(leased, served, tmp_path):
    network = leased.network
    async with renting(leased, served, tmp_path) as renter:
        await renter.end(leased.lease_id)
        assert (await renter.lease(leased.lease_id)).left_early
        with pytest.raises(BadInput, match="was left early"):
            await renter.end(leased.lease_id)
        for number in (1, 2):
            served.attest(number, 10_000, 0)
            network.go_to(network.start_of(number + 1))
        await renter.refund_downtime(leased.lease_id)
        assert (await renter.view(leased.lease_id)).leaving.free is Free.downtime
        await renter.end(leased.lease_id)
        assert leased.lease.stop < network.start_of(3) + 60
