import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.errors import Reverted, RpcError
from assay.chain.rpc.revert_decoder import RevertDecoder
from assay.protocol.keccak import keccak

ABI = [
    {
        "type": "error",
        "name": "Escrow_TooSmall",
        "inputs": [{"name": "deposit", "type": "uint256"}, {"name": "", "type": "address"}],
    }
]
DECODER = RevertDecoder([ABI])
SELECTOR = keccak(b"Escrow_TooSmall(uint256,address)")[:4]


def test_decode__known_error__name_and_arguments():
    data = SELECTOR + encode(["uint256", "address"], [5, "0x" + "11" * 20])
    assert DECODER.decode(data) == ("Escrow_TooSmall", {"deposit": 5, "_1": "0x" + "11" * 20})


def test_decode__words_and_panics__solidity_s_own():
    assert DECODER.decode(bytes.fromhex("08c379a0") + encode(["string"], ["why"])) == (
        "Error",
        {"message": "why"},
    )
    name, arguments = DECODER.decode(bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]))
    assert (name, arguments["meaning"]) == ("Panic", "arithmetic overflow")


def test_decode__nothing__says_so():
    assert DECODER.decode(b"") == ("no reason given", {})


@given(st.binary(max_size=200), st.booleans())
def test_decode__any_bytes__never_fails(data, known):
    name, _ = DECODER.decode((SELECTOR if known else b"") + data)
    assert name


@pytest.mark.parametrize("raw", [b"caf\xe9", b"\x1b[2J\nline", b"\xff" * 100_000])
def test_decode__a_reason_that_nobody_can_read__shown_harmlessly(raw):
    data = bytes.fromhex("08c379a0") + encode(["bytes"], [raw])
    name, arguments = RevertDecoder([]).decode(data)
    shown = str(Reverted("call", name, arguments, data))
    assert name == "Error" and shown.isprintable() and len(shown) < 600


def test_rpc_error__a_node_that_writes_to_the_terminal__shown_harmlessly():
    error = RpcError("eth_call", -32_000, "\x1b[2Jno\r\n")
    assert str(error).isprintable() and "no" in str(error)
