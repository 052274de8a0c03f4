"""From a pending lease to a running one: the handover of all devices at one instant, its check
on this machine, the signed start."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.chain.contracts.devices import Device
from assay.chain.contracts.epochs import read_epoch_state
from assay.chain.contracts.leases import Lease, LeaseStatus, read_lease
from assay.chain.contracts.profiles import read_profile
from assay.chain.rpc.client import Chain
from assay.protocol.leases import result_roots
from assay.protocol.messages import Handover, LeaseStart
from assay.protocol.signing import Domain
from assay.protocol.types import Seed
from assay.renter.errors import BadInput, ProofRejected, Unreachable
from assay.renter.lease.handover import Expected, check_opening, check_signed, opening_length, signed_handover
from assay.renter.lease.lease_offers import OpenedOffers, stands_for
from assay.renter.lease.steps import StepName, Steps
from assay.renter.session.provider_session import ProviderSession

POLL_S = 0.3
KNOWN_PATIENCE_S = 60.0
START_VALID_S = 600
OPENING_TIMEOUT_S = 120.0
FRESH_EPOCHS = 2  # a handover on an older epoch's seed is refused: its work could be old
SHOWN_EPOCH = 20


@dataclass(frozen=True)
class HandoverResult:
    """Handover proofs that convinced. `roots` in the order of the offer's devices; `proof_ms` is when the last device
    had answered, from the one instant at which all were asked; `score_gops` is the least of them."""

    lease_id: int
    roots: tuple[bytes, ...]
    epoch: int
    proof_ms: float
    verify_ms: float
    score_gops: int

    @property
    def result_roots(self) -> bytes:
        """What the start is signed over."""
        return result_roots(self.roots)


@dataclass(frozen=True)
class Answered:
    """One device's answer to the nonce and when it had come, in seconds from the instant at which all were asked."""

    answer: dict[str, Any]
    seconds: float


class LeaseStarter:
    """Starts leases of one wallet; `sign` signs with its key. `monotonic` gives seconds, only differences count."""

    def __init__(
        self,
        chain: Chain,
        domain: Domain,
        offers: OpenedOffers,
        sign: Callable[[LeaseStart], bytes],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain = chain
        self._domain = domain
        self._offers = offers
        self._sign = sign
        self._clock = clock
        self._sleep = sleep
        self._monotonic = monotonic

    async def convinced(self, lease: Lease) -> bool:
        """Whether the lease's proofs were verified here before."""
        return bool((await self._offers.file_of(lease)).roots)

    async def handover(
        self, lease: Lease, devices: Sequence[Device], session: ProviderSession, steps: Steps
    ) -> HandoverResult:
        """Has all devices of a lease, in its offer's order, prove themselves at once and verifies them here.

        Each must answer within the deadline of its class by the clock here, counted from the one instant at which all
        were asked: n cards, not one in turn. Raises ProofRejected, and then no money has flowed: cancel the lease to
        have it all back.
        """
        if lease.status is not LeaseStatus.PENDING:
            raise BadInput(f"lease {lease.lease_id} is {lease.status.name.lower()}: a handover comes before its start")
        kept = await self._offers.file_of(lease)
        if kept.asked_at is not None:
            raise ProofRejected(
                f"the handover of lease {lease.lease_id} was begun before and broke off: its devices have known the "
                f"nonce for {self._clock() - kept.asked_at:.0f} s, so that one card could answer for all by now; "
                f"`assay end {lease.lease_id}` pays the deposit back, then rent again"
            )
        profiles = await asyncio.gather(*(read_profile(self._chain, device.profile_id) for device in devices))
        x = secrets.token_bytes(32)
        asked = [
            Expected(lease.lease_id, device, profile, Seed(b""), x)
            for device, profile in zip(devices, profiles, strict=True)
        ]
        # A nonce that reached a provider which does not serve the lease yet would be time to work given away.
        await self.until_known(session, lease.lease_id)
        kept = replace(kept, asked_at=self._clock())
        self._offers.note(kept)
        answers = await self._asked_at_once(session, asked)
        last = max(answer.seconds for answer in answers)
        score = min(one.profile.score_gops(max(int(last * 1_000_000), 1)) for one in asked)
        steps.take(StepName.proof, f"{_proved(asked)} in {last * 1000:.0f} ms ({score} gops)")
        epochs = [await self._fresh_epoch(answer.answer) for answer in answers]
        expected = [replace(one, epoch_seed=seed) for one, (_, seed) in zip(asked, epochs, strict=True)]
        messages = [self._signed(answer.answer, one) for answer, one in zip(answers, expected, strict=True)]
        verify_ms = await self._verified(session, messages, expected)
        roots = tuple(message.result_root for message in messages)
        self._offers.note(replace(kept, roots=roots, score_gops=score))
        rows = sum(one.profile.k for one in expected)
        steps.take(StepName.verified, f"{rows} rows of our choice verified here in {verify_ms:.0f} ms")
        return HandoverResult(lease.lease_id, roots, epochs[0][0], last * 1000, verify_ms, score)

    async def start(self, lease: Lease, session: ProviderSession, steps: Steps) -> dict[str, Any]:
        """Signs the start of a lease whose handover convinced, and gives it to the provider to submit.

        Nothing is signed but for the offer that the lease was opened on: raises ProofRejected where no handover of this
        very lease was verified here.
        """
        kept = await self._offers.file_of(lease)
        if not kept.roots or not stands_for(kept.offer, lease):
            raise ProofRejected(f"no handover proof of lease {lease.lease_id} was verified here")
        message = LeaseStart(
            lease.lease_id, kept.offer.struct_hash(), result_roots(kept.roots), int(self._clock()) + START_VALID_S
        )
        started = await session.start(message.result_roots, message.valid_until, self._sign(message))
        steps.take(StepName.start, "the provider has submitted the start: money streams by the second")
        await self._until_final(lease.lease_id)
        steps.take(StepName.final, f"lease {lease.lease_id} runs")
        return started

    async def _asked_at_once(self, session: ProviderSession, asked: Sequence[Expected]) -> list[Answered]:
        """Every device's answer. Raises ProofRejected naming those that were late, Unreachable for one that cannot be
        reached, ProviderRefused."""
        began = self._monotonic()
        found = await asyncio.gather(*(self._ask(session, one, began) for one in asked), return_exceptions=True)
        late = [
            f"{one.name} ({'no answer' if isinstance(answer, TimeoutError) else f'{answer.seconds:.2f} s'}, "
            f"its class takes at most {one.deadline_s:.2f} s)"
            for one, answer in zip(asked, found, strict=True)
            if isinstance(answer, TimeoutError) or (isinstance(answer, Answered) and answer.seconds > one.deadline_s)
        ]
        for answer in found:
            if isinstance(answer, BaseException) and not isinstance(answer, TimeoutError):
                raise answer
        if late:
            raise ProofRejected(f"late in the handover: {', '.join(late)}")
        return [answer for answer in found if isinstance(answer, Answered)]

    async def _ask(self, session: ProviderSession, one: Expected, began: float) -> Answered:
        """One device's answer. A connection that fails is tried again, on the same clock. Raises TimeoutError once the
        deadline of its class is over."""
        while (left := one.deadline_s - (self._monotonic() - began)) > 0:
            try:
                answer = await session.handover(one.device.device_id, one.nonce, left)
                return Answered(answer, self._monotonic() - began)
            except Unreachable:
                await self._sleep(min(POLL_S, left))
        raise TimeoutError

    def _signed(self, answer: dict[str, Any], expected: Expected) -> Handover:
        message, signature = signed_handover(answer)
        check_signed(message, signature, expected, self._domain)
        return message

    async def _verified(
        self, session: ProviderSession, messages: Sequence[Handover], expected: Sequence[Expected]
    ) -> float:
        """Reveals x to all devices and verifies what they open; the milliseconds that takes. Raises ProofRejected."""
        openings = await asyncio.gather(
            *(
                session.handover_opening(one.device.device_id, one.x, opening_length(one), OPENING_TIMEOUT_S)
                for one in expected
            )
        )
        began = self._monotonic()
        # One after another: each uses all processors.
        for message, opening, one in zip(messages, openings, expected, strict=True):
            await asyncio.to_thread(check_opening, message.result_root, opening, one)
        return (self._monotonic() - began) * 1000

    async def until_known(self, session: ProviderSession, lease_id: int) -> None:
        """Waits until the provider knows the lease, which it follows at final blocks only.
        Raises Unreachable, ProviderRefused."""
        until = self._clock() + KNOWN_PATIENCE_S
        while not await session.ready():
            if self._clock() > until:
                raise Unreachable(
                    f"{session.endpoint}: does not know lease {lease_id} after {KNOWN_PATIENCE_S:.0f} s; "
                    f"`assay rent --lease {lease_id}` tries again, `assay end {lease_id}` pays the deposit back"
                )
            await self._sleep(POLL_S)

    async def _until_final(self, lease_id: int) -> None:
        """Waits until the lease is active at a final block: a provider runs jobs for no other.

        Raises Unreachable where that takes longer than the start was valid for.
        """
        deadline = self._clock() + START_VALID_S
        while self._clock() < deadline:
            block = await self._chain.finalised()
            lease = await read_lease(self._chain, lease_id, at=block)
            if lease.status is not LeaseStatus.PENDING and lease.status is not LeaseStatus.NONE:
                return
            await self._sleep(POLL_S)
        raise Unreachable(f"the start of lease {lease_id} is not final after {START_VALID_S} s; try again later")

    async def _fresh_epoch(self, answer: dict[str, Any]) -> tuple[int, Seed]:
        """The epoch that the provider proved in and its seed, both as the chain has them."""
        epoch = answer.get("epoch")
        current = int(await self._chain.call("EpochOracle", "currentEpoch", at="latest"))
        if isinstance(epoch, bool) or not isinstance(epoch, int) or not 0 <= current - epoch <= FRESH_EPOCHS:
            raise ProofRejected(
                f"the handover stands on epoch {str(epoch)[:SHOWN_EPOCH]}, the current one is {current}"
            )
        state = await read_epoch_state(self._chain, epoch, "latest")
        if not state.opened_at:
            raise ProofRejected(f"the handover stands on epoch {epoch}, which was never opened")
        return epoch, state.epoch_seed


def _proved(asked: Sequence[Expected]) -> str:
    return "the device proved itself" if len(asked) == 1 else f"all {len(asked)} devices proved themselves"
