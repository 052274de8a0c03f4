"""Follows journalled transactions until their blocks are final."""

from __future__ import annotations

from contextlib import suppress

from assay.chain.errors import NotSent, Reverted, TransactionFailed
from assay.chain.transactions.intents import Attempt, Intent, SendRequest, State
from assay.chain.transactions.outgoing import Outgoing, SendStep
from assay.chain.transactions.receipts import Receipt

PLAIN_TRANSFER_GAS = 21_000
NONCE_TAKEN = "nonce taken"


class Following:
    """One look after the other at everything unsettled."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._out = outgoing
        self._account, self._journal = outgoing.account, outgoing.journal
        self._missing: set[int] = set()  # intents whose nonce was used by a transaction that no node has shown yet

    async def look(self) -> None:
        """Finds blocks, undoes those reorganised away, offers again what nodes have dropped, outbids what
        is stuck, fills gaps. Raises ChainError; what it did until then stays done."""
        unsettled = self._journal.unsettled()
        if not unsettled:
            return
        final = await self._out.chain.finalised()
        final_count = await self._account.count(final)
        for intent in unsettled:
            if intent.state is State.MINED:
                await self._follow_mined(intent, final.number)
            else:
                await self._follow_open(intent, final_count)
        await self._fill_gap()

    async def revived(self, purpose: str) -> Intent | None:
        """An intent for the purpose that was given up and yet is under way or mined: a node had
        said otherwise. Raises ChainError."""
        for intent in self._journal.given_up(purpose):
            for attempt in self._journal.attempts(intent):
                if not attempt.cancels and await self._account.knows(attempt.hash):
                    return self._journal.mark(intent, State.OPEN)
        return None

    def is_cancelled(self, intent: Intent) -> bool:
        """Whether what was mined is the transfer of nothing that took the call's place."""
        return any(a.cancels and a.hash == intent.transaction_hash for a in self._journal.attempts(intent))

    async def failure_of(self, intent: Intent) -> TransactionFailed:
        """Why a mined intent reverted."""
        assert intent.block_number is not None and intent.transaction_hash is not None  # noqa: S101
        reason = await self._account.failure(intent.request, intent.block_number)
        return TransactionFailed(intent.label, "0x" + intent.transaction_hash.hex(), reason)

    async def _follow_mined(self, intent: Intent, final_number: int) -> None:
        receipt = await self._find_receipt(intent)
        if receipt is None:
            self._out.on_step(SendStep.UNMINED, self._journal.mark(intent, State.OPEN))
            return
        if receipt.block_hash != intent.block_hash:
            intent = self._note_mined(intent, receipt)
        if receipt.block_number > final_number:
            return
        if self.is_cancelled(intent):
            intent = self._journal.mark(intent, State.FAILED, "cancelled: it would have reverted")
        elif not receipt.succeeded:
            intent = self._journal.mark(intent, State.FAILED, (await self.failure_of(intent)).reason)
        else:
            intent = self._journal.mark(intent, State.FINAL)
        self._out.on_step(SendStep.FINAL, intent)

    async def _follow_open(self, intent: Intent, final_count: int) -> None:
        if (receipt := await self._find_receipt(intent)) is not None:
            self._out.on_step(SendStep.MINED, self._note_mined(intent, receipt))
            return
        if final_count > intent.nonce:
            # Final, and none of ours: no reorg brings it back. Believed at the second look: the endpoint asked for the
            # receipt may be behind the one that counted, and a node counts a block before it can show it.
            if intent.id in self._missing:
                self._out.on_step(SendStep.FAILED, self._journal.mark(intent, State.FAILED, NONCE_TAKEN))
            self._missing ^= {intent.id}
            return
        last = self._journal.attempts(intent)[-1]
        if not await self._account.knows(last.hash):
            await self._offer_again(intent, last)
            self._out.on_step(SendStep.REOFFERED, intent)
        # A clock that was set back tells nothing of how long it has waited: better outbid once too often.
        patient = 0 <= self._out.clock() - last.signed < self._out.policy.stuck_after_s
        if intent.id in self._out.underpriced or not patient:
            await self._outbid(intent, last)

    async def _find_receipt(self, intent: Intent) -> Receipt | None:
        for attempt in self._journal.attempts(intent):
            receipt = await self._account.receipt(intent.label, attempt.hash)
            if receipt is not None:
                return receipt
        return None

    def _note_mined(self, intent: Intent, receipt: Receipt) -> Intent:
        self._out.underpriced.discard(intent.id)
        self._missing.discard(intent.id)
        return self._journal.mark_mined(intent, receipt)

    async def _offer_again(self, intent: Intent, attempt: Attempt) -> None:
        # Whatever is said of it, an earlier attempt may still be mined, so the nonce stays taken. Where the account
        # cannot pay for the last, an earlier one that nodes have dropped is better than none.
        for one in [attempt, *(a for a in reversed(self._journal.attempts(intent)) if a.hash != attempt.hash)]:
            refused = await self._out.offer(intent, one)
            if refused is None or not refused.why.final:
                return

    async def _outbid(self, intent: Intent, last: Attempt) -> None:
        """Replaces a stuck attempt: with a higher offer if the call would still succeed, else with a
        transfer of nothing to oneself. At the ceiling the last offer stands."""
        base_fee, tip = await self._account.prices(self._out.policy)
        fees = self._out.policy.bump(last.fees, base_fee, tip, asked=intent.id in self._out.underpriced)
        if fees is None:
            return
        cancels = last.cancels or await self._would_revert(intent)
        request = self._nothing(intent.label) if cancels else intent.request
        attempt = await self._out.sign(intent.nonce, request, fees, cancels=cancels)
        self._journal.add_attempt(intent, attempt)
        self._out.on_step(SendStep.OUTBID_JOURNALLED, intent)
        self._out.underpriced.discard(intent.id)
        await self._offer_again(intent, attempt)
        self._out.on_step(SendStep.OUTBID_BROADCAST, intent)

    async def _would_revert(self, intent: Intent) -> bool:
        # Behind others of ours, a simulation on the latest block would miss their effects.
        if await self._account.count("latest") != intent.nonce:
            return False
        try:
            await self._account.simulate(intent.request, "latest")
        except Reverted:
            return True
        return False

    async def _fill_gap(self) -> None:
        """A nonce that was given back, or lost with an old journal, holds up all
        later ones: spend it on nothing."""
        unsettled = self._journal.unsettled()
        waiting = [i.nonce for i in unsettled if i.state is State.OPEN]
        if not waiting:
            return
        nonce = await self._out.chain_nonce()
        if nonce >= min(waiting) or nonce in {i.nonce for i in unsettled}:
            return
        fees = self._out.policy.first(*await self._account.prices(self._out.policy))
        if fees is not None:
            with suppress(NotSent):
                await self._out.begin(self._nothing("gap"), nonce, fees)

    def _nothing(self, label: str) -> SendRequest:
        return SendRequest(label, self._out.address, b"", 0, PLAIN_TRANSFER_GAS)
