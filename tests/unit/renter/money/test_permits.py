"""Permits: the digest is that of another implementation, and a token that takes none is told from one that does."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data

from assay.chain.errors import RpcError
from assay.chain.key_files import Key
from assay.protocol.keccak import keccak
from assay.protocol.signing import Domain
from assay.renter.money.permits import (
    DOMAIN,
    NAME,
    NONCES,
    SEPARATOR,
    VERSION,
    permit_domain,
    permit_to_sign,
    signed_permit,
)

TOKEN, ESCROW = "0x" + "33" * 20, "0x" + "44" * 20
KEY = Key(keccak(b"renter"))
DOMAIN_TYPES = ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]


class Token:
    """A chain with one token; `domain` is what eip712Domain() gives, None where it reverts."""

    chain_id = 31337

    def __init__(
        self, domain: tuple[Any, ...] | None, nonce: bytes = (5).to_bytes(32, "big"), views: Mapping[bytes, Any] = {}
    ) -> None:
        self.domain, self.nonce, self.views = domain, nonce, views

    async def rpc(self, method: str, params: list[Any]) -> str:
        data = bytes.fromhex(params[0]["data"][2:])
        if data[:4] == NONCES:
            return "0x" + self.nonce.hex()
        if data in self.views:
            kind, value = self.views[data]
            return "0x" + encode([kind], [value]).hex()
        if data != DOMAIN or self.domain is None:
            raise RpcError("eth_call", 3, "execution reverted")
        return "0x" + encode(DOMAIN_TYPES, self.domain).hex()


GOOD = (b"\x0f", "Test dollars", "1", 31337, TOKEN, bytes(32), [])


async def test_permit__of_a_token__is_what_eth_account_signs() -> None:
    permit = await signed_permit(Token(GOOD), KEY, TOKEN, ESCROW, 1000, 2000)  # type: ignore[arg-type]
    assert permit is not None
    signature, deadline = permit.signature, permit.deadline
    assert len(signature) == 65
    vrs = (signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"))
    fields = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}
    message = {"owner": KEY.address, "spender": ESCROW, "value": 1000, "nonce": 5, "deadline": 2000}
    signable = encode_typed_data(
        {"name": "Test dollars", "version": "1", "chainId": 31337, "verifyingContract": TOKEN},
        {"Permit": [{"name": name, "type": kind} for name, kind in fields.items()]},
        message,
    )
    recovered = Account.recover_message(signable, vrs=vrs)
    assert (recovered, deadline) == (KEY.address, 2000)


@pytest.mark.parametrize(
    "domain",
    [
        None,
        (b"\x1f", *GOOD[1:]),
        (*GOOD[:3], 1, *GOOD[4:]),
        (*GOOD[:4], "0x" + "55" * 20, *GOOD[5:]),
    ],
)
async def test_permit__token_without_a_domain_of_its_own__has_none(domain: tuple[Any, ...] | None) -> None:
    assert await permit_domain(Token(domain), TOKEN) is None  # type: ignore[arg-type]
    assert await signed_permit(Token(domain), KEY, TOKEN, ESCROW, 1, 2) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", ["0x", "0x12", "nonsense", "0x" + "00" * 64, None])
async def test_permit__malformed_answers__are_no_permit(answer: Any) -> None:
    async def rpc(method: str, params: list[Any]) -> Any:
        return answer

    chain = SimpleNamespace(chain_id=31337, rpc=rpc)
    assert await permit_domain(chain, TOKEN) is None  # type: ignore[arg-type]
    assert await signed_permit(Token(GOOD, b"\x01"), KEY, TOKEN, ESCROW, 1, 2) is None  # type: ignore[arg-type]


async def test_permit__name_that_is_not_utf8__is_no_permit() -> None:
    answer = encode([kind.replace("string", "bytes") for kind in DOMAIN_TYPES], (GOOD[0], b"caf\xe9", b"1", *GOOD[3:]))

    async def rpc(method: str, params: list[Any]) -> Any:
        return "0x" + answer.hex()

    chain = SimpleNamespace(chain_id=31337, rpc=rpc)
    assert await permit_domain(chain, TOKEN) is None  # type: ignore[arg-type]


USDC = Domain(31337, TOKEN, "USD Coin", "2")


def older(separator: bytes, version: str | None = "2") -> Token:
    """A token from before ERC-5267, as USDC is."""
    views = {SEPARATOR: ("bytes32", separator), NAME: ("string", "USD Coin")}
    return Token(None, views=views | ({} if version is None else {VERSION: ("string", version)}))


async def test_permit__token_from_before_the_standard__is_told_by_its_own_separator() -> None:
    assert await permit_domain(older(USDC.separator), TOKEN) == USDC  # type: ignore[arg-type]
    unversioned = Domain(31337, TOKEN, "USD Coin", "1")
    assert await permit_domain(older(unversioned.separator, None), TOKEN) == unversioned  # type: ignore[arg-type]


async def test_permit__separator_of_another_chain_or_contract__is_none() -> None:
    for other in (Domain(1, TOKEN, "USD Coin", "2"), Domain(31337, ESCROW, "USD Coin", "2")):
        assert await permit_domain(older(other.separator), TOKEN) is None  # type: ignore[arg-type]


async def test_permit__for_a_contract_wallet__is_what_it_signs_in_its_own_way() -> None:
    wallet = "0x" + "77" * 20
    asked = await permit_to_sign(Token(GOOD), TOKEN, wallet, ESCROW, 1000, 2000)  # type: ignore[arg-type]
    assert asked is not None
    message, domain = asked
    assert (message.owner, message.spender, message.value, message.nonce) == (wallet, ESCROW, 1000, 5)
    assert message.typed_data(domain)["domain"]["verifyingContract"] == TOKEN
