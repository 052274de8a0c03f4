"""Proves the devices of one pending lease to its renter, with a nonce and samples of the renter's own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.proof.sampling import samples
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leases import result_roots
from assay.protocol.messages import Handover, Offer
from assay.protocol.seeds import handover_rho, handover_seed
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId, Root, Seed
from assay.provider.database import handovers
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, NotFound, Unavailable
from assay.provider.measurement.prover import Task
from assay.provider.views import Epochs
from assay.wire.leases import SignedHandover

Open = Callable[[Task, Sequence[tuple[int, int]]], Awaitable[bytes]]
Prove = Callable[[Task], Awaitable[Root]]


class HandoverService:
    """One handover proof for each device of a lease, all over one nonce: signed, stored, and opened to
    whoever knows what the nonce is the hash of. A renter asks for all devices at one instant; those on
    cards of their own prove side by side.
    """

    def __init__(
        self,
        engine: Engine,
        devices: Mapping[DeviceId, OwnDevice],
        epochs: Epochs,
        prove: Prove,
        open_rows: Open,
        domain: Domain,
    ) -> None:
        self._engine = engine
        self._devices = devices
        self._epochs = epochs
        self._prove = prove
        self._open = open_rows
        self._domain = domain
        self._nonces: dict[int, bytes] = {}  # of proofs under way

    async def handover(self, lease: Lease, offer: Offer, device_id: DeviceId, nonce: bytes) -> str:
        """A device's signed Handover as JSON, with the epoch whose seed it stands on. `nonce` is H(x), 32 bytes.

        Asked again it gives the same bytes; another nonce is refused: each lease costs a device one proof.
        """
        device = self._device(lease, offer, device_id)
        if lease.status is not LeaseStatus.PENDING and self._stored(lease.lease_id, device_id) is None:
            raise Conflict(f"lease {lease.lease_id} is {lease.status.name.lower()}; a handover is for pending ones")
        self._require_nonce(lease.lease_id, nonce)
        if stored := self._stored(lease.lease_id, device_id):
            return stored[2]
        view = await self._epochs.latest()
        if view is None:
            raise Unavailable("no epoch has been opened yet")
        task = _task(device, view.epoch_seed, nonce, lease.lease_id)
        try:
            result_root = await self._prove(task)
        except BaseException:
            self._nonces.pop(lease.lease_id, None)
            raise
        message = Handover(
            lease_id=lease.lease_id,
            job_hash=device.profile.job_hash(view.epoch_seed),
            device_id=device.device_id,
            nonce=nonce,
            result_root=result_root,
        )
        signed = SignedHandover(message, device.sign(message.digest(self._domain)))
        body = signed.to_json(view.epoch, view.epoch_seed)
        return self._keep(lease.lease_id, device_id, view.epoch_seed, nonce, json.dumps(body))

    async def opening(self, lease: Lease, offer: Offer, device_id: DeviceId, x: bytes) -> bytes:
        """The rows of a device that ρ = H("assay.hr" ‖ x ‖ resultRoot) samples. Raises
        Conflict unless H(x) is the nonce.
        """
        device = self._device(lease, offer, device_id)
        stored = self._stored(lease.lease_id, device_id)
        if stored is None:
            raise NotFound(f"device {device.name} has no handover proof for lease {lease.lease_id} yet")
        epoch_seed, nonce, answer = stored
        if keccak(x) != nonce:
            raise Conflict("x does not hash to the nonce of this lease's handover")
        result_root = _root(answer)
        task = _task(device, epoch_seed, nonce, lease.lease_id)
        if await self._prove(task) != result_root:
            raise Unavailable("the proof could not be made again as it was signed")
        rho = handover_rho(x, result_root)
        return await self._open(task, samples(rho, device.device_id, device.profile))

    def roots(self, lease: Lease, offer: Offer) -> bytes:
        """What a LeaseStart must say of the proofs: those of all devices, in the offer's order. Raises NotFound where
        one was not handed over yet.
        """
        found = []
        for device_id in offer.device_ids:
            stored = self._stored(lease.lease_id, device_id)
            if stored is None:
                raise NotFound(f"device {to_hex(device_id)} has no handover proof for lease {lease.lease_id} yet")
            found.append(_root(stored[2]))
        return result_roots(found)

    def _device(self, lease: Lease, offer: Offer, device_id: DeviceId) -> OwnDevice:
        if device_id not in offer.device_ids:
            raise NotFound(f"device {to_hex(device_id)} is none of lease {lease.lease_id}")
        device = self._devices.get(device_id)
        if device is None:
            raise NotFound(f"device {to_hex(device_id)} of lease {lease.lease_id} is not served here")
        return device

    def _require_nonce(self, lease_id: int, nonce: bytes) -> None:
        query = select(handovers.c.nonce).where(handovers.c.lease_id == str(lease_id)).limit(1)
        with self._engine.connect() as connection:
            known = connection.execute(query).scalar_one_or_none()
        if known is None:
            known = self._nonces.setdefault(lease_id, nonce)
        if known != nonce:
            raise Conflict(f"lease {lease_id} has handover proofs with another nonce")

    def _keep(self, lease_id: int, device_id: DeviceId, epoch_seed: Seed, nonce: bytes, answer: str) -> str:
        """Stores an answer before it is sent; what was stored first, by a request at the same time, stands."""
        row = insert(handovers).values(
            lease_id=str(lease_id), device_id=device_id, epoch_seed=epoch_seed, nonce=nonce, answer=answer
        )
        with self._engine.begin() as connection:
            connection.execute(row.on_conflict_do_nothing())
        self._nonces.pop(lease_id, None)
        stored = self._stored(lease_id, device_id)
        assert stored is not None  # noqa: S101
        return stored[2]

    def _stored(self, lease_id: int, device_id: DeviceId) -> tuple[Seed, bytes, str] | None:
        query = select(handovers.c.epoch_seed, handovers.c.nonce, handovers.c.answer).where(
            handovers.c.lease_id == str(lease_id), handovers.c.device_id == device_id
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row[0], row[1], row[2])


def _task(device: OwnDevice, epoch_seed: Seed, nonce: bytes, lease_id: int) -> Task:
    seed = handover_seed(epoch_seed, device.device_id, device.profile.id, nonce, lease_id)
    return Task(device.profile, epoch_seed, seed, device.card)


def _root(answer: str) -> Root:
    return Root(parse_bytes32(json.loads(answer)["resultRoot"], "resultRoot"))
