"""What a transaction is given for its way."""

from __future__ import annotations

from assay.chain.deployment import Deployment
from assay.chain.rpc.client import Chain
from assay.chain.rpc.pool import EndpointPool
from assay.chain.transactions.account_state import AccountState
from assay.chain.transactions.intents import SendRequest
from tests.unit.chain.conftest import FakeClock
from tests.unit.chain.fake_node import FakeNode

SOMEWHERE = "0x" + "11" * 20
FIRST_WRITTEN = 22_100  # gas of a storage slot that held nothing (EIP-2200, EIP-2929)


async def test_simulate__cheap_call_that_may_go_another_way_in_its_block__has_gas_for_two_slots_more() -> None:
    chain = Chain(
        EndpointPool([FakeNode(0, False)], 1, monotonic=FakeClock()),
        Deployment(network="fake", chain_id=1, block=0, contracts={}),
    )
    limit = await AccountState(chain, SOMEWHERE).simulate(SendRequest("end", SOMEWHERE, b"", 0, 0), "latest")
    used = int(FakeNode(0, False).eth_estimateGas({}, "latest"), 16)
    assert used * 5 // 4 + 2 * FIRST_WRITTEN <= limit < 3 * used + 2 * FIRST_WRITTEN
