"""Fixed-size encodings: u32, u256, and ABI words of Solidity's static types.

Written out rather than taken from eth-abi: only static types occur in what is hashed, and importing eth-abi
costs more than everything else the command line needs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assay.protocol.hexadecimal import address_bytes
from assay.protocol.keccak import keccak
from assay.protocol.types import DeviceId

_UINT = re.compile(r"uint([0-9]+)")


class EncodingError(ValueError):
    """A value that its type cannot hold."""


def unsigned(value: int, bits: int, what: str = "value") -> int:
    """`value` if it fits `bits` bits unsigned. Raises EncodingError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise EncodingError(f"{what}: expected an integer, got {value!r}")
    if not 0 <= value < 1 << bits:
        raise EncodingError(f"{what}: {value} does not fit uint{bits}")
    return value


def u32(value: int) -> bytes:
    """4 bytes, big-endian. Raises EncodingError."""
    return unsigned(value, 32).to_bytes(4, "big")


def u256(value: int | str) -> bytes:
    """32 bytes, big-endian, of a number or of an address read as one. Raises EncodingError."""
    if isinstance(value, str):
        return address_bytes(value).rjust(32, b"\0")
    return unsigned(value, 256).to_bytes(32, "big")


def word(solidity_type: str, value: object, what: str = "value") -> bytes:
    """The 32-byte ABI word of a static value: uintN, address, bytes32 or bool. Raises EncodingError."""
    if match := _UINT.fullmatch(solidity_type):
        return unsigned(value, int(match[1]), what).to_bytes(32, "big")  # type: ignore[arg-type]
    if solidity_type == "address":
        if not isinstance(value, str):
            raise EncodingError(f"{what}: expected an address, got {value!r}")
        return u256(value)
    if solidity_type == "bytes32":
        if not isinstance(value, bytes) or len(value) != 32:
            raise EncodingError(f"{what}: expected 32 bytes, got {value!r}")
        return value
    if solidity_type == "bool":
        return unsigned(int(bool(value)), 1, what).to_bytes(32, "big")
    raise EncodingError(f"{what}: type {solidity_type} is not a static type of the protocol")


def abi_encode(types: Sequence[str], values: Sequence[object]) -> bytes:
    """`abi.encode` of static values: one word each. Raises EncodingError."""
    if len(types) != len(values):
        raise EncodingError(f"{len(values)} values for {len(types)} types")
    return b"".join(word(t, v, f"value {n} ({t})") for n, (t, v) in enumerate(zip(types, values, strict=True)))


def device_id(provider: str, device_key: str) -> DeviceId:
    """H(provider ‖ deviceKey): the id of a device, 32 bytes."""
    return DeviceId(keccak(address_bytes(provider) + address_bytes(device_key)))


def demand_id(device: DeviceId, epoch: int, is_row: bool, index: int) -> bytes:
    """The id of a demand for an opening: H(abi.encode(deviceId, epoch, isRow, index)). `index` is the sample q of a
    row, or the round t of a round leaf. Raises EncodingError.
    """
    return keccak(abi_encode(("bytes32", "uint64", "bool", "uint32"), (device, epoch, is_row, index)))
