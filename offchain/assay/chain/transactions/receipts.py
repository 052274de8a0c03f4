"""Receipts of mined transactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.chain.rpc.blocks import quantity
from assay.protocol.hexadecimal import parse_bytes32, to_hex


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction in a block; `gas_used` includes the intrinsic gas."""

    label: str
    transaction: bytes
    block_number: int
    block_hash: bytes
    gas_used: int
    succeeded: bool

    @property
    def transaction_hash(self) -> str:
        """0x-hex."""
        return to_hex(self.transaction)


def parse_receipt(label: str, data: Any) -> Receipt:
    """A receipt of `eth_getTransactionReceipt`. Raises ValueError."""
    if not isinstance(data, Mapping):
        raise ValueError("receipt: not an object")
    return Receipt(
        label,
        parse_bytes32(data.get("transactionHash"), "transactionHash"),  # type: ignore[arg-type]
        quantity(data.get("blockNumber"), "blockNumber"),
        parse_bytes32(data.get("blockHash"), "blockHash"),  # type: ignore[arg-type]
        quantity(data.get("gasUsed"), "gasUsed"),
        quantity(data.get("status"), "status") == 1,
    )
