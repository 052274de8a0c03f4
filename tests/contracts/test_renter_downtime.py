"""A renter claims downtime on the real contracts, with lines that a validator or a market serves."""

from __future__ import annotations

from contextlib import asynccontextmanager

import httpx2
import pytest
from support.epochs import run_epoch

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.key_files import Key
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import DeviceLeaf
from assay.renter.errors import BadInput
from assay.renter.http_client import HttpClient
from assay.renter.lease_files import LeaseFiles
from assay.renter.renter import Renter
from assay.renter.wallet_opener import WalletOpener
from assay.validator.wire import DeviceLine

HOUR = 3600
RATE = 10  # base units a second
VALIDATOR, MARKET = "https://validator.test", "https://market.test"


@pytest.fixture
def leased(letting):
    """A lease over epochs 1 to 5, its least duration eight hours long."""
    # What is sent past Ape is not always undone by it.
    before = letting.network.chain.snapshot()
    account, _ = letting.network.seats[1]
    letting.network.ValidatorSet.setEndpoint(VALIDATOR, b"\1" * 32, sender=account)
    letting.open(deposit=400_000, offer=letting.offer(min_duration=8 * HOUR))
    letting.network.chain.pending_timestamp = letting.network.start_of(0) + 3_500
    letting.start()
    yield letting
    letting.network.chain.restore(before)


class Served:
    """Reports as one validator and one market serve them; `silent` is whose host does not answer."""

    def __init__(self, letting):
        self.letting, self.epochs, self.silent = letting, {}, set()

    def attest(self, number, uptime, flags=2):
        device, network = self.letting.device, self.letting.network
        self.epochs[number] = run_epoch(network, number, network.devices, {device.id: flags}, {device.id: uptime})

    def answer(self, request):
        *_, kind, number, _, name = request.url.path.split("/")
        epoch = self.epochs.get(int(number)) if kind == "epochs" and name == to_hex(self.letting.device.id) else None
        if request.url.host in self.silent or request.url.host not in ("validator.test", "market.test"):
            return httpx2.Response(503)
        if epoch is None:
            return httpx2.Response(404)
        leaf, proof = epoch.proof(self.letting.device)
        nodes = [to_hex(node) for node in proof]
        if request.url.host == "validator.test":
            return httpx2.Response(200, json={"leaf": DeviceLine.of(DeviceLeaf(*leaf)).to_json(), "proof": nodes})
        shown = [to_hex(value) if isinstance(value, bytes) else str(value) for value in leaf]
        return httpx2.Response(200, json={"data": {"leaf": shown, "proof": nodes}})


@pytest.fixture
def served(leased):
    return Served(leased)


@asynccontextmanager
async def renting(letting, served, folder):
    chain = await Chain.connect(
        letting.network.chain.provider.http_uri, Deployment.load(letting.network.file), final_depth=0
    )
    key = Key(bytes.fromhex(letting.renter.private_key.removeprefix("0x")))
    http = HttpClient(httpx2.MockTransport(served.answer))
    wallet = WalletOpener(chain, key, folder, 0.01)
    files = LeaseFiles(folder, chain.chain_id, letting.escrow.address)
    try:
        yield Renter(chain, http, key, wallet, files, MARKET)
    finally:
        await http.close()
        await chain.close()


async def test_refund_downtime__reports_of_all_kinds__what_the_escrow_takes_is_paid_once(leased, served, tmp_path):
    network = leased.network
    for number, uptime, flags in ((1, 7_500, 2), (2, 10_000, 2), (3, 9_000, 2)):
        served.attest(number, uptime, flags)
        network.go_to(network.start_of(number + 1))
    async with renting(leased, served, tmp_path) as renter:
        planned = await renter.plan_downtime(leased.lease_id)
        assert [one.name for one in planned] == ["LeaseEscrow.refundDowntime"] * 2
        found, done = await renter.refund_downtime(leased.lease_id)
        assert [(one.epoch, one.seconds) for one in found.claimable] == [(1, 900), (3, 360)]
        assert leased.lease.downtimeRefund == found.amount == 1_260 * RATE
        # What was shown is what was sent.
        sent = [network.chain.provider.web3.eth.get_transaction(one.hash)["input"] for one in done]
        assert [to_hex(bytes(data)) for data in sent] == [one.calldata for one in planned]
        assert (await renter.downtime(leased.lease_id)).claimable == ()
        before = leased.balance(leased.renter)
        assert (await renter.refund(leased.lease_id))[0] == 1_260 * RATE
        assert leased.balance(leased.renter) == before + 1_260 * RATE
        with pytest.raises(BadInput, match="nothing"):
            await renter.refund(leased.lease_id)


async def test_downtime__validators_silent__the_market_s_line_is_taken_and_else_the_epoch_named(
    leased, served, tmp_path
):
    served.attest(1, 7_500)
    leased.network.go_to(leased.network.start_of(2))
    async with renting(leased, served, tmp_path) as renter:
        served.silent = {"validator.test"}
        found = await renter.downtime(leased.lease_id)
        assert [one.epoch for one in found.claimable] == [1] and found.missing == ()
        served.silent = {"validator.test", "market.test"}
        found = await renter.downtime(leased.lease_id)
        assert (found.claimable, found.missing) == ((), (1,))


async def test_end__device_down_beyond_the_maximum__leaves_free_with_the_bond(leased, served, tmp_path):
    network = leased.network
    async with renting(leased, served, tmp_path) as renter:
        for number in (1, 2):
            assert not await renter.leaves_free(leased.lease_id)
            served.attest(number, 0)
            network.go_to(network.start_of(number + 1))
        assert await renter.leaves_free(leased.lease_id)
        await renter.refund_downtime(leased.lease_id)
        await renter.end(leased.lease_id)
        # Not until the least duration, which would be five more hours.
        assert leased.lease.stop < network.start_of(3) + 60
        paid = leased.escrow.streamed(leased.lease_id)
        due = 400_000 - paid + 2 * HOUR * RATE + leased.lease.bond
        assert (await renter.refund(leased.lease_id))[0] == due
