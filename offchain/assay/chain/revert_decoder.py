"""Custom errors of all deployed contracts, from their selector to a name with arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from assay.chain.abi_values import decode_values, signature_of
from assay.protocol.keccak import keccak

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")
_PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "value outside an enum",
    0x22: "corrupt storage",
    0x31: "pop from an empty array",
    0x32: "index out of bounds",
    0x41: "too much memory",
    0x51: "call of an unset function",
}


class RevertDecoder:
    """Knows the errors of the ABIs it was given, and Solidity's own two."""

    def __init__(self, abis: Iterable[Iterable[Mapping[str, Any]]]) -> None:
        self._errors: dict[bytes, Mapping[str, Any]] = {}
        for abi in abis:
            for item in abi:
                if item.get("type") == "error":
                    self._errors[keccak(signature_of(item).encode())[:4]] = item

    def decode(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """(name, arguments) of revert data; ("unknown error", {"data": …}) for what no ABI declares."""
        selector, body = data[:4], data[4:]
        try:
            if selector == _ERROR_STRING:
                return "Error", {"message": decode_values([{"type": "string"}], body)[0]}
            if selector == _PANIC:
                code = decode(["uint256"], body)[0]
                return "Panic", {"code": code, "meaning": _PANICS.get(code, "unknown")}
            if item := self._errors.get(selector):
                values = decode_values(item["inputs"], body)
                names = [parameter["name"] or f"_{i}" for i, parameter in enumerate(item["inputs"])]
                return item["name"], dict(zip(names, values, strict=True))
        except (DecodingError, OverflowError, ValueError):
            pass
        if not data:
            return "no reason given", {}
        return "unknown error", {"data": data[:256]}
