"""The transaction that created a contract: found again where its record was lost, and what it carried."""

from __future__ import annotations

from typing import Any


def creation_of(provider: Any, deployer: str, nonce: int, first: int) -> dict[str, Any]:
    """Transaction, block and gas of the deployer's transaction `nonce`, mined in block `first` or later.

    The nonce of an account only grows, so that the block is found by halving."""
    low, high = first, int(str(provider.make_request("eth_blockNumber", [])), 16)
    while low < high:
        middle = (low + high) // 2
        count = int(str(provider.make_request("eth_getTransactionCount", [deployer, hex(middle)])), 16)
        low, high = (low, middle) if count > nonce else (middle + 1, high)
    block = provider.make_request("eth_getBlockByNumber", [hex(low), True])
    for transaction in block["transactions"]:
        if transaction["from"].lower() == deployer.lower() and int(transaction["nonce"], 16) == nonce:
            receipt = provider.make_request("eth_getTransactionReceipt", [transaction["hash"]])
            return {"transaction": transaction["hash"], "block": low, "gas": int(receipt["gasUsed"], 16)}
    return {}


def creation_differs(provider: Any, contract: Any, arguments: list[Any], transaction: str | None) -> str | None:
    """What is wrong with the transaction that created a contract: it must carry the compiled code and these arguments.

    The metadata at the code's end is left out: it holds a hash of the sources, comments included."""
    if transaction is None:
        return "no creating transaction is recorded"
    found = provider.make_request("eth_getTransactionByHash", [transaction])
    if not found:
        return f"transaction {transaction} is not on this chain"
    sent, code = bytes.fromhex(found["input"][2:]), bytes(contract.constructor.deployment_bytecode)
    expected = bytes(contract.constructor.serialize_transaction(*arguments).data)
    plain = len(code) - int.from_bytes(code[-2:]) - 2
    if sent[:plain] != expected[:plain]:
        return f"transaction {transaction} carried other code than is compiled"
    if sent[len(code) :] != expected[len(code) :]:
        return f"transaction {transaction} carried other arguments than the parameters ask for"
    return None
