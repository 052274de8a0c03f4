"""Permits: the digest is that of another implementation, and a token that takes none is told from one that does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data

from assay.chain.errors import RpcError
from assay.chain.key_files import Key
from assay.protocol.keccak import keccak
from assay.renter.permits import DOMAIN, NONCES, permit_domain, signed_permit

TOKEN, ESCROW = "0x" + "33" * 20, "0x" + "44" * 20
KEY = Key(keccak(b"renter"))
DOMAIN_TYPES = ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]


class Token:
    """A chain with one token; `domain` is what eip712Domain() gives, None where it reverts."""

    chain_id = 31337

    def __init__(self, domain: tuple[Any, ...] | None, nonce: bytes = (5).to_bytes(32, "big")) -> None:
        self.domain, self.nonce = domain, nonce

    async def rpc(self, method: str, params: list[Any]) -> str:
        data = bytes.fromhex(params[0]["data"][2:])
        if data[:4] == NONCES:
            return "0x" + self.nonce.hex()
        assert data == DOMAIN
        if self.domain is None:
            raise RpcError("eth_call", 3, "execution reverted")
        return "0x" + encode(DOMAIN_TYPES, self.domain).hex()


GOOD = (b"\x0f", "Test dollars", "1", 31337, TOKEN, bytes(32), [])


async def test_permit__of_a_token__is_what_eth_account_signs() -> None:
    permit = await signed_permit(Token(GOOD), KEY, TOKEN, ESCROW, 1000, 2000)  # type: ignore[arg-type]
    assert permit is not None
    deadline, v, r, s = permit
    fields = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}
    message = {"owner": KEY.address, "spender": ESCROW, "value": 1000, "nonce": 5, "deadline": 2000}
    signable = encode_typed_data(
        {"name": "Test dollars", "version": "1", "chainId": 31337, "verifyingContract": TOKEN},
        {"Permit": [{"name": name, "type": kind} for name, kind in fields.items()]},
        message,
    )
    recovered = Account.recover_message(signable, vrs=(v, int.from_bytes(r, "big"), int.from_bytes(s, "big")))
    assert (recovered, deadline) == (KEY.address, 2000)


@pytest.mark.parametrize(
    "domain",
    [
        None, (b"\x1f", *GOOD[1:]), (*GOOD[:3], 1, *GOOD[4:]), (*GOOD[:4], "0x" + "55" * 20, *GOOD[5:]),
    ],
)  # fmt: skip
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
