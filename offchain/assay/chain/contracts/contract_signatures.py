"""Signatures of accounts that are contracts (ERC-1271): the contract itself says whether it accepts one."""

from __future__ import annotations

from eth_abi.abi import encode

from assay.chain.errors import RpcError
from assay.chain.rpc.client import Chain
from assay.protocol.hexadecimal import parse_hex, to_hex

MAGIC = bytes.fromhex("1626ba7e")  # isValidSignature(bytes32,bytes), both as selector and as a yes
GAS = 500_000


async def contract_accepts(chain: Chain, account: str, digest: bytes, signature: bytes) -> bool:
    """Whether the contract at `account` accepts a signature over a digest, at the latest final block. An account
    without code costs one question a block, whatever is shown for it. Raises UnreachableChain.
    """
    block = await chain.recent_final()
    where = {"blockHash": to_hex(block.hash), "requireCanonical": True}
    if not await chain.has_code(account, block):
        return False
    data = MAGIC + encode(["bytes32", "bytes"], [digest, signature])
    call = {"to": account, "data": to_hex(data), "gas": hex(GAS)}
    try:
        answer = await chain.rpc("eth_call", [call, where], parse_hex)
    except RpcError:
        return False  # it reverted, or used up its gas
    # Anything but the exact word is a no.
    return bool(answer == MAGIC + bytes(28))
