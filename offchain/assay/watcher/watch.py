"""The watcher's loop: every epoch that can still be proven against is checked, and what is wrong is proven."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from assay.chain.contracts.devices import Device, DeviceDirectory
from assay.chain.contracts.epochs import is_provable, read_epoch_state
from assay.chain.contracts.seats import SeatDirectory
from assay.chain.errors import ChainError
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import Chain
from assay.network.origins import Endpoint
from assay.protocol.epochs import EpochState, Phase, Timing
from assay.protocol.leaves import SealedLeaf
from assay.protocol.types import DeviceId
from assay.watcher.accepted import AcceptedStatements
from assay.watcher.demands import Demands, wrong_row
from assay.watcher.epoch_check import EpochFile, Openings
from assay.watcher.holds import HeldSlashes
from assay.watcher.notebook import WatcherNotebook
from assay.watcher.prosecution import Prosecutor
from assay.watcher.published import Published, PublishedEpoch
from assay.watcher.rules import device_faults, quorum_faults, seat_faults
from assay.watcher.rules.seat_faults import Scene
from assay.wire.gossip import BatchMessage
from assay.wire.statements import SignedStatement, Statement

NOTHING = bytes(32)
MAX_PAUSE_S = 20.0  # between looks at an epoch that is not done
SETTLED_PAUSE_S = 600.0  # at one that is: somebody may still show what a seat signed twice
LOOKS_BEFORE_DEMAND = 4
log = structlog.get_logger()


@dataclass
class Watch:
    """Checks epochs as of final blocks. `validators` are addresses beyond those that the chain announces."""

    chain: Chain
    timing: Timing
    published: Published
    notebook: WatcherNotebook
    prosecutor: Prosecutor
    demands: Demands
    holds: HeldSlashes
    validators: tuple[str, ...] = ()
    poll_s: float = 0.5
    _devices: DeviceDirectory = field(init=False)
    _seats: SeatDirectory = field(init=False)
    _openings: Openings = field(init=False)
    _accepted: AcceptedStatements = field(init=False)
    _again: dict[int, tuple[float, float]] = field(default_factory=dict)  # epoch -> next look, pause after it
    _files: dict[int, EpochFile] = field(default_factory=dict)
    _waiting: int | None = None  # demands not over at the last look; None before the first

    def __post_init__(self) -> None:
        self._devices, self._seats = DeviceDirectory(self.chain), SeatDirectory(self.chain)
        self._openings = Openings(self.chain, self.published, self.notebook)
        self._accepted = AcceptedStatements(self.chain)

    async def run(self, stopping: asyncio.Event) -> None:
        """Looks until told to stop. An unreachable chain is waited for."""
        while not stopping.is_set():
            try:
                await self.look()
            except ChainError as error:
                log.warning("chain unavailable", error=str(error))
            try:
                async with asyncio.timeout(self.poll_s):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """One look at every epoch that can be proven against and is due. Raises ChainError."""
        await self.prosecutor.go_on()
        final = await self.chain.finalised()
        current = self.timing.epoch_at(final.timestamp)
        if current is None:
            return
        oldest = max(0, current - self.timing.proof_window // self.timing.epoch_length - 2)
        self.notebook.forget(oldest)
        self._files = {epoch: file for epoch, file in self._files.items() if epoch >= oldest}
        self._again = {epoch: due for epoch, due in self._again.items() if epoch >= oldest}
        await self._accepted.refresh(final)
        for epoch in range(current, oldest - 1, -1):
            if self._due(epoch) and await self._epoch(epoch, final):
                self._settle(epoch)
        await self._tend_demands(final)
        await self._collect(final)

    def _due(self, epoch: int) -> bool:
        """Epochs that are not done are looked at less and less often."""
        now = asyncio.get_running_loop().time()
        due, pause = self._again.get(epoch, (now, self.poll_s))
        if now < due:
            return False
        self._again[epoch] = (now + pause, min(MAX_PAUSE_S, 1.5 * pause))
        return True

    def _settle(self, epoch: int) -> None:
        self._again[epoch] = (asyncio.get_running_loop().time() + SETTLED_PAUSE_S, SETTLED_PAUSE_S)
        if (file := self._files.get(epoch)) is not None:
            file.sealed = None  # the largest part; fetched again where it is needed

    async def _epoch(self, epoch: int, final: Block) -> bool:
        """Whether nothing is left to do in this epoch, as far as anybody has said."""
        state = await read_epoch_state(self.chain, epoch, final)
        closed = self.timing.start(epoch) + self.timing.report_by < final.timestamp
        if state.phase == Phase.NONE:
            return closed
        if not await is_provable(self.chain, epoch, final):
            return True
        seats = await self._seats.of_set(state.set_id, final)
        scene = Scene(epoch, state.set_id, seats, state.epoch_seed, state.rho, self.chain.domain("EpochOracle"))
        announced = [seat.endpoint.rstrip("/") for seat in seats if seat.endpoint]
        urls = list(dict.fromkeys([*announced, *self.validators]))
        self.published.announce(Endpoint(seat.endpoint, seat.tls_fingerprint) for seat in seats if seat.endpoint)
        indexes = await self.published.indexes(urls, epoch)
        file = self._files.setdefault(epoch, EpochFile())
        devices = await self._devices.refresh(final)
        await self._two_commitments(scene, file, indexes, devices)
        done = await self._seal(state, scene, file, indexes, devices, closed)
        # After the openings: batches are worth reading once somebody may have passed what is wrong.
        await self._statements(scene, file, indexes)
        reported = state.phase != Phase.REPORTED or await self._report(state, scene, file, indexes)
        return done and reported and (closed or state.phase in (Phase.REPORTED, Phase.VOID))

    async def _seal(
        self,
        state: EpochState,
        scene: Scene,
        file: EpochFile,
        indexes: Sequence[PublishedEpoch],
        devices: Mapping[DeviceId, Device],
        closed: bool,
    ) -> bool:
        """Checks what was sealed; whether every sealed device was looked at to the end."""
        if state.seal_root == NOTHING:
            return True
        if file.sealed is None:
            file.sealed = await self.published.sealed(indexes, state.seal_root)
        sealed = file.sealed
        if sealed is None:
            return False

        def key_of(device_id: DeviceId) -> str | None:
            device = devices.get(device_id)
            return None if device is None else device.device_key

        fault = await asyncio.to_thread(quorum_faults.bad_seal, state.epoch, sealed, key_of, scene.domain)
        if fault is not None:
            await self.prosecutor.bring(fault)
        if state.rho == NOTHING:
            return closed or state.phase == Phase.VOID  # never drawn, so nothing was sampled
        for found in await self._openings.check(state, file, indexes, devices):
            await self.prosecutor.bring(found)
        if closed or state.phase == Phase.REPORTED:
            await self._demand(state, file, sealed, devices)
        return not self._openings.pending(state, file)

    async def _two_commitments(
        self, scene: Scene, file: EpochFile, indexes: Sequence[PublishedEpoch], devices: Mapping[DeviceId, Device]
    ) -> None:
        """A device may have shown validators different results: only hashes that differ are fetched."""
        listed: dict[DeviceId, dict[bytes, str]] = {}
        for index in indexes:
            for device_id, digests in index.held.commitments_of_each().items():
                for digest in digests:
                    listed.setdefault(device_id, {}).setdefault(digest, index.url)
        for device_id, contents in listed.items():
            device = devices.get(device_id)
            if device is None or len(contents) < 2:
                continue
            seen = file.commitments.setdefault(device_id, {})
            for digest, url in contents.items():
                if digest not in seen and (found := await self.published.commitment(url, digest)) is not None:
                    seen[digest] = found
            fault = device_faults.two_commitments(list(seen.values()), device.device_key, scene.domain, device.provider)
            if fault is not None and fault.epoch == scene.epoch:
                await self.prosecutor.bring(fault)

    async def _statements(self, scene: Scene, file: EpochFile, indexes: Sequence[PublishedEpoch]) -> None:
        """Brings what a seat signed twice, and passes of devices that were convicted."""
        for statement in {s for index in indexes for s in index.held.statements} | await self._accepted_too(
            scene, indexes
        ):
            checked = seat_faults.checked_statement(scene, statement)
            if checked is not None:
                file.heard(statement.seat, checked)
        for digest, batch in await self._batches(file, indexes):
            file.batches_read[digest] = len(file.convicted)
            checked = seat_faults.checked_batch(scene, batch)
            if checked is None:
                continue
            file.heard(batch.seat, checked)
            for conviction in file.convicted.values():
                passed = seat_faults.false_pass(scene, batch, conviction, file.sealed or ())
                if passed is not None:
                    await self.prosecutor.bring(passed)
        for seat in scene.seats:
            fault = seat_faults.two_statements(scene, seat, file.said.get(seat.account, ()))
            if fault is not None:
                await self.prosecutor.bring(fault)

    async def _accepted_too(self, scene: Scene, indexes: Sequence[PublishedEpoch]) -> set[SignedStatement]:
        """What its signers signed on the chain, where something was signed for the same round elsewhere."""
        found: set[SignedStatement] = set()
        elsewhere = {(s.what, s.round) for index in indexes for s in index.held.statements}
        for what in (Statement.SEAL, Statement.REPORT):
            if (what, self._accepted.round_of(what, scene.epoch)) in elsewhere:
                found.update(await self._accepted.statements(scene, what))
        return found

    async def _batches(self, file: EpochFile, indexes: Sequence[PublishedEpoch]) -> list[tuple[bytes, BatchMessage]]:
        """Batches worth reading, with their hashes: two of one seat, and all where a device was convicted since."""
        listed: dict[str, dict[bytes, str]] = {}
        for index in indexes:
            for batch in index.held.batches:
                listed.setdefault(batch.seat, {}).setdefault(batch.content, index.url)
        found = []
        for contents in listed.values():
            for digest, url in contents.items():
                unread = file.batches_read.get(digest, -1)
                if unread < len(file.convicted) and (len(contents) > 1 or file.convicted):
                    read = await self.published.batch(url, digest)
                    if read is not None:
                        found.append((digest, read))
        return found

    async def _report(
        self, state: EpochState, scene: Scene, file: EpochFile, indexes: Sequence[PublishedEpoch]
    ) -> bool:
        """Checks the accepted report; whether all of it was to be had."""
        if file.report_checked:
            return True
        devices = await self.published.devices(indexes, state.devices_root)
        rewards = await self.published.rewards(indexes, state.rewards_root)
        if devices is None or rewards is None or (file.sealed is None and state.seal_root != NOTHING):
            return False
        fault = await asyncio.to_thread(quorum_faults.unsealed_pass, state.epoch, devices, file.sealed or ())
        if fault is not None:
            await self.prosecutor.bring(fault)
        before = self._accepted.reports_before(state.epoch)
        if before:
            earlier = await read_epoch_state(self.chain, before[0])
            old = await self.published.indexes([index.url for index in indexes], before[0])
            lines = await self.published.rewards(old, earlier.rewards_root)
            if lines is None:
                return earlier.phase != Phase.REPORTED
            shrunk = quorum_faults.shrunk_reward(before[0], lines, state.epoch, rewards)
            if shrunk is not None:
                await self.prosecutor.bring(shrunk)
        file.report_checked = True
        return True

    async def _demand(
        self, state: EpochState, file: EpochFile, sealed: Sequence[SealedLeaf], devices: Mapping[DeviceId, Device]
    ) -> None:
        """Demands openings that were nowhere to be had at several looks."""
        for leaf in self._openings.pending(state, file):
            if file.unserved.get(leaf.device_id, 0) >= LOOKS_BEFORE_DEMAND and leaf.device_id in devices:
                profile = await self._openings.profile(devices[leaf.device_id].profile_id)
                shown = seat_faults.sealed_argument(sealed, leaf.device_id)
                await self.demands.make(state.epoch, shown, profile)

    async def _tend_demands(self, final: Block) -> None:
        """Ends demands that have run out, and reads what was answered: a row that is shown may be wrong."""
        for answer in await self.demands.tend():
            epoch, device_id = answer.demand.epoch, answer.demand.device_id
            if answer.row is None:
                self.demands.close(answer.demand, "closed")
                continue
            state = await read_epoch_state(self.chain, epoch, final)
            file = self._files.setdefault(epoch, EpochFile())
            leaf = next((leaf for leaf in file.sealed or () if leaf.device_id == device_id), None)
            device = (await self._devices.refresh(final)).get(device_id)
            if leaf is None or device is None:
                continue  # the sealed lines are not to be had now: at the next look
            self.demands.close(answer.demand, "answered")
            profile = await self._openings.profile(device.profile_id)
            conviction = await asyncio.to_thread(wrong_row, profile, state.epoch_seed, leaf, answer.row)
            if conviction is not None:
                file.convicted[device_id] = conviction
                await self.prosecutor.bring(conviction.of_device(epoch, device.provider))
            elif not self.demands.asks_on(epoch, device_id):
                self.notebook.note(epoch, device_id, "valid", "the rows that were demanded are right")

    async def _collect(self, final: Block) -> None:
        """Makes slashes final whose hold is over, and pulls what is due: bonds after each demand that ended, bounties
        after each slash that was settled, both once after a start, which a stop may have come before."""
        await self.holds.follow(final)
        earned, waiting = await self.holds.settle(), len(self.notebook.demands())
        if self._waiting is None or waiting < self._waiting:
            await self.demands.collect_bonds()
        if self._waiting is None or earned:
            await self.holds.collect()
        self._waiting = waiting
