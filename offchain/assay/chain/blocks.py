"""Blocks, as far as decisions need them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.protocol.hexadecimal import parse_bytes32


@dataclass(frozen=True, slots=True)
class Block:
    """A fixed block; `timestamp` in seconds, `base_fee` in wei a gas."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee: int


def quantity(value: Any, what: str) -> int:
    """A JSON-RPC quantity (`0x` and digits). Raises ValueError."""
    if not isinstance(value, str) or re.fullmatch(r"0x[0-9a-fA-F]{1,64}", value) is None:
        raise ValueError(f"{what}: {str(value)[:80]!r} is not a quantity")
    return int(value, 16)


def parse_block(data: Any) -> Block:
    """A block of `eth_getBlockBy…`. Raises ValueError."""
    if not isinstance(data, Mapping):
        raise ValueError("block: not an object")
    return Block(
        quantity(data.get("number"), "number"),
        parse_bytes32(data.get("hash"), "hash"),  # type: ignore[arg-type]
        parse_bytes32(data.get("parentHash"), "parentHash"),  # type: ignore[arg-type]
        quantity(data.get("timestamp"), "timestamp"),
        quantity(data.get("baseFeePerGas") or "0x0", "baseFeePerGas"),  # a chain without fees names none
    )
