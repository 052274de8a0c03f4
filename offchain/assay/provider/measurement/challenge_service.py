"""Holds challenges open until there are enough of them, has the work done once, and
answers all with one commitment.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

import structlog

from assay.protocol.messages import Commitment
from assay.protocol.seeds import device_seed, nonce_root
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId, Root, Seed
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, NotFound
from assay.provider.measurement.challenge_rules import check
from assay.provider.measurement.commitments import CommitmentStore, StoredCommitment
from assay.provider.measurement.nonce_rounds import GRACE_S, HOLD_S, NonceRounds
from assay.provider.views import Epochs, EpochView
from assay.wire.measurement import SignedChallenge, SignedCommitment

Prove = Callable[[OwnDevice, EpochView, Seed], Awaitable[Root]]
"""Does the work for a device from its first seed (32 bytes) and gives its resultRoot."""

log = structlog.get_logger()


class ChallengeService:
    """Answers challenges for all devices of one provider."""

    def __init__(
        self,
        devices: Mapping[DeviceId, OwnDevice],
        epochs: Epochs,
        idle: Callable[[DeviceId], Awaitable[bool]],
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
        self._rounds: NonceRounds[SignedChallenge] = NonceRounds("commitment", grace_s, hold_s)

    async def answer(self, signed: SignedChallenge) -> str:
        """The commitment as JSON, held until it is there.

        Raises NotFound for a device of somebody else, Conflict where the challenge cannot be taken,
        Unavailable where no quorum of challenges came in time: the same challenge may then be sent again.
        """
        device = self._devices.get(signed.device_id)
        if device is None:
            raise NotFound(f"device 0x{signed.device_id.hex()} is not served here")
        view = await self._epochs.epoch(signed.epoch)
        check(signed, view, self._domain)
        assert view is not None  # noqa: S101
        key = (device.device_id, view.epoch, view.epoch_seed)
        if stored := self._store.get(*key):
            return stored.answer
        if not await self._idle(device.device_id):
            raise Conflict(f"device {device.name} is leased and answers no challenges")
        return await self._rounds.answer(key, len(view.seats), signed, lambda used: self._commit(device, view, used))

    async def _commit(self, device: OwnDevice, view: EpochView, used: list[SignedChallenge]) -> str:
        root = nonce_root([(s.validator, s.nonce) for s in used])
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
        answer = json.dumps(SignedCommitment.of(commitment, used, signature).to_json())
        self._store.put(
            StoredCommitment(device.device_id, view.epoch, view.epoch_seed, device.profile.id, root, answer)
        )
        log.info("committed", device=device.name, epoch=view.epoch, nonces=len(used))
        return answer
