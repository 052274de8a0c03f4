"""ERC-2612 and its form in bytes: an approval that is signed instead of sent, which saves a transaction and its block.

A contract wallet signs the same message in its own way (ERC-1271); its signature goes to tokens that take
`permit(address,address,uint256,uint256,bytes)`, such as USDC since its version 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from assay.chain.client import Chain
from assay.chain.erc20 import selector
from assay.chain.errors import RpcError
from assay.chain.key_files import Key
from assay.protocol.encoding import u256
from assay.protocol.hexadecimal import parse_hex, to_hex
from assay.protocol.signing import Domain, expand
from assay.protocol.typed_message import TypedMessage

DOMAIN = selector("eip712Domain()")
SEPARATOR, NAME, VERSION = selector("DOMAIN_SEPARATOR()"), selector("name()"), selector("version()")
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


@dataclass(frozen=True, slots=True)
class SignedPermit:
    """A permit as the escrow takes it: 65 bytes r ‖ s ‖ v of a key, or whatever a contract wallet answers for."""

    deadline: int
    signature: bytes


async def permit_domain(chain: Chain, token: str) -> Domain | None:
    """The domain a token takes permits in, of this chain and address; None where neither ERC-5267 nor the token's name,
    version and domain separator tell it."""
    fields = await _decoded(
        chain, token, DOMAIN, ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]
    )
    if fields is not None:
        kinds, name, version, chain_id, contract, _, _ = fields
        own = kinds == FIELDS and chain_id == chain.chain_id and str(contract).lower() == token.lower()
        return Domain(chain_id, token, name, version) if own else None
    # Tokens from before ERC-5267, USDC among them: what they hash must be what we would.
    separator, named, versioned = [
        await _decoded(chain, token, asked, [kind])
        for asked, kind in ((SEPARATOR, "bytes32"), (NAME, "string"), (VERSION, "string"))
    ]
    if separator is None or named is None:
        return None
    domain = Domain(chain.chain_id, token, named[0], versioned[0] if versioned else "1")
    return domain if domain.separator == separator[0] else None


async def _decoded(chain: Chain, token: str, asked: bytes, kinds: list[str]) -> tuple[Any, ...] | None:
    """What a view answers; None where it does not, or not in that form."""
    try:
        answer = await chain.rpc("eth_call", [{"to": token, "data": to_hex(asked)}, "latest"])
        return tuple(decode(kinds, parse_hex(answer, "eth_call", max_bytes=MAX_ANSWER)))
    except (RpcError, ValueError, OverflowError, DecodingError):  # a name that is not UTF-8 is no text to sign
        return None


async def permit_to_sign(
    chain: Chain, token: str, owner: str, spender: str, value: int, deadline: int
) -> tuple[Permit, Domain] | None:
    """What an owner, an account or a contract wallet, signs; None where the token takes no permits that can be told."""
    domain = await permit_domain(chain, token)
    if domain is None:
        return None
    nonce = await _decoded(chain, token, NONCES + u256(owner), ["uint256"])
    return None if nonce is None else (Permit(owner, spender, value, nonce[0], deadline), domain)


async def signed_permit(
    chain: Chain, key: Key, token: str, spender: str, value: int, deadline: int
) -> SignedPermit | None:
    """The permit of a key's own account; None where the token takes none that can be told."""
    asked = await permit_to_sign(chain, token, key.address, spender, value, deadline)
    if asked is None:
        return None
    message, domain = asked
    return SignedPermit(deadline, expand(key.sign(message, domain)))
