"""From a pending lease to a running one: the handover proof, its check on this machine, the signed start."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from assay.chain.client import Chain
from assay.chain.devices import Device
from assay.chain.epochs import read_epoch_state
from assay.chain.leases import Lease, LeaseStatus, read_lease
from assay.chain.profiles import read_profile
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.messages import LeaseStart
from assay.protocol.signing import Domain
from assay.renter.errors import BadInput, ProofRejected, ProviderRefused, Unreachable
from assay.renter.handover import Expected, check_opening, check_signed, opening_length, signed_handover
from assay.renter.lease_files import LeaseFile, LeaseFiles
from assay.renter.provider_session import ProviderSession
from assay.renter.steps import StepName, Steps

FINAL_POLL_S = 0.3
UNKNOWN_POLL_S = 0.25
UNKNOWN_PATIENCE_S = 60.0
START_VALID_S = 600
HANDOVER_TIMEOUT_S = 120.0
FRESH_EPOCHS = 2  # a handover on an older epoch's seed is refused: its work could be old
SHOWN_EPOCH = 20


@dataclass(frozen=True)
class HandoverResult:
    """A handover proof that convinced. Times in milliseconds, as measured from here."""

    lease_id: int
    result_root: bytes
    epoch: int
    proof_ms: float
    verify_ms: float
    score_gops: int


class LeaseStarter:
    """Starts leases of one wallet; `sign` signs with its key."""

    def __init__(
        self,
        chain: Chain,
        domain: Domain,
        files: LeaseFiles,
        sign: Callable[[LeaseStart], bytes],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._chain = chain
        self._domain = domain
        self._files = files
        self._sign = sign
        self._clock = clock
        self._sleep = sleep

    async def handover(self, lease: Lease, device: Device, session: ProviderSession, steps: Steps) -> HandoverResult:
        """Has the device prove itself for this lease and verifies it here. Raises ProofRejected, and then no
        money has flowed: cancel the lease to have it all back."""
        if lease.status is not LeaseStatus.PENDING:
            raise BadInput(f"lease {lease.lease_id} is {lease.status.name.lower()}: a handover comes before its start")
        profile = await read_profile(self._chain, device.profile_id)
        kept = self._files.read(lease.lease_id) or LeaseFile(lease.lease_id, to_hex(secrets.token_bytes(32)))
        self._files.write(kept)
        x = parse_bytes32(kept.x, "x")
        known = Expected(lease.lease_id, device, profile, b"", x)
        # The provider may follow final blocks that have not yet seen the lease.
        answer, proof_ms = await self._while_unknown(lambda: session.handover(known.nonce, HANDOVER_TIMEOUT_S))
        score = profile.score_gops(max(int(proof_ms * 1000), 1))
        steps.take(StepName.proof, f"the device proved itself in {proof_ms:.0f} ms ({score} gops)")
        epoch, seed = await self._fresh_epoch(answer)
        expected = Expected(lease.lease_id, device, profile, seed, x)
        message, signature = signed_handover(answer)
        check_signed(message, signature, expected, self._domain)
        opening = await session.handover_opening(x, opening_length(expected), HANDOVER_TIMEOUT_S)
        started = time.monotonic()
        await asyncio.to_thread(check_opening, message, opening, expected)
        verify_ms = (time.monotonic() - started) * 1000
        self._files.write(LeaseFile(lease.lease_id, kept.x, to_hex(message.result_root)))
        steps.take(StepName.verified, f"{profile.k} rows of our choice verified here in {verify_ms:.0f} ms")
        return HandoverResult(lease.lease_id, message.result_root, epoch, proof_ms, verify_ms, score)

    async def start(self, lease_id: int, session: ProviderSession, steps: Steps) -> dict[str, Any]:
        """Signs the start, now that the handover convinced, and gives it to the provider to submit.

        Raises ProofRejected where no handover of this lease was verified here.
        """
        kept = self._files.read(lease_id)
        if kept is None or kept.verified_root is None:
            raise ProofRejected(f"no handover proof of lease {lease_id} was verified here")
        root = parse_bytes32(kept.verified_root, "resultRoot")
        message = LeaseStart(lease_id, root, int(self._clock()) + START_VALID_S)
        started = await session.start(root, message.valid_until, self._sign(message))
        steps.take(StepName.start, "the provider has submitted the start: money streams by the second")
        await self._until_final(lease_id)
        steps.take(StepName.final, f"lease {lease_id} runs")
        return started

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
            await self._sleep(FINAL_POLL_S)
        raise Unreachable(f"the start of lease {lease_id} is not final after {START_VALID_S} s; try again later")

    async def _fresh_epoch(self, answer: dict[str, Any]) -> tuple[int, bytes]:
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

    async def _while_unknown(self, ask: Callable[[], Awaitable[dict[str, Any]]]) -> tuple[dict[str, Any], float]:
        """(answer, its milliseconds). Asks again while the provider does not know the lease yet, which it follows at
        final blocks only."""
        until = self._clock() + UNKNOWN_PATIENCE_S
        while True:
            asked = time.monotonic()
            try:
                return await ask(), (time.monotonic() - asked) * 1000
            except ProviderRefused as error:
                if error.status != 404 or self._clock() > until:
                    raise
            await self._sleep(UNKNOWN_POLL_S)
