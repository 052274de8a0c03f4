import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from assay.protocol.encoding import EncodingError, abi_encode, device_id, u32, u256
from assay.protocol.hexadecimal import to_address
from assay.protocol.keccak import keccak


@given(
    st.integers(0, 2**64 - 1),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=20, max_size=20),
    st.booleans(),
)
def test_abi_encode__static_values__equals_eth_abi(number, data, account, flag):
    types = ("uint64", "bytes32", "address", "bool")
    values = (number, data, to_address(account), flag)
    assert abi_encode(types, values) == encode(types, values)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint16", 65_536), ("uint16", -1), ("uint8", True), ("uint8", "1"), ("bytes32", bytes(31)),
        ("bytes32", "0x"), ("address", 5), ("address", "0x12"), ("string", "x"), ("int8", 1),
    ],
)  # fmt: skip
def test_abi_encode__value_off_type__refused(kind, value):
    with pytest.raises(ValueError):
        abi_encode((kind,), (value,))


def test_abi_encode__counts_differ__refused():
    with pytest.raises(EncodingError, match="1 values for 2 types"):
        abi_encode(("uint8", "uint8"), (1,))


def test_numbers__big_endian():
    assert u32(0x01020304) == bytes([1, 2, 3, 4])
    assert u256("0x" + "ff" * 20) == u256(2**160 - 1)
    with pytest.raises(EncodingError):
        u32(2**32)


def test_device_id__forty_bytes_hashed():
    assert device_id("0x" + "aa" * 20, "0x" + "bb" * 20) == keccak(b"\xaa" * 20 + b"\xbb" * 20)
