"""Opens rows of what devices committed to: the drawn sample to anyone, a few secret rows to each seat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from assay.proof.sampling import SECRET_ROWS, samples
from assay.protocol.seeds import device_seed
from assay.protocol.types import DeviceId, Rho
from assay.provider.cards.tasks import Task
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Conflict, Forbidden, NotFound, ProviderError, Unavailable
from assay.provider.measurement.commitments import CommitmentStore, StoredCommitment
from assay.provider.measurement.kept_openings import CACHED_EPOCHS, KeptOpenings
from assay.provider.views import Epochs, EpochView

Open = Callable[[Task, Sequence[tuple[int, int]]], Awaitable[bytes]]
Prove = Callable[[Task], Awaitable[bytes]]
"""The resultRoot of a task: a proof made again must be the one that was committed to."""


class OpeningsService:
    """Serves openings of all devices of one provider, only once ρ is drawn."""

    def __init__(
        self,
        devices: Mapping[DeviceId, OwnDevice],
        epochs: Epochs,
        store: CommitmentStore,
        prove: Prove,
        open_rows: Open,
    ) -> None:
        self._devices = devices
        self._epochs = epochs
        self._store = store
        self._prove = prove
        self._open = open_rows
        self._sampled = KeptOpenings(epochs)
        self._asked: dict[tuple[bytes, int, str], tuple[int, ...]] = {}

    async def sampled(self, device_id: DeviceId, epoch: int, rho: Rho) -> bytes:
        """The opening of the k rows that ρ samples. Raises Conflict unless ρ is the one on the chain."""
        device, view, stored = await self._committed(device_id, epoch)
        if rho != view.rho:
            raise Conflict(f"epoch {epoch} has rho 0x{(view.rho or b'').hex()}")
        drawn = samples(rho, device_id, device.profile)
        return await self._sampled.get((device_id, epoch, rho), lambda: self._opened(device, stored, drawn))

    async def secret(self, device_id: DeviceId, epoch: int, account: str, rows: Sequence[int]) -> bytes:
        """The opening of rows t·M + i of a seat's own choice: one list an epoch, at most 16 long.

        More would let one seat have the whole product sent to it.
        """
        device, view, stored = await self._committed(device_id, epoch)
        if view.seat_of(account) is None:
            raise Forbidden(f"{account} holds no seat in epoch {epoch}")
        most = device.profile.T * device.profile.M
        if not 1 <= len(rows) <= SECRET_ROWS or any(not 0 <= row < most for row in rows):
            raise ProviderError(f"rows: 1 to {SECRET_ROWS} numbers below {most}")
        key = (device_id, epoch, account.lower())
        if self._asked.setdefault(key, tuple(rows)) != tuple(rows):
            raise Conflict(f"{account} has asked for other rows of this device in epoch {epoch}")
        for old in [k for k in self._asked if k[1] + CACHED_EPOCHS <= epoch]:
            del self._asked[old]
        return await self._opened(device, stored, [divmod(row, device.profile.M) for row in rows])

    async def _committed(self, device_id: DeviceId, epoch: int) -> tuple[OwnDevice, EpochView, StoredCommitment]:
        device = self._devices.get(device_id)
        if device is None:
            raise NotFound(f"device 0x{device_id.hex()} is not served here")
        view = await self._epochs.epoch(epoch)
        if view is None or view.rho is None:
            raise Conflict(f"epoch {epoch} is not drawn at a final block")
        stored = self._store.get(device_id, epoch, view.epoch_seed)
        if stored is None:
            raise NotFound(f"device {device.name} committed to nothing in epoch {epoch}")
        return device, view, stored

    async def _opened(self, device: OwnDevice, stored: StoredCommitment, rows: Sequence[tuple[int, int]]) -> bytes:
        seed = device_seed(stored.epoch_seed, device.device_id, stored.profile_id, stored.nonce_root)
        task = Task(device.profile, stored.epoch_seed, seed, device.place)
        # Opening anything but what was committed to would only help somebody to frame the device.
        if await self._prove(task) != stored.result_root:
            raise Unavailable("the proof, made again, does not match the commitment")
        return await self._open(task, rows)
