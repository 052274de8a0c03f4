"""Answers the memory probe: after its commitment a device walks what it kept, from the nonces of a quorum."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from assay.proof.probe import layout
from assay.protocol.messages import LaneCommitment
from assay.protocol.seeds import device_seed, nonce_root
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId, Rho, Root
from assay.provider.cards.tasks import Task
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, NotFound, Unavailable
from assay.provider.measurement.challenge_rules import check_probe_nonce
from assay.provider.measurement.commitments import CommitmentStore, StoredCommitment
from assay.provider.measurement.kept_openings import KeptOpenings
from assay.provider.measurement.lane_commitments import LaneCommitmentStore, StoredLanes
from assay.provider.measurement.nonce_rounds import GRACE_S, HOLD_S, NonceRounds
from assay.provider.views import Epochs, EpochView
from assay.wire.measurement import SignedLanes, SignedProbeNonce

Walk = Callable[[Task, bytes], Awaitable[tuple[Root, Root]]]
"""(resultRoot, laneRoot) of a task's products walked from π."""
OpenLanes = Callable[[Task, bytes, Sequence[int]], Awaitable[bytes]]
log = structlog.get_logger()


class ProbeService:
    """For all devices of one provider."""

    def __init__(
        self,
        devices: Mapping[DeviceId, OwnDevice],
        epochs: Epochs,
        commitments: CommitmentStore,
        store: LaneCommitmentStore,
        walk: Walk,
        open_lanes: OpenLanes,
        domain: Domain,
        grace_s: float = GRACE_S,
        hold_s: float = HOLD_S,
    ) -> None:
        self._devices = devices
        self._epochs = epochs
        self._commitments = commitments
        self._store = store
        self._walk = walk
        self._open = open_lanes
        self._domain = domain
        self._rounds: NonceRounds[SignedProbeNonce] = NonceRounds("lane commitment", grace_s, hold_s)
        self._opened = KeptOpenings(epochs)

    async def answer(self, signed: SignedProbeNonce) -> str:
        """The lane commitment as JSON, held until it is there.

        Raises NotFound for a device of somebody else or one without a probe, Conflict where the nonce cannot be taken,
        Unavailable where no quorum of nonces came in time.
        """
        device = self._device(signed.device_id)
        view = await self._epochs.epoch(signed.epoch)
        check_probe_nonce(signed, view, self._domain)
        assert view is not None  # noqa: S101
        stored = self._commitments.get(device.device_id, view.epoch, view.epoch_seed)
        if stored is None or stored.result_root != signed.result_root:
            raise Conflict(f"device {device.name} has not committed to 0x{signed.result_root.hex()}")
        key = (device.device_id, view.epoch, view.epoch_seed)
        if known := self._store.get(*key):
            return known.answer
        return await self._rounds.answer(
            key, len(view.seats), signed, lambda used: self._commit(device, view, stored, used)
        )

    async def lanes(self, device_id: DeviceId, epoch: int, rho: Rho) -> bytes:
        """The opening of the lanes that ρ draws. Raises Conflict unless ρ is the one on the chain."""
        device = self._device(device_id)
        view = await self._epochs.epoch(epoch)
        if view is None or view.rho is None or view.rho != rho:
            raise Conflict(f"epoch {epoch} is not drawn with rho 0x{rho.hex()} at a final block")
        stored = self._commitments.get(device_id, epoch, view.epoch_seed)
        lanes = self._store.get(device_id, epoch, view.epoch_seed)
        if stored is None or lanes is None:
            raise NotFound(f"device {device.name} answered no probe in epoch {epoch}")
        key = (device_id, epoch, rho)
        asked = layout.lane_samples(rho, device_id, device.profile)
        return await self._opened.get(key, lambda: self._open(_task(device, stored), lanes.challenge, asked))

    def _device(self, device_id: DeviceId) -> OwnDevice:
        device = self._devices.get(device_id)
        if device is None:
            raise NotFound(f"device 0x{device_id.hex()} is not served here")
        if device.profile.W == 0:
            raise NotFound(f"profile {device.profile.id} of device {device.name} has no memory probe")
        return device

    async def _commit(
        self, device: OwnDevice, view: EpochView, stored: StoredCommitment, used: list[SignedProbeNonce]
    ) -> str:
        challenge = nonce_root([(s.validator, s.nonce) for s in used])
        result_root, lane_root = await self._walk(_task(device, stored), challenge)
        if result_root != stored.result_root:
            raise Unavailable("the proof, made again, does not match the commitment")
        message = LaneCommitment(
            epoch=view.epoch,
            epoch_seed=view.epoch_seed,
            device_id=device.device_id,
            result_root=result_root,
            challenge=challenge,
            lane_root=lane_root,
        )
        signature = device.sign(message.digest(self._domain))
        answer = json.dumps(SignedLanes.of(message, [signed.used for signed in used], signature).to_json())
        self._store.put(StoredLanes(device.device_id, view.epoch, view.epoch_seed, challenge, answer))
        log.info("memory probed", device=device.name, epoch=view.epoch, nonces=len(used))
        return answer


def _task(device: OwnDevice, stored: StoredCommitment) -> Task:
    seed = device_seed(stored.epoch_seed, device.device_id, stored.profile_id, stored.nonce_root)
    return Task(device.profile, stored.epoch_seed, seed, device.place)
