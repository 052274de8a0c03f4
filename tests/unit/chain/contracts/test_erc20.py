"""Tokens that say odd things of themselves."""

import pytest
from eth_abi.abi import encode

from assay.chain.contracts.erc20 import Erc20, symbols_of
from assay.chain.errors import ChainError, RpcError
from assay.chain.rpc.client import Chain
from tests.unit.chain.conftest import FakeEndpoint
from tests.unit.chain.rpc.test_events import chain_of

TOKENS = ["0x" + f"{n:02x}" * 20 for n in (0x11, 0x22, 0x33)]


def text(raw):
    return "0x" + encode(["bytes"], [raw]).hex()


def chain_with(answers) -> Chain:
    node = FakeEndpoint()

    def call(params):
        answer = answers[params[0]["to"]]
        if isinstance(answer, Exception):
            raise answer
        return answer

    node.answers["eth_call"] = call
    return chain_of(node)


@pytest.mark.parametrize(
    ("answer", "symbol"),
    [
        (text(b"USDC"), "USDC"),
        (text("USD₮0".encode()), "USD₮0"),
        ("0x" + b"MKR".hex().ljust(64, "0"), "MKR"),  # bytes32, as the oldest have it
        ("0x" + b"\xff\xfe".hex().ljust(64, "0"), None),
        (text(b"caf\xe9"), "caf"),
        (text(b""), None),
        (text(b"   "), None),
        (text(b"\x1b[2J\x00A\nB"), "[2JAB"),
        (text("A\u202eB\u200bC".encode()), "ABC"),
        (text("Z\u0303\u0303\u0303".encode()), "Z"),
        (text(b"A" * 20_000), "A" * 16),
        (text(b"A" * 1_000_000), None),
        ("0x", None),
        ("0x" + "00" * 31, None),
        ("0x" + "ff" * 64, None),
        ("0x" + "00" * 31 + "20" + "ff" * 32, None),
        ("not hexadecimal", None),
        (5, None),
        (RpcError("eth_call", 3, "execution reverted"), None),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_symbol__whatever_a_token_says__short_and_harmless_or_its_address(answer, symbol):
    token = Erc20(chain_with({TOKENS[0]: answer}), TOKENS[0])
    assert await token.symbol() == (symbol or TOKENS[0])


@pytest.mark.parametrize("answer", ["0x", 5, None, text(b"A" * 1_000_000), "0x" + "ff" * 32, "zz"])
async def test_decimals__no_number__refused_by_name(answer):
    with pytest.raises(ChainError, match=TOKENS[0]):
        await Erc20(chain_with({TOKENS[0]: answer}), TOKENS[0]).decimals()


async def test_symbols_of__two_of_one_symbol_and_one_called_coin__told_apart_by_address():
    chain = chain_with({TOKENS[0]: text(b"USDC"), TOKENS[1]: text(b"usdc"), TOKENS[2]: text(b"Coin")})
    assert await symbols_of(chain, TOKENS) == {
        TOKENS[0]: f"USDC {TOKENS[0]}",
        TOKENS[1]: f"usdc {TOKENS[1]}",
        TOKENS[2]: f"Coin {TOKENS[2]}",
    }


async def test_symbols_of__the_same_token_twice__once_by_its_symbol():
    assert await symbols_of(chain_with({TOKENS[0]: text(b"USDC")}), [TOKENS[0], TOKENS[0]]) == {TOKENS[0]: "USDC"}
