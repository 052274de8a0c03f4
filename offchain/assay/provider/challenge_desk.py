"""Holds challenges open until there are enough of them, has the work done once, and answers all with one
commitment.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from assay.protocol.messages import Commitment
from assay.protocol.seeds import device_seed, nonce_root
from assay.protocol.signing import Domain
from assay.provider.challenge_rules import SignedChallenge, check, readiness
from assay.provider.commitments import CommitmentStore, StoredCommitment
from assay.provider.device import Device
from assay.provider.errors import Conflict, NotFound, Unavailable
from assay.provider.views import Epochs, EpochView

GRACE_S = 0.3
HOLD_S = 60.0
KEPT_EPOCHS = 2

Prove = Callable[[Device, EpochView, bytes], Awaitable[bytes]]
"""Does the work for a device from its first seed (32 bytes) and gives its resultRoot."""

Key = tuple[bytes, int, bytes]
log = structlog.get_logger()


@dataclass
class _Round:
    """The challenges of one device in one epoch, until its commitment is there."""

    seats: int
    answer: asyncio.Future[str]
    collected: dict[str, SignedChallenge] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    frozen: bool = False

    def add(self, signed: SignedChallenge) -> None:
        """Takes a challenge; a retry must bring the same nonce. One that comes after the start changes
        nothing.
        """
        account = signed.challenge.validator.lower()
        known = self.collected.get(account)
        if known is not None and known.challenge.nonce != signed.challenge.nonce:
            raise Conflict(f"{signed.challenge.validator} has sent another nonce in this epoch")
        if known is None and not self.frozen:
            self.collected[account] = signed
        if readiness(self.collected, self.seats) == "start":
            self.complete.set()

    def freeze(self) -> list[SignedChallenge]:
        """Closes the list: ascending by seat account, as the nonce root needs it."""
        self.frozen = True
        return [self.collected[account] for account in sorted(self.collected, key=lambda a: int(a, 16))]


class ChallengeDesk:
    """Answers challenges for all devices of one provider."""

    def __init__(
        self,
        devices: Mapping[bytes, Device],
        epochs: Epochs,
        idle: Callable[[bytes], Awaitable[bool]],
        prove: Prove,
        store: CommitmentStore,
        domain: Domain,
        grace_s: float = GRACE_S,
        hold_s: float = HOLD_S,
    ) -> None:
        self._devices = devices
        self._epochs = epochs
        self._idle = idle
        self._prove = prove
        self._store = store
        self._domain = domain
        self._grace_s = grace_s
        self._hold_s = hold_s
        self._rounds: dict[Key, _Round] = {}

    async def answer(self, signed: SignedChallenge) -> str:
        """The commitment as JSON, held until it is there.

        Raises NotFound for a device of somebody else, Conflict where the challenge cannot be taken,
        Unavailable where no quorum of challenges came in time: the same challenge may then be sent again.
        """
        challenge = signed.challenge
        device = self._devices.get(challenge.device_id)
        if device is None:
            raise NotFound(f"device 0x{challenge.device_id.hex()} is not served here")
        view = await self._epochs.epoch(challenge.epoch)
        check(signed, view, self._domain)
        assert view is not None  # noqa: S101
        key = (device.device_id, view.epoch, view.epoch_seed)
        if stored := self._store.get(*key):
            return stored.answer
        if not await self._idle(device.device_id):
            raise Conflict(f"device {device.name} is leased and answers no challenges")
        current = self._round(key, view)
        current.add(signed)
        if current.task is None and readiness(current.collected, current.seats) != "wait":
            current.task = asyncio.create_task(self._work(key, device, view, current))
        try:
            return await asyncio.wait_for(asyncio.shield(current.answer), self._hold_s)
        except TimeoutError as error:
            raise Unavailable(f"no commitment for epoch {view.epoch} within {self._hold_s:.0f} s") from error

    def _round(self, key: Key, view: EpochView) -> _Round:
        if key not in self._rounds:
            for old in [k for k in self._rounds if k[1] + KEPT_EPOCHS <= view.epoch]:
                del self._rounds[old]
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            # A failure nobody waits for any more is logged by _work; it must not be reported a second time.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._rounds[key] = _Round(seats=len(view.seats), answer=future)
        return self._rounds[key]

    async def _work(self, key: Key, device: Device, view: EpochView, current: _Round) -> None:
        try:
            try:
                await asyncio.wait_for(current.complete.wait(), self._grace_s)
            except TimeoutError:
                log.debug("grace over", device=device.name, epoch=view.epoch, nonces=len(current.collected))
            answer = await self._commit(device, view, current.freeze())
        except Exception as error:
            log.error("challenge failed", device=device.name, epoch=view.epoch, error=str(error))
            self._rounds.pop(key, None)
            if not current.answer.done():
                current.answer.set_exception(Unavailable("the device could not do the work"))
            return
        if not current.answer.done():
            current.answer.set_result(answer)

    async def _commit(self, device: Device, view: EpochView, used: list[SignedChallenge]) -> str:
        root = nonce_root([(s.challenge.validator, s.challenge.nonce) for s in used])
        seed = device_seed(view.epoch_seed, device.device_id, device.profile.id, root)
        result_root = await self._prove(device, view, seed)
        commitment = Commitment(
            epoch=view.epoch,
            job_hash=device.profile.job_hash(view.epoch_seed),
            device_id=device.device_id,
            nonce_root=root,
            result_root=result_root,
        )
        signature = device.sign(commitment.digest(self._domain))
        body = {
            **commitment.to_json(),
            "challenges": [signed.to_json() for signed in used],
            "signature": "0x" + signature.hex(),
        }
        answer = json.dumps(body)
        self._store.put(
            StoredCommitment(device.device_id, view.epoch, view.epoch_seed, device.profile.id, root, answer)
        )
        log.info("committed", device=device.name, epoch=view.epoch, nonces=len(used))
        return answer
