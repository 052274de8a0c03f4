"""One sender a key: every transaction is journalled before it leaves, and
followed until its block is final.

The order of steps is what a crash may interrupt anywhere: simulate, sign, journal, broadcast, mined, final.
After a restart the journal says which transactions to look for; they are offered again, never signed anew
with the same nonce unless to outbid them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from assay.chain.errors import (
    ChainError,
    FeeAboveCeiling,
    NonceTaken,
    NotConfirmed,
    NotSent,
    Reverted,
    TransactionFailed,
)
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.following import NONCE_TAKEN, Following
from assay.chain.transactions.intents import FeePolicy, Intent, SendRequest, State
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.outgoing import Outgoing, SendStep, TransactionSigner
from assay.chain.transactions.receipts import Receipt

__all__ = ["SendStep", "Sender"]


class Sender:
    """Sends calls from one key. Call `tend` often or keep `run` going; `send` does so while it waits.

    `on_step` is told of every step, with the intent where there is one; `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        chain: Chain,
        key: TransactionSigner,
        journal: Journal,
        *,
        policy: FeePolicy | None = None,
        poll_s: float = 0.5,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_step: Callable[[SendStep, Intent | None], None] = lambda step, intent: None,
    ) -> None:
        self.address = key.address
        self._chain, self._journal = chain, journal
        self._out = Outgoing(chain, key, journal, policy or FeePolicy(), clock, on_step)
        self._following = Following(self._out)
        self._poll_s, self._clock, self._sleep = poll_s, clock, sleep
        self._lock = asyncio.Lock()

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

        `purpose` names what must happen once: a second call for it, after a crash too, joins the first.
        `gas` overrides the estimate. Raises Reverted, InsufficientFunds, FeeAboveCeiling and
        UnreachableChain when nothing was sent; TransactionFailed when it was mined and reverted;
        NonceTaken; NotConfirmed when the time is over: the journal holds on to it.
        """
        return await self.send_raw(
            self._chain.deployment.address(call.contract),
            self._chain.encode(call),
            call.value,
            label=label or str(call),
            purpose=purpose,
            gas=gas,
            timeout_s=timeout_s,
            final=final,
        )

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
        request = SendRequest(label, recipient, data, value, gas or 0, purpose)
        intent = self._journal.for_purpose(purpose) if purpose else None
        while intent is None:
            intent = await self._begin(request, deadline)
        return await self._settle(intent, deadline, final)

    async def settle_all(self, timeout_s: float = 180.0) -> list[Receipt]:
        """Waits for everything the journal holds open: after a restart, before anything new.

        Receipts of what succeeded; what failed is in the journal with its reason. Raises NotConfirmed.
        """
        deadline = self._clock() + timeout_s
        settled = []
        for intent in self._journal.unsettled():
            if intent.state is State.OPEN:
                with suppress(TransactionFailed, NotSent):
                    settled.append(await self._settle(intent, deadline, False))
        return settled

    async def tend(self) -> None:
        """One look at everything unsettled, as `Following.look`. Raises ChainError."""
        async with self._lock:
            await self._following.look()

    async def run(self) -> None:
        """Tends for ever; an unreachable chain is waited for."""
        while True:
            # Whatever it was, the journal still holds the intents: the next round asks again.
            with suppress(ChainError):
                await self.tend()
            await self._sleep(self._poll_s)

    async def _begin(self, request: SendRequest, deadline: float) -> Intent | None:
        """Simulates, signs, journals, broadcasts. None where it must be tried
        again: the base fee was too high."""
        async with self._lock:
            if request.purpose and (there := self._journal.for_purpose(request.purpose)):
                return there
            if request.purpose and (there := await self._following.revived(request.purpose)):
                return there
            limit = await self._gas(request)
            self._out.on_step(SendStep.SIMULATED, None)
            base_fee, tip = await self._out.account.prices(self._out.policy)
            fees = self._out.policy.first(base_fee, tip)
            if fees is not None:
                nonce = self._journal.next_nonce(await self._out.chain_nonce())
                return await self._out.begin(replace(request, gas=request.gas or limit), nonce, fees)
        if self._clock() >= deadline:
            raise FeeAboveCeiling(base_fee, self._out.policy.ceiling)
        await self._sleep(self._poll_s)
        return None

    async def _gas(self, request: SendRequest) -> int:
        """Gas limit that does for the state with and without what waits before it."""
        if not any(i.state is State.OPEN for i in self._journal.unsettled()):
            return await self._out.account.simulate(request, "latest")
        limit = await self._out.account.simulate(request, "pending")
        with suppress(Reverted):  # It may need what waits.
            limit = max(limit, await self._out.account.simulate(request, "latest"))
        return limit

    async def _settle(self, intent: Intent, deadline: float, final: bool) -> Receipt:
        """Waits through the chain's troubles: what is journalled is not lost by them."""
        while True:
            trouble = ""
            try:
                await self.tend()
            except ChainError as error:
                trouble = f" ({error})"
            intent = self._journal.get(intent.id)
            if intent.state is State.FAILED:
                raise self._failure(intent)
            if intent.state is State.FINAL or (intent.state is State.MINED and not final):
                return await self._outcome(intent)
            if self._clock() >= deadline:
                raise NotConfirmed(
                    f"{intent.label}: nonce {intent.nonce} of {self.address} is not mined yet; "
                    f"the journal holds on to it{trouble}"
                )
            await self._sleep(self._poll_s)

    async def _outcome(self, intent: Intent) -> Receipt:
        if self._following.is_cancelled(intent):
            raise NotSent(f"{intent.label}: cancelled, it would have reverted by the time it was mined")
        if not intent.succeeded:
            raise await self._following.failure_of(intent)
        return intent.receipt()

    def _failure(self, intent: Intent) -> ChainError:
        if intent.transaction_hash is not None and not self._following.is_cancelled(intent):
            transaction = "0x" + intent.transaction_hash.hex()
            return TransactionFailed(intent.label, transaction, intent.reason or "reverted")
        if intent.reason == NONCE_TAKEN:
            return NonceTaken(self.address, intent.nonce)
        return NotSent(f"{intent.label}: {intent.reason}")
