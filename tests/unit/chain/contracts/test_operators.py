"""Operators, payout and bond credit as the contracts answer for them."""

import pytest
from eth_abi import encode

from assay.chain.contracts.operators import (
    ALL_SCOPES,
    BondCredit,
    Operator,
    OperatorScope,
    may_act,
    payout_of,
    read_bond_credit,
    read_operator,
)
from assay.chain.deployment import Deployment
from assay.chain.rpc.client import Chain
from assay.chain.rpc.pool import EndpointPool
from assay.protocol.hexadecimal import to_address
from assay.protocol.keccak import keccak
from tests.unit.chain.conftest import FakeEndpoint

REGISTRY, ESCROW, PROVIDER, OPERATOR = (to_address(bytes([n]) * 20) for n in (0x11, 0x22, 0x33, 0x44))


def view(name, inputs, outputs):
    named = [{"type": kind, "name": f"a{n}"} for n, kind in enumerate(inputs)]
    return {"type": "function", "name": name, "stateMutability": "view", "inputs": named, "outputs": outputs}


OPERATOR_STRUCT = {
    "type": "tuple",
    "name": "",
    "components": [{"type": "uint8", "name": "scopes"}, {"type": "uint40", "name": "until"}],
}
REGISTRY_ABI = [
    view("operatorOf", ["address", "address"], [OPERATOR_STRUCT]),
    view("mayAct", ["address", "address", "uint8"], [{"type": "bool", "name": ""}]),
    view("payoutOf", ["address"], [{"type": "address", "name": ""}]),
]
CREDIT = [{"type": "uint96", "name": name} for name in ("amount", "perDay", "leftToday")]
ESCROW_ABI = [view("bondCredit", ["address", "address"], CREDIT)]
DEPLOYMENT = Deployment(
    network="fake",
    chain_id=31_337,
    block=0,
    contracts={
        "DeviceRegistry": {"address": REGISTRY, "abi": REGISTRY_ABI},
        "LeaseEscrow": {"address": ESCROW, "abi": ESCROW_ABI},
    },
)


def answering(signature, types, *values, arguments=()):
    """A chain that answers this one call, with these arguments, to the right contract."""
    wanted = keccak(signature.encode())[:4] + encode(signature[signature.index("(") + 1 : -1].split(","), arguments)
    node = FakeEndpoint()

    def call(params):
        assert params[0]["data"] == "0x" + wanted.hex()
        return "0x" + encode(types, values).hex()

    node.answers["eth_call"] = call
    return Chain(EndpointPool([node], 31_337), DEPLOYMENT)


async def test_read_operator__appointed__scopes_and_end():
    chain = answering("operatorOf(address,address)", ["(uint8,uint40)"], (9, 2000), arguments=(PROVIDER, OPERATOR))
    operator = await read_operator(chain, PROVIDER, OPERATOR)
    assert operator == Operator(OperatorScope.OFFER | OperatorScope.CLAIM, 2000)
    assert OperatorScope.START not in operator.scopes


@pytest.mark.parametrize("allowed", [True, False])
async def test_may_act__asked_for_all_scopes_at_once__the_contract_s_answer(allowed):
    chain = answering("mayAct(address,address,uint8)", ["bool"], allowed, arguments=(PROVIDER, OPERATOR, 6))
    assert await may_act(chain, PROVIDER, OPERATOR, OperatorScope.START | OperatorScope.END) is allowed


async def test_payout_of__provider__checksummed():
    chain = answering("payoutOf(address)", ["address"], "0x" + "ab" * 20, arguments=(PROVIDER,))
    assert await payout_of(chain, PROVIDER) == to_address(b"\xab" * 20)


@pytest.mark.parametrize(("amount", "left", "available"), [(100, 30, 30), (20, 30, 20), (0, 30, 0)])
async def test_read_bond_credit__amount_and_limit__the_smaller_is_available(amount, left, available):
    types = ["uint96", "uint96", "uint96"]
    chain = answering("bondCredit(address,address)", types, amount, 50, left, arguments=(PROVIDER, OPERATOR))
    credit = await read_bond_credit(chain, PROVIDER, OPERATOR)
    assert credit == BondCredit(amount, 50, left)
    assert credit.available == available


def test_all_scopes__every_scope__in_one_byte():
    assert int(ALL_SCOPES) == sum(OperatorScope) == 31
