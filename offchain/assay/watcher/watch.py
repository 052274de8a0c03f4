"""The watcher's loop: every drawn epoch that can still be proven against is checked, device by device."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import structlog

from assay.chain.blocks import Block
from assay.chain.client import Chain
from assay.chain.devices import Device, DeviceDirectory
from assay.chain.epochs import EpochState, Phase, Timing, is_provable, read_epoch_state
from assay.chain.errors import ChainError
from assay.chain.profiles import read_profile
from assay.chain.seats import SeatDirectory
from assay.proof import openings
from assay.proof.verification import Verdict, Verifier
from assay.protocol.leaves import SealedLeaf
from assay.protocol.profile import Profile
from assay.watcher.errors import NoAnswer
from assay.watcher.findings import Finding, check_opening, find
from assay.watcher.notebook import Notebook
from assay.watcher.prosecution import Kind, Prosecutor
from assay.watcher.published import Index, Published

KEPT_VERIFIERS = 4
MOST_PAUSE_S = 20.0  # between looks at an epoch that is not done
log = structlog.get_logger()


@dataclass
class Watch:
    """Checks epochs as of final blocks. `validators` are addresses beyond those that the chain announces."""

    chain: Chain
    timing: Timing
    published: Published
    notebook: Notebook
    prosecutor: Prosecutor
    validators: tuple[str, ...] = ()
    poll_s: float = 0.5
    _devices: DeviceDirectory = field(init=False)
    _seats: SeatDirectory = field(init=False)
    _again: dict[int, tuple[float, float]] = field(default_factory=dict)  # epoch -> next look, pause after it
    _done: set[int] = field(default_factory=set)
    _profiles: dict[int, Profile] = field(default_factory=dict)
    _verifiers: OrderedDict[tuple[int, bytes], Verifier] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._devices, self._seats = DeviceDirectory(self.chain), SeatDirectory(self.chain)

    async def run(self, stopping: asyncio.Event) -> None:
        """Looks until told to stop. An unreachable chain is waited for."""
        while not stopping.is_set():
            try:
                await self.look()
            except ChainError as error:
                log.warning("chain unavailable", error=str(error))
            try:
                await asyncio.wait_for(stopping.wait(), self.poll_s)
            except TimeoutError:
                continue

    async def look(self) -> None:
        """One look at every epoch that can be proven against. Raises ChainError."""
        await self.prosecutor.go_on()
        final = await self.chain.finalised()
        if final.timestamp < self.timing.genesis:
            return
        current = self.timing.epoch_at(final.timestamp)
        oldest = max(0, current - self.timing.proof_window // self.timing.epoch_length - 2)
        self.notebook.forget(oldest)
        self._done = {epoch for epoch in self._done if epoch >= oldest}
        self._again = {epoch: due for epoch, due in self._again.items() if epoch >= oldest}
        for epoch in range(current, oldest - 1, -1):
            if epoch not in self._done and self._due(epoch) and await self._epoch(epoch, final):
                self._done.add(epoch)

    def _due(self, epoch: int) -> bool:
        """Epochs that are not done are looked at less and less often."""
        now = asyncio.get_running_loop().time()
        due, pause = self._again.get(epoch, (now, self.poll_s))
        if now < due:
            return False
        self._again[epoch] = (now + pause, min(MOST_PAUSE_S, 1.5 * pause))
        return True

    async def _epoch(self, epoch: int, final: Block) -> bool:
        """Whether nothing is left to do in this epoch."""
        state = await read_epoch_state(self.chain, epoch, final)
        ended = self.timing.start(epoch) + self.timing.epoch_length < final.timestamp
        if state.rho == bytes(32):
            # Never drawn, so nothing was sampled: over once it is void or its time has passed.
            return ended and state.phase in (Phase.VOID, Phase.NONE)
        if not await is_provable(self.chain, epoch, final):
            return True
        urls = await self._urls(state, final)
        indexes = await self.published.indexes(urls, epoch)
        sealed = await self.published.sealed(indexes, state.seal_root)
        if sealed is None:
            return False
        devices = await self._devices.refresh(final)
        checks = (self._device(state, leaf, indexes, devices) for leaf in sealed)
        return all(await asyncio.gather(*checks))

    async def _urls(self, state: EpochState, final: Block) -> Sequence[str]:
        seats = await self._seats.of_set(state.set_id, final)
        announced = [seat.endpoint.rstrip("/") for seat in seats if seat.endpoint]
        return list(dict.fromkeys([*announced, *self.validators]))

    async def _device(
        self, state: EpochState, leaf: SealedLeaf, indexes: Sequence[Index], devices: dict[bytes, Device]
    ) -> bool:
        """Whether the device's opening was looked at to the end."""
        if self.notebook.is_checked(state.epoch, leaf.device_id):
            return True
        device = devices.get(leaf.device_id)
        if device is None:
            return True
        profile = await self._profile(device.profile_id)
        verifier = await self._verifier(profile, state)
        last: Verdict | None = None
        tried: set[bytes] = set()
        async for opening in self._openings(state, leaf, indexes, device, profile):
            if opening in tried:
                continue
            tried.add(opening)
            last = await asyncio.to_thread(check_opening, verifier, leaf, opening)
            if last.valid:
                self.notebook.note(state.epoch, leaf.device_id, "valid", "")
                return True
            finding = await asyncio.to_thread(find, verifier, state.epoch, leaf, opening, last)
            if finding is not None:
                await self._prove(finding, device.provider)
                self.notebook.note(state.epoch, leaf.device_id, "proven", last.reason)
                return True
        if last is not None:
            log.info("opening proves nothing", device="0x" + leaf.device_id.hex(), reason=last.reason)
        # Somebody may serve another opening later, as long as the proof window is open.
        return False

    async def _openings(
        self,
        state: EpochState,
        leaf: SealedLeaf,
        indexes: Sequence[Index],
        device: Device,
        profile: Profile,
    ) -> AsyncIterator[bytes]:
        most = openings.length(profile, profile.k)
        for index in indexes:
            digest = index.openings.get(leaf.device_id)
            if digest is not None:
                try:
                    yield await self.published.content(index.url, digest, most)
                except NoAnswer as error:
                    log.debug("no content", reason=str(error)[:200])
        if device.endpoint:
            try:
                url = device.endpoint.rstrip("/")
                yield await self.published.opening(url, state.epoch, leaf.device_id, state.rho, most)
            except NoAnswer as error:
                log.debug("no opening", reason=str(error)[:200])

    async def _prove(self, finding: Finding, provider: str) -> None:
        stake = await self.chain.call("StakeManager", "account", provider, at="latest")
        if stake.active + stake.pending == 0:
            # A device that was convicted in an earlier epoch may have been challenged once more before that was final.
            log.info("nothing left to slash", device="0x" + finding.leaf.device_id.hex(), epoch=finding.epoch)
            return
        arguments = (finding.commitment(), *finding.element.arguments())
        await self.prosecutor.bring(
            Kind.WRONG_ELEMENT, "proveWrongElement", finding.leaf.device_id, finding.epoch, arguments
        )

    async def _profile(self, profile_id: int) -> Profile:
        if profile_id not in self._profiles:
            self._profiles[profile_id] = await read_profile(self.chain, profile_id)
        return self._profiles[profile_id]

    async def _verifier(self, profile: Profile, state: EpochState) -> Verifier:
        key = (profile.id, state.rho)
        if key not in self._verifiers:
            made = await asyncio.to_thread(Verifier, profile, state.epoch_seed, state.rho, 1)
            self._verifiers[key] = made
            while len(self._verifiers) > KEPT_VERIFIERS:
                self._verifiers.popitem(last=False)
        return self._verifiers[key]
