"""What a node's refusal of a transaction means."""

from __future__ import annotations

from enum import Enum, auto


class Refusal(Enum):
    """Why `eth_sendRawTransaction` failed."""

    ALREADY_KNOWN = auto()  # it waits there already: as good as taken
    NONCE_TOO_LOW = auto()  # the nonce was mined: by one of ours, or by a stranger
    UNDERPRICED = auto()  # it offers too little, or too little more than what it replaces
    FUNDS = auto()  # the account cannot pay
    BUSY = auto()  # the node has no room now
    REFUSED = auto()  # anything else: it will not be taken as it is


_TEXTS = (
    (Refusal.ALREADY_KNOWN, ("already known", "known transaction", "already imported", "already exists")),
    (Refusal.NONCE_TOO_LOW, ("nonce too low", "nonce is too low", "old nonce", "oldnonce")),
    (Refusal.UNDERPRICED, ("underpriced", "fee too low", "less than block base fee", "feetoolow",
                           "lower than the current base", "gas price too low")),
    (Refusal.FUNDS, ("insufficient funds", "insufficient balance", "doesn't have enough funds")),
    (Refusal.BUSY, ("txpool is full", "pool is full", "pool limit", "future transaction tries", "rate limit",
                    "too many", "timeout")),
)  # fmt: skip


def classify(message: str) -> Refusal:
    """The meaning of a node's message: clients differ in words, and give no codes."""
    text = message.lower()
    for refusal, parts in _TEXTS:
        if any(part in text for part in parts):
            return refusal
    return Refusal.REFUSED
