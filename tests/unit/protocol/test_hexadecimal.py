import pytest
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol.hexadecimal import (
    HexadecimalError,
    parse_address,
    parse_bytes32,
    parse_hex,
    parse_signature,
    to_address,
    to_hex,
)


@given(st.binary(max_size=100))
def test_parse_hex__there_and_back__same_bytes(data):
    assert parse_hex(to_hex(data)) == data


@given(st.binary(min_size=20, max_size=20))
def test_address__any__checksum_of_eip_55(data):
    assert to_address(data) == to_checksum_address(data)
    assert parse_address(to_hex(data)) == to_address(data) == parse_address(to_address(data))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("12", "does not start with 0x"),
        ("0x123", "odd number of digits"),
        ("0xzz", "not hexadecimal digits"),
        ("0x12\n", "not hexadecimal digits"),
        (12, "expected a 0x-prefixed text"),
        ("0x" + "11" * 31, "has 31 bytes, expected 32"),
        ("0x" + "11" * 33, "has 33 bytes, expected 32"),
        ("0x" + "1" * 1_000_000, "at most"),
    ],
)
def test_parse_bytes32__malformed__says_what_was_wrong(text, complaint):
    with pytest.raises(HexadecimalError, match=complaint) as caught:
        parse_bytes32(text, "--beacon")
    assert str(caught.value).startswith("--beacon: ")
    assert len(str(caught.value)) < 300


def test_parse_address__wrong_checksum__refused():
    with pytest.raises(HexadecimalError, match="wrong checksum"):
        parse_address("0x5FbDB2315678afecb367f032d93F642f64180aA3")


def test_parse_signature__wrong_length__refused():
    with pytest.raises(HexadecimalError, match="signature"):
        parse_signature("0x" + "00" * 65)
