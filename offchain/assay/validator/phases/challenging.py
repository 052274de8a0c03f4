"""Challenging all idle devices at one instant and collecting what they commit to; at a second one, after the work's
deadline, the probe of their memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from assay.daemon.ending import end_tasks
from assay.protocol.messages import Challenge
from assay.signing.errors import SigningError
from assay.validator.context import EpochContext
from assay.validator.errors import DeviceFailure
from assay.validator.phases.instants import Begun, Instants, Meeting
from assay.validator.phases.probing import ProbeAnswer, Probing
from assay.validator.phases.stopwatch import Stopwatch
from assay.validator.ports import Clock, Devices, Statements
from assay.validator.rules.commitments import check_commitment
from assay.validator.rules.values import EpochDevice
from assay.validator.storage.record import EpochRecord
from assay.validator.storage.store import Store
from assay.validator.wake import Wake
from assay.wire import canonical
from assay.wire.gossip import Purpose
from assay.wire.measurement import SignedChallenge, SignedCommitment

RETRY_S = 0.25
log = structlog.get_logger()


@dataclass(frozen=True)
class Challenging:
    """A device is asked until it answers or commitments close; its clock starts when the request leaves."""

    context: EpochContext
    record: EpochRecord
    instants: Instants
    probing: Probing
    statements: Statements
    devices: Devices
    store: Store
    clock: Clock
    wake: Wake
    random: Callable[[int], bytes]

    async def run(self) -> None:
        """Returns when every idle device has answered or commitments close."""
        if self.record.inventory_at is not None or not self.context.idle:
            return
        begun = await self.instants.agree(Meeting(Purpose.WORK, self.context.leader(0), self.clock.now()))
        if begun is None:
            log.warning("no instant", epoch=self.context.epoch)
            return
        probe = asyncio.create_task(self._probe(begun))
        tasks = [asyncio.create_task(self._measure(device, begun, probe)) for device in self.context.idle]
        pending = set(tasks)

        def ended(task: asyncio.Task[ProbeAnswer | None]) -> None:
            pending.discard(task)
            if not pending:
                self.wake.notify()

        for task in tasks:
            task.add_done_callback(ended)
        try:
            await self.wake.until(lambda: not pending, self.context.deadlines.commit_by)
        finally:
            for waiting in (begun, probe, *tasks):
                waiting.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            _, walked = await asyncio.gather(begun, probe, return_exceptions=True)
            if isinstance(walked, asyncio.Task):
                await end_tasks([walked])
        for answer in answers:
            if isinstance(answer, Exception):
                log.error("a device was not measured because of an error here", error=repr(answer)[:300])
        await self.probing.take([answer for answer in answers if isinstance(answer, ProbeAnswer)])
        log.info(
            "commitments collected",
            held=len(self.record.committed()),
            probes=sum(1 for evidence in self.record.evidence.values() if evidence.lanes is not None),
            idle=len(self.context.idle),
        )
        failed = [a for a in answers if isinstance(a, Exception)]
        if failed:
            raise failed[0]

    async def _probe(self, begun: Begun) -> Begun | None:
        return await self.probing.agree(await asyncio.shield(begun))

    async def _measure(
        self, device: EpochDevice, begun: Begun, probe: asyncio.Task[Begun | None]
    ) -> ProbeAnswer | None:
        try:
            if self.record.evidence[device.device_id].commitment is None:
                await self._challenge(device, begun)
            second = await asyncio.shield(probe)
            return None if second is None else await self.probing.ask(device, second)
        except SigningError as error:
            log.warning("device not measured", device=_name(device), reason=str(error))
            return None

    async def _challenge(self, device: EpochDevice, begun: Begun) -> None:
        context = self.context
        fresh = self.random(32)
        nonce = self.store.nonce(context.epoch, device.device_id, context.epoch_seed, fresh)
        challenge = Challenge(context.epoch, context.epoch_seed, device.device_id, self.context.account, nonce)
        signature = await self.statements.sign_challenge(challenge)
        body = canonical.encode(SignedChallenge.of(challenge, signature).to_json())
        # All are ready before any leaves: signing for many devices takes longer than telling them.
        await asyncio.shield(begun)
        watch = Stopwatch(self.clock)
        while (left := context.deadlines.commit_by - self.clock.now()) > 0:
            try:
                answer = await self.devices.challenge(device, body, left, watch.start)
            except DeviceFailure as error:
                log.debug("challenge unanswered", device=_name(device), error=str(error))
                await self.clock.sleep(RETRY_S)
                continue
            # An older nonce is one from before a crash: when its clock started is not known any more.
            elapsed_us = watch.elapsed_us() if nonce == fresh else 0
            # Of answers that come together, all are timed before the first is checked.
            await asyncio.sleep(0)
            self._take(device, answer, elapsed_us)
            return

    def _take(self, device: EpochDevice, answer: bytes, elapsed_us: int) -> None:
        context = self.context
        try:
            body = SignedCommitment.parse(answer)
            profile = context.profiles[device.profile]
            check_commitment(
                body,
                context.epoch,
                context.epoch_seed,
                device,
                profile,
                context.seats,
                context.domain,
            )
        except ValueError as error:
            log.warning("commitment refused", device=_name(device), reason=str(error)[:300])
            return
        self.record.add_commitment(body, elapsed_us)
        self.wake.notify()
        log.info("commitment", device=_name(device), elapsed_us=elapsed_us, nonces=len(body.challenges))


def _name(device: EpochDevice) -> str:
    return "0x" + device.device_id.hex()
