"""Asking each sealed device for its rows, then for lanes of its memory probe, and checking them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from assay.proof import openings, sampling
from assay.proof.verification import Verdict
from assay.protocol import seeds
from assay.protocol.keccak import keccak
from assay.protocol.leaves import SealedLeaf
from assay.protocol.messages import Gossip
from assay.protocol.profile import Profile
from assay.protocol.types import Rho, Seed
from assay.validator.context import EpochContext
from assay.validator.devices.opening_checks import OpeningChecker
from assay.validator.errors import DeviceFailure
from assay.validator.phases.memory_checks import MemoryChecks
from assay.validator.phases.shared_openings import SharedOpenings
from assay.validator.ports import Clock, Devices, Statements
from assay.validator.rules.observations import OpeningOutcome
from assay.validator.rules.seals import check_line
from assay.validator.rules.values import EpochDevice, RuleError
from assay.validator.storage.store import Store, StoredVerdict
from assay.wire import canonical
from assay.wire.measurement import OPENINGS_REQUEST, OpeningRequest, RowsContent

RETRY_S = 0.4
CONCURRENCY = 16  # devices whose openings are in memory
MIN_TURN_S = 2.0  # for one device before the next is asked
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Subject:
    """A sealed device under check."""

    leaf: SealedLeaf
    device: EpochDevice
    profile: Profile
    seed: Seed
    rho: Rho
    ahead: list[int]  # seats that ask the device before this one


@dataclass(frozen=True)
class Verifying:
    """Each device is asked for the rows that ρ draws, by one seat for all, and by each for rows of its own choice."""

    context: EpochContext
    store: Store
    statements: Statements
    devices: Devices
    checker: OpeningChecker
    shared: SharedOpenings
    memory: MemoryChecks
    clock: Clock
    random: Callable[[int], bytes]

    async def run(self, leaves: Sequence[SealedLeaf], rho: Rho) -> None:
        """Returns with a verdict stored for each sealed device that is this seat's to
        check and that it had time to ask."""
        done = {v.device_id for v in self.store.verdicts(self.context.epoch, rho)}
        slots = asyncio.Semaphore(CONCURRENCY)

        def ahead_of(leaf: SealedLeaf) -> list[int]:
            order = self.shared.fetch_order(leaf.device_id, rho, len(leaves))
            return order[: order.index(self.context.own)] if self.context.own in order else order

        async def one(leaf: SealedLeaf) -> None:
            known = self.context.device_of(leaf.device_id)
            if known is None or leaf.device_id in done or not self.context.checks(leaf.device_id, rho, len(leaves)):
                return
            device, profile = known
            try:
                context = self.context
                check_line(leaf, context.epoch, context.epoch_seed, known, context.domain)
            except RuleError as error:
                # A quorum sealed it all the same; whoever passed it would answer for that.
                verdict = StoredVerdict(leaf.device_id, OpeningOutcome.BAD.value, str(error), None)
                self.store.put_verdict(context.epoch, rho, verdict)
                return
            seed = seeds.device_seed(self.context.epoch_seed, leaf.device_id, profile.id, leaf.nonce_root)
            found = await self._asked(_Subject(leaf, device, profile, seed, rho, ahead_of(leaf)), slots, len(leaves))
            if found is None:
                return  # Never asked: that is this validator's fault, and no word against the device.
            self.store.put_verdict(self.context.epoch, rho, found)
            log.info("verified", device="0x" + leaf.device_id.hex(), outcome=found.outcome, reason=found.reason)

        profiles = {self.context.profile_of(leaf.device_id) for leaf in leaves}
        preparing = (self.checker.prepare(p, self.context.epoch_seed, rho) for p in profiles if p is not None)
        # Openings are on their way while the projections are worked out.
        # First those that this seat asks for all: the others are with their seats by then.
        ordered = sorted(leaves, key=lambda leaf: len(ahead_of(leaf)))
        await asyncio.gather(*preparing, *(one(leaf) for leaf in ordered))

    async def _asked(self, subject: _Subject, slots: asyncio.Semaphore, sealed: int) -> StoredVerdict | None:
        """The verdict on one of so many devices; None where there was no time to ask it.

        A device that stays silent is asked in turns of a limited length: devices that withhold their openings must not
        keep others from being asked.
        """
        closes = self.context.deadlines.batch_by
        turn_s = max(MIN_TURN_S, (closes - self.clock.now()) * CONCURRENCY / (2 * sealed))
        verdict: StoredVerdict | None = None
        while self.clock.now() < closes:
            async with slots:
                if self.clock.now() >= closes:
                    break
                ends = min(closes, self.clock.now() + turn_s)
                verdict, opening = await self._verdict(subject, ends)
                if opening is not None and verdict.outcome == OpeningOutcome.VALID.value:
                    await self.memory.check(subject.leaf, subject.device, subject.profile, subject.rho, opening, ends)
            if verdict.outcome != OpeningOutcome.MISSING.value:
                break
        return verdict

    async def _verdict(self, subject: _Subject, ends: float) -> tuple[StoredVerdict, bytes | None]:
        device_id, profile = subject.leaf.device_id, subject.profile
        sampled = sampling.samples(subject.rho, device_id, profile)
        secret = self._secret_rows(subject)
        public = RowsContent(device_id=device_id, rho=subject.rho)
        hidden = RowsContent(device_id=device_id, rows=tuple(t * profile.M + i for t, i in secret))
        (opening, verified), rows = await asyncio.gather(
            self._sampled_rows(subject, public, sampled, ends), self._ask(subject, hidden, len(secret), ends)
        )
        kept = None
        if opening is not None:
            # Kept whatever it is worth: an opening that fails is what a watcher proves the fault from.
            kept = self.store.put_content(self.context.epoch, "opening", opening)
        if opening is None or rows is None:
            return StoredVerdict(device_id, OpeningOutcome.MISSING.value, "no opening in time", kept), opening
        for what, answer, indices in (("sampled", opening, sampled), ("secret", rows, secret)):
            if answer is verified:
                continue
            verdict = await self._check(subject, answer, indices)
            if not verdict.valid:
                return StoredVerdict(
                    device_id, OpeningOutcome.BAD.value, f"{what} rows: {verdict.reason}", kept
                ), opening
        return StoredVerdict(device_id, OpeningOutcome.VALID.value, "", kept), opening

    async def _sampled_rows(
        self, subject: _Subject, content: RowsContent, sampled: Sequence[tuple[int, int]], ends: float
    ) -> tuple[bytes | None, bytes | None]:
        """(opening, the same where it is verified already): from a seat that asked before this one, or the device."""
        length = openings.length(subject.profile, len(sampled))
        shared = await self.shared.from_peers(subject.leaf.device_id, subject.ahead, length)
        if shared is not None and (await self._check(subject, shared, sampled)).valid:
            return shared, shared
        return await self._ask(subject, content, len(sampled), ends), None

    async def _check(self, subject: _Subject, answer: bytes, indices: Sequence[tuple[int, int]]) -> Verdict:
        return await self.checker.verify(
            subject.profile,
            self.context.epoch_seed,
            subject.rho,
            subject.seed,
            subject.leaf.result_root,
            answer,
            indices,
        )

    def _secret_rows(self, subject: _Subject) -> list[tuple[int, int]]:
        """This validator's own choice, (t, i). The same after a restart: a device
        opens one list for each seat.
        """
        purpose = keccak(b"rows" + subject.leaf.device_id)
        fresh = self.random(32)
        secret = self.store.nonce(self.context.epoch, purpose, subject.rho, fresh)
        return sampling.samples(Rho(secret), subject.leaf.device_id, subject.profile, sampling.SECRET_ROWS)

    async def _ask(self, subject: _Subject, content: RowsContent, count: int, ends: float) -> bytes | None:
        context = self.context
        gossip = Gossip(context.epoch, context.set_id, OPENINGS_REQUEST, canonical.content_hash(content.to_json()))
        request = OpeningRequest(
            epoch=context.epoch,
            set_id=context.set_id,
            seat=self.context.account,
            content=content,
            signature=await self.statements.sign_gossip(gossip),
        )
        body = canonical.encode(request.to_json())
        most = openings.length(subject.profile, count)
        while (left := ends - self.clock.now()) > 0:
            try:
                return await self.devices.opening(subject.device, body, most, left)
            except DeviceFailure as error:
                log.debug("no opening", device="0x" + content.device_id.hex(), error=str(error))
                await self.clock.sleep(RETRY_S)
        return None
