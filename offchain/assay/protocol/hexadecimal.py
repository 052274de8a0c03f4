"""Hexadecimal text to bytes and back, with errors that say which value was wrong and what was expected."""

from __future__ import annotations

import re
from functools import lru_cache

from assay.protocol.keccak import keccak

ZERO_ADDRESS = "0x" + "00" * 20

_HEX = re.compile(r"[0-9a-fA-F]*")
_SHOWN = 80


class HexadecimalError(ValueError):
    """A text that is not the hexadecimal value it should be."""


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)")


def parse_hex(text: str, what: str = "value", max_bytes: int | None = None) -> bytes:
    """Bytes of a `0x`-prefixed text of whole bytes.

    Raises HexadecimalError for a missing prefix, an odd number of digits, a character that is no digit, or
    more than `max_bytes` bytes.
    """
    if not isinstance(text, str):
        raise HexadecimalError(f"{what}: expected a 0x-prefixed text, got {type(text).__name__}")
    if not text.startswith("0x"):
        raise HexadecimalError(f"{what}: {_shown(text)} does not start with 0x")
    digits = text[2:]
    if max_bytes is not None and len(digits) > 2 * max_bytes:
        raise HexadecimalError(f"{what}: {len(digits) // 2} bytes, at most {max_bytes} are allowed")
    if not _HEX.fullmatch(digits):
        raise HexadecimalError(f"{what}: {_shown(text)} has characters that are not hexadecimal digits")
    if len(digits) % 2:
        raise HexadecimalError(f"{what}: {_shown(text)} has an odd number of digits ({len(digits)})")
    return bytes.fromhex(digits)


def parse_fixed(text: str, length: int, what: str = "value") -> bytes:
    """Exactly `length` bytes. Raises HexadecimalError."""
    # The short way for what is right, which is nearly all; what is wrong is told why below. `fromhex` skips spaces, but
    # then too few digits are left.
    if isinstance(text, str) and len(text) == 2 * length + 2 and text.startswith("0x"):
        try:
            found = bytes.fromhex(text[2:])
        except ValueError:
            found = b""
        if len(found) == length:
            return found
    data = parse_hex(text, what, max_bytes=max(length, 1 << 16))
    if len(data) != length:
        raise HexadecimalError(
            f"{what}: {_shown(text)} has {len(data)} bytes, expected {length} ({2 * length} digits after 0x)"
        )
    return data


def parse_bytes32(text: str, what: str = "value") -> bytes:
    """A hash, an id or a nonce: 32 bytes. Raises HexadecimalError."""
    return parse_fixed(text, 32, what)


def parse_signature(text: str, what: str = "signature") -> bytes:
    """A compact (EIP-2098) signature: 64 bytes. Raises HexadecimalError."""
    return parse_fixed(text, 64, what)


def parse_address(text: str, what: str = "address") -> str:
    """An account in its checksummed spelling.

    All-lower and all-upper digits are taken as they are; mixed case must be the right checksum (EIP-55).
    Raises HexadecimalError.
    """
    data = parse_fixed(text, 20, what)
    digits = text[2:]
    checksummed = to_address(data)
    if digits not in (digits.lower(), digits.upper()) and text != checksummed:
        raise HexadecimalError(f"{what}: {text} has a wrong checksum; {checksummed} would be right: check each digit")
    return checksummed


def to_hex(data: bytes) -> str:
    """`0x` and two lower-case digits a byte."""
    return "0x" + data.hex()


@lru_cache(maxsize=65_536)
def to_address(data: bytes) -> str:
    """The EIP-55 spelling of 20 bytes."""
    if len(data) != 20:
        raise HexadecimalError(f"address: {len(data)} bytes, expected 20")
    digits = data.hex()
    mask = keccak(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(m, 16) >= 8 else d for d, m in zip(digits, mask, strict=False))


def address_bytes(address: str) -> bytes:
    """20 bytes of an address. Raises HexadecimalError."""
    return parse_fixed(address, 20, "address")
