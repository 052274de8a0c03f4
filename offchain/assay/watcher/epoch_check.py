"""One epoch checked against what was published of it: every fault that a contract could find as well."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from assay.chain.contracts.devices import Device
from assay.chain.contracts.profiles import read_profile
from assay.chain.rpc.client import Chain
from assay.proof import openings
from assay.proof.verification import Verdict, Verifier
from assay.protocol import seeds
from assay.protocol.epochs import EpochState
from assay.protocol.leaves import SealedLeaf
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Seed
from assay.watcher.errors import NoAnswer
from assay.watcher.faults import ProvableFault
from assay.watcher.notebook import WatcherNotebook
from assay.watcher.published import Published, PublishedEpoch
from assay.watcher.rules.device_faults import Conviction, convict
from assay.watcher.rules.seat_faults import Said
from assay.wire.measurement import SignedCommitment

VERIFIER_CACHE_SIZE = 4
CONCURRENCY = 16  # devices whose openings are in memory
log = structlog.get_logger()


@dataclass
class EpochFile:
    """What is remembered of an epoch between looks."""

    sealed: tuple[SealedLeaf, ...] | None = None
    convicted: dict[DeviceId, Conviction] = field(default_factory=dict)
    commitments: dict[DeviceId, dict[bytes, SignedCommitment]] = field(default_factory=dict)  # where a device made two
    said: dict[str, list[Said]] = field(default_factory=dict)  # seat -> what it signed, once each
    batches_read: dict[bytes, int] = field(default_factory=dict)  # content -> convictions when it was read
    unserved: dict[DeviceId, int] = field(default_factory=dict)  # device -> looks at which nobody had its opening
    report_checked: bool = False

    def heard(self, seat: str, statement: Said) -> None:
        """Remembers what a seat signed."""
        known = self.said.setdefault(seat, [])
        if not any((s.what, s.round, s.content) == (statement.what, statement.round, statement.content) for s in known):
            known.append(statement)


class Openings:
    """Checks the openings of sealed devices, wherever they are to be had."""

    def __init__(self, chain: Chain, published: Published, notebook: WatcherNotebook) -> None:
        self._chain, self._published, self._notebook = chain, published, notebook
        self._profiles: dict[int, Profile] = {}
        self._verifiers: OrderedDict[tuple[int, bytes], Verifier] = OrderedDict()

    async def profile(self, profile_id: int) -> Profile:
        """A profile of the registry. Raises ChainError."""
        if profile_id not in self._profiles:
            self._profiles[profile_id] = await read_profile(self._chain, profile_id)
        return self._profiles[profile_id]

    async def check(
        self, state: EpochState, file: EpochFile, indexes: Sequence[PublishedEpoch], devices: Mapping[DeviceId, Device]
    ) -> list[ProvableFault]:
        """Looks at every sealed device that is not done; faults of devices found now."""
        slots = asyncio.Semaphore(CONCURRENCY)

        async def one(leaf: SealedLeaf) -> ProvableFault | None:
            async with slots:
                return await self._device(state, file, leaf, indexes, devices)

        found = await asyncio.gather(*(one(leaf) for leaf in self.pending(state, file)))
        return [fault for fault in found if fault is not None]

    def pending(self, state: EpochState, file: EpochFile) -> list[SealedLeaf]:
        """Sealed devices whose opening was not looked at to the end."""
        return [leaf for leaf in file.sealed or () if not self._done(state.epoch, file, leaf.device_id)]

    def _done(self, epoch: int, file: EpochFile, device_id: DeviceId) -> bool:
        # What was proven before a restart is looked at once more: seats may have passed it.
        return device_id in file.convicted or self._notebook.outcome(epoch, device_id) == "valid"

    async def _device(
        self,
        state: EpochState,
        file: EpochFile,
        leaf: SealedLeaf,
        indexes: Sequence[PublishedEpoch],
        devices: Mapping[DeviceId, Device],
    ) -> ProvableFault | None:
        device = devices.get(leaf.device_id)
        if device is None:
            return None
        profile = await self.profile(device.profile_id)
        verifier = await self._verifier(profile, state)
        last: Verdict | None = None
        tried: set[bytes] = set()
        async for opening in self._openings(state, leaf, indexes, device, profile):
            if opening in tried:
                continue
            tried.add(opening)
            last = await asyncio.to_thread(
                verifier.verify_device, leaf.device_id, leaf.nonce_root, leaf.result_root, opening
            )
            if last.valid:
                self._notebook.note(state.epoch, leaf.device_id, "valid", "")
                return None
            others = _first_seeds(file.sealed or (), devices, verifier.epoch_seed, leaf.device_id)
            conviction = await asyncio.to_thread(convict, verifier, leaf, opening, last, others)
            if conviction is not None:
                file.convicted[leaf.device_id] = conviction
                self._notebook.note(state.epoch, leaf.device_id, "proven", last.reason)
                return conviction.of_device(state.epoch, device.provider)
        # Somebody may serve another opening later, as long as the proof window is open.
        file.unserved[leaf.device_id] = file.unserved.get(leaf.device_id, 0) + 1
        reason = last.reason if last is not None else "nobody serves it"
        log.info("opening proves nothing", device="0x" + leaf.device_id.hex(), reason=reason)
        return None

    async def _openings(
        self, state: EpochState, leaf: SealedLeaf, indexes: Sequence[PublishedEpoch], device: Device, profile: Profile
    ) -> AsyncIterator[bytes]:
        most = openings.length(profile, profile.k)
        for index in indexes:
            digest = index.held.openings.get(leaf.device_id)
            if digest is not None:
                try:
                    yield await self._published.content(index.url, digest, most)
                except NoAnswer as error:
                    log.debug("no content", reason=str(error)[:200])
        if device.endpoint:
            try:
                url = device.endpoint.rstrip("/")
                yield await self._published.opening(
                    url, state.epoch, leaf.device_id, state.rho, most, device.tls_fingerprint
                )
            except NoAnswer as error:
                log.debug("no opening", reason=str(error)[:200])

    async def _verifier(self, profile: Profile, state: EpochState) -> Verifier:
        key = (profile.id, state.rho)
        if key not in self._verifiers:
            made = await asyncio.to_thread(Verifier, profile, state.epoch_seed, state.rho, 1)
            self._verifiers[key] = made
            while len(self._verifiers) > VERIFIER_CACHE_SIZE:
                self._verifiers.popitem(last=False)
        return self._verifiers[key]


def _first_seeds(
    sealed: Sequence[SealedLeaf], devices: Mapping[DeviceId, Device], epoch_seed: Seed, own: bytes
) -> list[Seed]:
    """First seeds of the other sealed devices: where one card answers for many, it starts from one of these."""
    return [
        seeds.device_seed(epoch_seed, leaf.device_id, devices[leaf.device_id].profile_id, leaf.nonce_root)
        for leaf in sealed
        if leaf.device_id != own and leaf.device_id in devices
    ]
