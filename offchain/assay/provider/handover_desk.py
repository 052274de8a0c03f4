"""Proves a device to the renter of one pending lease, with a nonce and samples of the renter's own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import Engine, insert, select

from assay.chain.leases import Lease, LeaseStatus
from assay.proof.sampling import samples
from assay.protocol.keccak import keccak
from assay.protocol.messages import Handover
from assay.protocol.seeds import handover_rho, handover_seed
from assay.protocol.signing import Domain
from assay.provider.database import handovers
from assay.provider.device import Device
from assay.provider.errors import Conflict, NotFound, Unavailable
from assay.provider.prover import Task
from assay.provider.views import Epochs

Open = Callable[[Task, Sequence[tuple[int, int]]], Awaitable[bytes]]
Prove = Callable[[Task], Awaitable[bytes]]


class HandoverDesk:
    """One handover proof a lease: signed, stored, and opened to whoever knows what its nonce is the hash of."""

    def __init__(
        self,
        engine: Engine,
        devices: Mapping[bytes, Device],
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

    async def handover(self, lease: Lease, nonce: bytes) -> str:
        """The signed Handover as JSON, with the epoch whose seed it stands on. `nonce` is H(x), 32 bytes.

        Asked again it gives the same bytes; another nonce is refused: each lease costs the device one proof.
        """
        device = self._device(lease)
        if stored := self._stored(lease.lease_id):
            if stored[1] != nonce:
                raise Conflict(f"lease {lease.lease_id} has a handover proof with another nonce")
            return stored[2]
        if lease.status is not LeaseStatus.PENDING:
            raise Conflict(f"lease {lease.lease_id} is {lease.status.name.lower()}; a handover is for pending ones")
        view = await self._epochs.latest()
        if view is None:
            raise Unavailable("no epoch has been opened yet")
        task = self._task(device, view.epoch_seed, nonce, lease.lease_id)
        message = Handover(
            lease_id=lease.lease_id,
            job_hash=device.profile.job_hash(view.epoch_seed),
            device_id=device.device_id,
            nonce=nonce,
            result_root=await self._prove(task),
        )
        signature = device.sign(message.digest(self._domain))
        body = {
            **message.to_json(),
            "epoch": view.epoch,
            "epochSeed": "0x" + view.epoch_seed.hex(),
            "signature": "0x" + signature.hex(),
        }
        answer = json.dumps(body)
        if stored := self._stored(lease.lease_id):  # two requests at once
            return await self.handover(lease, nonce)
        with self._engine.begin() as connection:
            connection.execute(
                insert(handovers).values(
                    lease_id=str(lease.lease_id), epoch_seed=view.epoch_seed, nonce=nonce, answer=answer
                )
            )
        return answer

    async def opening(self, lease: Lease, x: bytes) -> bytes:
        """The rows that ρ = H("assay.hr" ‖ x ‖ resultRoot) samples. Raises Conflict unless H(x) is the nonce."""
        device = self._device(lease)
        stored = self._stored(lease.lease_id)
        if stored is None:
            raise NotFound(f"lease {lease.lease_id} has no handover proof yet")
        epoch_seed, nonce, answer = stored
        if keccak(x) != nonce:
            raise Conflict("x does not hash to the nonce of this lease's handover")
        result_root = bytes.fromhex(json.loads(answer)["resultRoot"][2:])
        task = self._task(device, epoch_seed, nonce, lease.lease_id)
        if await self._prove(task) != result_root:
            raise Unavailable("the proof could not be made again as it was signed")
        rho = handover_rho(x, result_root)
        return await self._open(task, samples(rho, device.device_id, device.profile))

    def _device(self, lease: Lease) -> Device:
        device = self._devices.get(lease.device_id)
        if device is None:
            raise NotFound(f"device 0x{lease.device_id.hex()} of lease {lease.lease_id} is not served here")
        return device

    def _task(self, device: Device, epoch_seed: bytes, nonce: bytes, lease_id: int) -> Task:
        seed = handover_seed(epoch_seed, device.device_id, device.profile.id, nonce, lease_id)
        return Task(device.profile, epoch_seed, seed)

    def _stored(self, lease_id: int) -> tuple[bytes, bytes, str] | None:
        query = select(handovers.c.epoch_seed, handovers.c.nonce, handovers.c.answer).where(
            handovers.c.lease_id == str(lease_id)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row[0], row[1], row[2])
