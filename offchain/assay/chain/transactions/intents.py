"""What is to be sent, what was signed for it, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from assay.chain.transactions.fees import Fees
from assay.chain.transactions.receipts import Receipt


class State(StrEnum):
    """Where an intent stands."""

    OPEN = "open"  # journalled; perhaps broadcast
    MINED = "mined"  # in a block that may still be reorganised away
    FINAL = "final"  # in a final block
    FAILED = "failed"  # never will be: refused for good, cancelled, or its nonce was taken


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction."""

    hash: bytes
    raw: bytes
    fees: Fees
    cancels: bool
    signed: float


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What a transaction is to do; `value` in wei. At most one intent that has not failed serves a purpose."""

    label: str
    recipient: str
    data: bytes
    value: int
    gas: int
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """One nonce and what it is for; those from `transaction_hash` on are set once a transaction of it was
    mined."""

    id: int
    request: SendRequest
    nonce: int
    state: State
    created: float
    transaction_hash: bytes | None
    block_number: int | None
    block_hash: bytes | None
    gas_used: int | None
    succeeded: bool | None
    reason: str | None

    @property
    def label(self) -> str:
        """The request's."""
        return self.request.label

    @property
    def purpose(self) -> str | None:
        """The request's."""
        return self.request.purpose

    def receipt(self) -> Receipt:
        """Of a mined intent. Raises ValueError for another."""
        if (
            self.transaction_hash is None
            or self.block_hash is None
            or self.block_number is None
            or self.gas_used is None
        ):
            raise ValueError(f"{self.label}: was not mined")
        return Receipt(
            self.label,
            self.transaction_hash,
            self.block_number,
            self.block_hash,
            self.gas_used,
            bool(self.succeeded),
        )
