"""Signing and offering transactions of one key: what the sender and its follower share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from assay.chain.errors import InsufficientFunds, NotSent
from assay.chain.rpc.client import Chain
from assay.chain.transactions.account_state import AccountState
from assay.chain.transactions.broadcast import Refusal, outcome
from assay.chain.transactions.intents import Attempt, FeePolicy, Fees, Intent, SendRequest, State
from assay.chain.transactions.journal import Journal


class SendStep(StrEnum):
    """Every point of a transaction's life at which a process can stop."""

    SIMULATED = "simulated"
    JOURNALLED = "journalled"
    BROADCAST = "broadcast"
    OUTBID_JOURNALLED = "outbid-journalled"
    OUTBID_BROADCAST = "outbid-broadcast"
    REOFFERED = "reoffered"
    MINED = "mined"
    UNMINED = "unmined"
    FINAL = "final"
    FAILED = "failed"


class TransactionSigner(Protocol):
    """Whatever signs transactions for one address."""

    address: str
    blocks: bool  # whether it waits for somebody: then it is asked on a thread

    def sign_transaction(self, transaction: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """(raw bytes, hash). Raises ChainError where it cannot sign now."""


@dataclass(frozen=True, slots=True)
class BroadcastRefused:
    """Why a transaction was not taken, and a node's words for it."""

    why: Refusal
    words: str


@dataclass
class Outgoing:
    """One key's way to the chain; every signed transaction is journalled before it is offered."""

    chain: Chain
    key: TransactionSigner
    journal: Journal
    policy: FeePolicy
    clock: Callable[[], float]
    on_step: Callable[[SendStep, Intent | None], None]
    # Intents whose last attempt a node found too cheap: outbid without waiting.
    underpriced: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.address = self.key.address
        self.account = AccountState(self.chain, self.key.address)

    async def sign(self, nonce: int, request: SendRequest, fees: Fees, *, cancels: bool = False) -> Attempt:
        """A signed transaction that does what is requested."""
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain.chain_id,
            "nonce": nonce,
            "to": request.recipient,
            "data": request.data,
            "value": request.value,
            "gas": request.gas,
            "maxFeePerGas": fees.cap,
            "maxPriorityFeePerGas": fees.tip,
        }
        if self.key.blocks:
            raw, transaction_hash = await asyncio.to_thread(self.key.sign_transaction, transaction)
        else:
            raw, transaction_hash = self.key.sign_transaction(transaction)
        return Attempt(transaction_hash, raw, fees, cancels, self.clock())

    async def begin(self, request: SendRequest, nonce: int, fees: Fees) -> Intent:
        """Signs, journals and offers a new intent. Raises InsufficientFunds or NotSent where every node refuses it for
        good and none has it: then the nonce is free again."""
        attempt = await self.sign(nonce, request, fees)
        intent = self.journal.add(request, nonce, attempt)
        self.on_step(SendStep.JOURNALLED, intent)
        refused = await self.offer(intent, attempt)
        if refused is None:
            self.on_step(SendStep.BROADCAST, intent)
        elif refused.why.final and await self.chain.pool.nobody_has(attempt.hash):
            intent = self.journal.mark(intent, State.FAILED, refused.words[:500])
            self.on_step(SendStep.FAILED, intent)
            if refused.why is Refusal.FUNDS:
                raise InsufficientFunds(self.address, refused.words)
            raise NotSent(f"{request.label}: no node accepts it: {refused.words[:300]}")
        return intent  # Perhaps taken; following asks by its hash.

    async def offer(self, intent: Intent, attempt: Attempt) -> BroadcastRefused | None:
        """Broadcasts; None when a node has it now."""
        answers = await self.chain.pool.broadcast(attempt.raw)
        why = outcome(answers)
        if why is None or why is Refusal.ALREADY_KNOWN:
            return None
        if why is Refusal.UNDERPRICED:
            self.underpriced.add(intent.id)
        return BroadcastRefused(why, next((words for words in answers if words), "no node answered"))

    async def chain_nonce(self) -> int:
        """The first nonce that the chain neither has mined nor holds waiting."""
        return max(await self.account.count("latest"), await self.account.count("pending"))
