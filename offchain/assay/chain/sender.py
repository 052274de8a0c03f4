"""One sender a key: every transaction is journalled before it leaves, and followed until its block is
final.

The order of steps is what a crash may interrupt anywhere: simulate, sign, journal, broadcast, mined, final.
After a restart the journal says which transactions to look for; they are offered again, never signed anew
with the same nonce unless to outbid them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from typing import Any

from assay.chain.account_state import AccountState
from assay.chain.broadcast import Refusal, classify
from assay.chain.client import Chain, ContractCall
from assay.chain.errors import (
    ChainError,
    FeeAboveCeiling,
    InsufficientFunds,
    NonceTaken,
    NotConfirmed,
    NotSent,
    Reverted,
    RpcError,
    TransactionFailed,
    UnreachableChain,
)
from assay.chain.fees import FeePolicy, Fees
from assay.chain.journal import Attempt, Intent, Journal, State
from assay.chain.key_files import Key
from assay.chain.receipts import Receipt

PLAIN_TRANSFER_GAS = 21_000


class Step(StrEnum):
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


class Sender:
    """Sends calls from one key. Call `tend` often or keep `run` going; `send` does so while it waits.

    `on_step` is told of every step, with the intent where there is one; `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        chain: Chain,
        key: Key,
        journal: Journal,
        *,
        policy: FeePolicy | None = None,
        poll_s: float = 0.5,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_step: Callable[[Step, Intent | None], None] = lambda step, intent: None,
    ) -> None:
        self.address = key.address
        self._chain, self._key, self._journal = chain, key, journal
        self._account = AccountState(chain, key.address)
        self._policy = policy or FeePolicy()
        self._poll_s, self._clock, self._sleep, self._on_step = poll_s, clock, sleep, on_step
        self._lock = asyncio.Lock()
        self._underpriced: set[int] = set()

    async def send(
        self,
        call: ContractCall,
        *,
        label: str | None = None,
        purpose: str | None = None,
        gas: int | None = None,
        timeout_s: float = 180.0,
        final: bool = False,
    ) -> Receipt:
        """Sends a call and waits for its block, or with `final` until that is final.

        `purpose` names what must happen once: a second call for it, after a crash too, joins the first. `gas`
        overrides the estimate. Raises Reverted (nothing was sent), FeeAboveCeiling, InsufficientFunds,
        TransactionFailed (mined and reverted), NonceTaken, NotConfirmed (still journalled), UnreachableChain.
        """
        data = self._chain.encode(call)
        recipient = self._chain.deployment.address(call.contract)
        return await self.send_raw(
            recipient, data, call.value, label=label or str(call), purpose=purpose, gas=gas,
            timeout_s=timeout_s, final=final,
        )  # fmt: skip

    async def send_raw(
        self,
        recipient: str,
        data: bytes = b"",
        value: int = 0,
        *,
        label: str,
        purpose: str | None = None,
        gas: int | None = None,
        timeout_s: float = 180.0,
        final: bool = False,
    ) -> Receipt:
        """As `send`, with calldata already encoded; `value` in wei."""
        deadline = self._clock() + timeout_s
        intent = self._journal.for_purpose(purpose) if purpose else None
        while intent is None:
            intent = await self._begin(recipient, data, value, label, purpose, gas, deadline)
        return await self._settle(intent, deadline, final)

    async def settle_all(self, timeout_s: float = 180.0) -> list[Receipt]:
        """Waits for everything the journal holds open: after a restart, before anything new.

        Receipts of what succeeded; what failed is in the journal with its reason. Raises NotConfirmed,
        UnreachableChain.
        """
        deadline = self._clock() + timeout_s
        settled = []
        for intent in self._journal.unsettled():
            if intent.state is State.OPEN:
                with suppress(TransactionFailed, NotSent):
                    settled.append(await self._settle(intent, deadline, False))
        return settled

    async def run(self) -> None:
        """Tends for ever; an unreachable chain is waited for."""
        while True:
            # Whatever it was, the journal still holds the intents: the next round asks again.
            with suppress(ChainError):
                await self.tend()
            await self._sleep(self._poll_s)

    async def _begin(
        self, recipient: str, data: bytes, value: int, label: str, purpose: str | None, gas: int | None,
        deadline: float,
    ) -> Intent | None:  # fmt: skip
        """Simulates, signs, journals, broadcasts. None where it must be tried again: the base fee was too
        high."""
        async with self._lock:
            if purpose and (there := self._journal.for_purpose(purpose)):
                return there
            waiting = any(i.state is State.OPEN for i in self._journal.unsettled())
            limit = await self._gas(label, recipient, data, value, waiting)
            self._on_step(Step.SIMULATED, None)
            base_fee, tip = await self._account.prices(self._policy)
            fees = self._policy.first(base_fee, tip)
            if fees is not None:
                nonce = self._journal.next_nonce(
                    max(await self._account.count("latest"), await self._account.count("pending"))
                )
                attempt = self._sign(nonce, recipient, data, value, gas or limit, fees)
                intent = self._journal.add(
                    label, purpose, recipient, data, value, gas or limit, nonce, attempt
                )
                self._on_step(Step.JOURNALLED, intent)
                return await self._offer_first(intent, attempt)
        if self._clock() >= deadline:
            raise FeeAboveCeiling(base_fee, self._policy.ceiling)
        await self._sleep(self._poll_s)
        return None

    async def _gas(self, label: str, recipient: str, data: bytes, value: int, waiting: bool) -> int:
        """Gas limit that does for the state with and without what waits before it."""
        limit = await self._account.simulate(
            label, recipient, data, value, "pending" if waiting else "latest"
        )
        if waiting:
            with suppress(Reverted):  # It may need what waits.
                limit = max(limit, await self._account.simulate(label, recipient, data, value, "latest"))
        return limit

    def _sign(
        self, nonce: int, recipient: str, data: bytes, value: int, gas: int, fees: Fees, cancels: bool = False
    ) -> Attempt:
        transaction: dict[str, Any] = {
            "type": 2, "chainId": self._chain.chain_id, "nonce": nonce, "to": recipient, "data": data,
            "value": value, "gas": gas, "maxFeePerGas": fees.cap, "maxPriorityFeePerGas": fees.tip,
        }  # fmt: skip
        raw, transaction_hash = self._key.sign_transaction(transaction)
        return Attempt(transaction_hash, raw, fees, cancels, self._clock())

    async def _offer_first(self, intent: Intent, attempt: Attempt) -> Intent:
        try:
            refusal = await self._offer(intent, attempt)
        except RpcError as error:
            # No node took it and no attempt came before: the nonce is free again.
            intent = self._journal.mark(intent, State.FAILED, error.message[:500])
            self._on_step(Step.FAILED, intent)
            if classify(error.message) is Refusal.FUNDS:
                raise InsufficientFunds(self.address, error.message) from None
            raise NotSent(f"{intent.label}: no node takes it: {error.message[:300]}") from None
        if refusal is None:
            self._on_step(Step.BROADCAST, intent)
        return intent

    async def _offer(self, intent: Intent, attempt: Attempt) -> Refusal | None:
        """Broadcasts; None when a node has it now. Raises RpcError for a refusal that waiting does not
        change."""
        try:
            await self._chain.pool.broadcast(attempt.raw)
        except UnreachableChain:
            return Refusal.BUSY  # Perhaps taken; tending will see.
        except RpcError as error:
            refusal = classify(error.message)
            if refusal is Refusal.ALREADY_KNOWN:
                return None
            if refusal in (Refusal.FUNDS, Refusal.REFUSED):
                raise
            if refusal is Refusal.UNDERPRICED:
                self._underpriced.add(intent.id)
            return refusal
        return None

    async def _settle(self, intent: Intent, deadline: float, final: bool) -> Receipt:
        while True:
            await self.tend()
            intent = self._journal.get(intent.id)
            if intent.state is State.FAILED:
                raise self._failure(intent)
            if intent.state is State.FINAL or (intent.state is State.MINED and not final):
                if self._is_cancelled(intent):
                    raise NotSent(
                        f"{intent.label}: cancelled, it would have reverted by the time it was mined"
                    )
                if not intent.succeeded:
                    raise await self._reverted(intent)
                return _receipt(intent)
            if self._clock() >= deadline:
                raise NotConfirmed(
                    f"{intent.label}: nonce {intent.nonce} of {self.address} is not mined yet; "
                    "the journal holds on to it"
                )
            await self._sleep(self._poll_s)

    def _failure(self, intent: Intent) -> ChainError:
        if intent.transaction_hash is not None:
            return TransactionFailed(
                intent.label, "0x" + intent.transaction_hash.hex(), intent.reason or "reverted"
            )
        if intent.reason == "nonce taken":
            return NonceTaken(self.address, intent.nonce)
        return NotSent(f"{intent.label}: {intent.reason}")

    async def _reverted(self, intent: Intent) -> TransactionFailed:
        assert intent.block_number is not None and intent.transaction_hash is not None  # noqa: S101
        reason = await self._account.failure(
            intent.label, intent.recipient, intent.data, intent.value, intent.gas, intent.block_number
        )
        return TransactionFailed(intent.label, "0x" + intent.transaction_hash.hex(), reason)

    def _is_cancelled(self, intent: Intent) -> bool:
        return any(a.cancels and a.hash == intent.transaction_hash for a in self._journal.attempts(intent))

    async def tend(self) -> None:
        """One look at everything unsettled: finds blocks, undoes those reorganised away, offers again what
        nodes have dropped, outbids what is stuck, fills gaps. Raises UnreachableChain."""
        async with self._lock:
            unsettled = self._journal.unsettled()
            if not unsettled:
                return
            final = await self._chain.finalised()
            for intent in unsettled:
                if intent.state is State.MINED:
                    await self._follow_mined(intent, final.number)
                else:
                    await self._follow_open(intent, await self._account.count(final))
            await self._fill_gap()

    async def _follow_mined(self, intent: Intent, final_number: int) -> None:
        receipt = await self._find_receipt(intent)
        if receipt is None:
            self._on_step(Step.UNMINED, self._journal.mark(intent, State.OPEN))
            return
        if receipt.block_hash != intent.block_hash:
            intent = self._note_mined(intent, receipt)
        if receipt.block_number > final_number:
            return
        if self._is_cancelled(intent):
            intent = self._journal.mark(intent, State.FAILED, "cancelled: it would have reverted")
        elif not receipt.succeeded:
            intent = self._journal.mark(intent, State.FAILED, (await self._reverted(intent)).args[0])
        else:
            intent = self._journal.mark(intent, State.FINAL)
        self._on_step(Step.FINAL, intent)

    async def _follow_open(self, intent: Intent, final_count: int) -> None:
        if (receipt := await self._find_receipt(intent)) is not None:
            self._on_step(Step.MINED, self._note_mined(intent, receipt))
            return
        if final_count > intent.nonce:
            # Final, and none of ours: no reorg brings it back.
            self._on_step(Step.FAILED, self._journal.mark(intent, State.FAILED, "nonce taken"))
            return
        attempts = self._journal.attempts(intent)
        last = attempts[-1]
        if not await self._account.knows(last.hash):
            await self._reoffer(intent, last)
        if intent.id in self._underpriced or self._clock() - last.signed >= self._policy.stuck_after_s:
            await self._outbid(intent, last)

    async def _find_receipt(self, intent: Intent) -> Receipt | None:
        for attempt in self._journal.attempts(intent):
            receipt = await self._account.receipt(intent.label, attempt.hash)
            if receipt is not None:
                return receipt
        return None

    def _note_mined(self, intent: Intent, receipt: Receipt) -> Intent:
        self._underpriced.discard(intent.id)
        return self._journal.mark_mined(
            intent, receipt.transaction, receipt.block_number, receipt.block_hash, receipt.gas_used,
            receipt.succeeded,
        )  # fmt: skip

    async def _reoffer(self, intent: Intent, attempt: Attempt) -> None:
        try:
            await self._offer(intent, attempt)
        except RpcError:
            # An earlier attempt may still be mined, so the nonce stays taken; outbidding comes next.
            self._underpriced.add(intent.id)
        self._on_step(Step.REOFFERED, intent)

    async def _outbid(self, intent: Intent, last: Attempt) -> None:
        """Replaces a stuck attempt: with a higher offer if the call would still succeed, else with a
        transfer of nothing to oneself. At the ceiling the last offer stands."""
        base_fee, tip = await self._account.prices(self._policy)
        fees = self._policy.bump(last.fees, base_fee, tip)
        if fees is None:
            return
        cancels = last.cancels or await self._would_revert(intent)
        attempt = (
            self._sign(intent.nonce, self.address, b"", 0, PLAIN_TRANSFER_GAS, fees, cancels=True)
            if cancels
            else self._sign(intent.nonce, intent.recipient, intent.data, intent.value, intent.gas, fees)
        )
        self._journal.add_attempt(intent, attempt)
        self._on_step(Step.OUTBID_JOURNALLED, intent)
        self._underpriced.discard(intent.id)
        try:
            await self._offer(intent, attempt)
        except RpcError:
            self._underpriced.add(intent.id)
        self._on_step(Step.OUTBID_BROADCAST, intent)

    async def _would_revert(self, intent: Intent) -> bool:
        if await self._account.count("latest") != intent.nonce:
            return (
                False  # It stands behind others of ours, whose effects no simulation on the latest block has.
            )
        try:
            await self._account.simulate(intent.label, intent.recipient, intent.data, intent.value, "latest")
        except Reverted:
            return True
        return False

    async def _fill_gap(self) -> None:
        """A nonce that was given back, or lost with an old journal, holds up all later ones: spend it on
        nothing."""
        unsettled = self._journal.unsettled()
        waiting = [i.nonce for i in unsettled if i.state is State.OPEN]
        if not waiting:
            return
        nonce = max(await self._account.count("latest"), await self._account.count("pending"))
        if nonce >= min(waiting) or nonce in {i.nonce for i in unsettled}:
            return
        base_fee, tip = await self._account.prices(self._policy)
        fees = self._policy.first(base_fee, tip)
        if fees is None:
            return
        attempt = self._sign(nonce, self.address, b"", 0, PLAIN_TRANSFER_GAS, fees)
        intent = self._journal.add("gap", None, self.address, b"", 0, PLAIN_TRANSFER_GAS, nonce, attempt)
        self._on_step(Step.JOURNALLED, intent)
        await self._offer_first(intent, attempt)


def _receipt(intent: Intent) -> Receipt:
    assert intent.transaction_hash and intent.block_hash  # noqa: S101 - set with the state
    assert intent.block_number is not None and intent.gas_used is not None  # noqa: S101
    return Receipt(
        intent.label, intent.transaction_hash, intent.block_number, intent.block_hash, intent.gas_used,
        bool(intent.succeeded),
    )  # fmt: skip
