"""ERC-2612: an approval that is signed instead of sent, which saves a transaction and its block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from assay.chain.client import Chain
from assay.chain.erc20 import selector
from assay.chain.errors import RpcError
from assay.chain.key_files import Key
from assay.protocol.encoding import u256
from assay.protocol.hexadecimal import HexadecimalError, parse_hex
from assay.protocol.signing import Domain, split
from assay.protocol.typed_message import TypedMessage

DOMAIN = selector("eip712Domain()")
NONCES = selector("nonces(address)")
# name, version, chainId and verifyingContract, no salt: ERC-5267's bits of the fields that `Domain` has.
FIELDS = b"\x0f"
MAX_ANSWER = 1 << 14


@dataclass(frozen=True, slots=True)
class Permit(TypedMessage):
    """Lets `spender` take `value` base units, once, until `deadline`."""

    TYPE: ClassVar[str] = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    CONTRACT: ClassVar[str] = ""  # in the token's own domain

    owner: str
    spender: str
    value: int
    nonce: int
    deadline: int


async def permit_domain(chain: Chain, token: str) -> Domain | None:
    """The domain a token takes permits in; None where it has no ERC-5267 domain of this chain and address."""
    try:
        answer = await chain.rpc("eth_call", [{"to": token, "data": "0x" + DOMAIN.hex()}, "latest"])
        fields, name, version, chain_id, contract, _, _ = decode(
            ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"],
            parse_hex(answer, "eip712Domain", max_bytes=MAX_ANSWER),
        )
    except (RpcError, HexadecimalError, DecodingError):
        return None
    if fields != FIELDS or chain_id != chain.chain_id or str(contract).lower() != token.lower():
        return None
    return Domain(chain_id, token, name, version)


async def signed_permit(
    chain: Chain, key: Key, token: str, spender: str, value: int, deadline: int
) -> tuple[int, int, bytes, bytes] | None:
    """(deadline, v, r, s) as the escrow takes it; None where the token takes no permits that can be told."""
    domain = await permit_domain(chain, token)
    if domain is None:
        return None
    try:
        data = "0x" + (NONCES + u256(key.address)).hex()
        answer = parse_hex(await chain.rpc("eth_call", [{"to": token, "data": data}, "latest"]), "nonces", max_bytes=64)
    except (RpcError, HexadecimalError):
        return None
    if len(answer) != 32:
        return None
    message = Permit(key.address, spender, value, int.from_bytes(answer, "big"), deadline)
    r, s, parity = split(key.sign(message, domain))
    return deadline, 27 + parity, r.to_bytes(32, "big"), s.to_bytes(32, "big")
