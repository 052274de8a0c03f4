"""Proves the cards of a lease inside its pod, under a nonce of our own, and verifies that here.

Nothing that the pod says of itself counts but what the arithmetic and this machine's clock bear out. It shows that what
computes for the pod is as fast as what was rented, and has its memory; not that it stands in the provider's machine.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assay.chain.contracts.devices import Device
from assay.proof.pod import bundle
from assay.proof.pod.judgement import Times, clocked_gops, fault, is_late, walk_limit_s, work_limit_s
from assay.proof.pod.messages import MAX_LINE, Line, PodTask, ProverStep, Question, lanes_file, rows_file
from assay.proof.probe.layout import OPENED_LANES
from assay.protocol.profile import Profile
from assay.protocol.types import Root, Seed
from assay.renter.errors import NotProven, ProofRejected, RenterError, Unreachable
from assay.renter.lease.handover import Expected, check_lanes, check_opening, opening_length
from assay.renter.session.file_transfer import Transfer
from assay.renter.session.jobs import run_job
from assay.renter.session.provider_session import ProviderSession

HOME = ".assay-prover"  # in the workspace; libraries and compiled kernels stay there for the next proof
WALL_S = 1_800
READY_S = 1_200.0  # for libraries to be fetched and kernels to be compiled
OPENED_S = 120.0
ENDING_S = 10.0
LINES = 8  # of one device at most


@dataclass(frozen=True, slots=True)
class PodProof:
    """One device's proof that verified. `gops` by this machine's clock, `expected_gops` what it showed before the lease
    (0: not known); `fault` says what is short, empty where nothing is; `engine` is the pod's own word.
    """

    device: Device
    profile: Profile
    times: Times
    gops: int
    expected_gops: int
    fault: str
    engine: str


class _Told:
    """What the devices of a pod have said, and when."""

    def __init__(self, devices: int, monotonic: Callable[[], float]) -> None:
        self._devices, self._monotonic = devices, monotonic
        self._partial = b""
        self._lines: dict[tuple[int, ProverStep], tuple[Line, float]] = {}
        self._count = 0
        self._failed = ""
        self._changed = asyncio.Event()

    def take(self, piece: bytes) -> None:
        """Output of the job as it comes."""
        now = self._monotonic()
        *whole, self._partial = (self._partial + piece).split(b"\n")
        self._partial = self._partial[-MAX_LINE:]
        for one in whole:
            try:
                line = Line.read(one.decode(errors="replace"), self._devices)
            except ValueError as error:
                self.fail(str(error))
                continue
            self._count += line is not None
            if line is not None and self._count <= LINES * self._devices:
                if line.step is ProverStep.failed:
                    self.fail(line.text or "it did not say why")
                self._lines.setdefault((line.device, line.step), (line, now))
        self._changed.set()

    def fail(self, reason: str) -> None:
        """Nothing more is waited for."""
        self._failed = self._failed or reason
        self._changed.set()

    def of(self, device: int, step: ProverStep) -> tuple[Line, float] | None:
        """A line that has come, and when."""
        return self._lines.get((device, step))

    async def all(self, step: ProverStep, seconds: float) -> list[tuple[Line, float]]:
        """Every device's line of a step. Raises Unreachable with what failed, TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                found = [self._lines.get((device, step)) for device in range(self._devices)]
                if all(found):
                    return [one for one in found if one]
                if self._failed:
                    raise Unreachable(self._failed)
                self._changed.clear()
                await self._changed.wait()


class PodProver:
    """Proves once. `wheels` are files that the pod unpacks instead of fetching libraries itself."""

    def __init__(
        self,
        session: ProviderSession,
        lease_id: int,
        epoch_seed: Seed,
        devices: Sequence[tuple[Device, Profile]],
        expected_gops: Mapping[bytes, int],
        wheels: Sequence[Path] = (),
        tell: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._lease_id = lease_id
        self._expected_gops = expected_gops
        self._wheels = wheels
        self._tell = tell
        self._monotonic = monotonic
        self._sleep = sleep
        x = secrets.token_bytes(32)
        self._devices = [Expected(lease_id, device, profile, epoch_seed, x) for device, profile in devices]
        self._run = f"{HOME}/{secrets.token_hex(8)}"

    async def prove(self) -> list[PodProof]:
        """One proof a device, in order. Raises NotProven where the pod cannot, ProofRejected for what does not verify
        or came too late, Unreachable, ProviderRefused.
        """
        for wheel in self._wheels:
            with wheel.open("rb") as file:
                size = wheel.stat().st_size
                await Transfer(self._session).put_file(f"{HOME}/wheels/{wheel.name}", file, size, 0o644)
        first = self._devices[0]
        task = PodTask(
            self._lease_id, first.epoch_seed, tuple((one.device.device_id, one.profile) for one in self._devices)
        )
        files = {
            bundle.FIRST: bundle.first_file(),
            f"{HOME}/prover.zip": bundle.packed(),
            f"{self._run}/task.json": json.dumps(task.to_json()).encode(),
        }
        job_id = await self._session.create_job(bundle.command(self._run), files, {}, {"wallSeconds": WALL_S})
        told = _Told(len(self._devices), self._monotonic)
        following = asyncio.ensure_future(self._follow(job_id, told))
        try:
            return await self._proved(told)
        finally:
            with suppress(RenterError):
                await self._ask(Question.done, bytes(32))
            await asyncio.wait({following}, timeout=ENDING_S)
            if not following.done():
                following.cancel()
                with suppress(RenterError):
                    await self._session.stop_job(job_id)
            await asyncio.gather(following, return_exceptions=True)

    async def _follow(self, job_id: str, told: _Told) -> None:
        try:
            state = await run_job(self._session, job_id, told.take)
            told.fail(f"the prover ended: {state.reason or f'exit code {state.exit_code}'}")
        except RenterError as error:
            told.fail(str(error))

    async def _proved(self, told: _Told) -> list[PodProof]:
        self._tell("the pod fetches and compiles what it proves with; the first time takes minutes")
        try:
            ready = await told.all(ProverStep.ready, READY_S)
            asked = await self._ask(Question.ping, secrets.token_bytes(32))
            way = max(at - asked for _, at in await told.all(ProverStep.pong, OPENED_S))
        except TimeoutError:
            raise NotProven(f"the pod was not ready to prove within {READY_S:.0f} s") from None
        except Unreachable as error:
            raise NotProven(f"the pod cannot prove: {error}") from None
        self._tell(f"the pod is ready ({ready[0][0].text}); it is asked now, {way * 1000:.0f} ms away")
        try:
            return await self._timed(told, way, [line.text for line, _ in ready])
        except Unreachable as error:
            raise ProofRejected(f"the proof in the pod broke off: {error}") from None

    async def _timed(self, told: _Told, way: float, engines: Sequence[str]) -> list[PodProof]:
        devices, x = self._devices, self._devices[0].x
        asked = await self._ask(Question.nonce, devices[0].nonce)
        proved = await self._all_in_time(
            told, ProverStep.proved, asked, [work_limit_s(one.profile, way) for one in devices]
        )
        work = [at - asked for _, at in proved]
        timed = [(one, Times(took, None, way)) for one, took in zip(devices, work, strict=True)]
        if late := [f"{one.name} ({times.work_s:.2f} s)" for one, times in timed if is_late(one.profile, times)]:
            raise ProofRejected(f"late in the pod: {', '.join(late)}")
        walks: list[float | None] = [None] * len(devices)
        challenge, lane_roots = secrets.token_bytes(32), [Root(b"")] * len(devices)
        if any(one.profile.W for one in devices):
            asked = await self._ask(Question.walk, challenge)
            limits = [walk_limit_s(one.profile, way) for one in devices]
            walked = await self._all_in_time(told, ProverStep.walked, asked, limits)
            walks, lane_roots = [at - asked for _, at in walked], [Root(line.root) for line, _ in walked]
        await self._ask(Question.reveal, x)
        try:
            await told.all(ProverStep.opened, OPENED_S)
        except TimeoutError:
            raise ProofRejected(f"the pod opened nothing within {OPENED_S:.0f} s") from None
        found = []
        for number, one in enumerate(devices):
            await self._verified(number, one, Root(proved[number][0].root), challenge, lane_roots[number])
            times = Times(work[number], walks[number], way)
            before = self._expected_gops.get(one.device.device_id, 0)
            gops, short = clocked_gops(one.profile, times), fault(one.profile, times, before)
            found.append(PodProof(one.device, one.profile, times, gops, before, short, engines[number]))
        return found

    async def _verified(self, number: int, one: Expected, root: Root, challenge: bytes, lane_root: Root) -> None:
        from assay.proof.probe.verification import length

        opening = await self._session.fetch(f"{self._run}/{rows_file(number)}", opening_length(one))
        await asyncio.to_thread(check_opening, root, opening, one)
        if one.profile.W:
            most = length(one.profile, OPENED_LANES)
            lanes = await self._session.fetch(f"{self._run}/{lanes_file(number)}", most)
            await asyncio.to_thread(check_lanes, root, opening, challenge, lane_root, lanes, one)

    async def _all_in_time(
        self, told: _Told, step: ProverStep, asked: float, limits: Sequence[float]
    ) -> list[tuple[Line, float]]:
        """Raises ProofRejected naming those that said nothing within the longest limit."""
        try:
            return await told.all(step, max(limits) - (self._monotonic() - asked))
        except TimeoutError:
            silent = [one.name for n, one in enumerate(self._devices) if told.of(n, step) is None]
            raise ProofRejected(f"late in the pod: {', '.join(silent)} ({max(limits):.2f} s are over)") from None

    async def _ask(self, what: Question, said: bytes) -> float:
        """Puts a question; when it was begun to be put."""
        began = self._monotonic()
        await self._session.put(f"{self._run}/{what}", said.hex().encode())
        return began
