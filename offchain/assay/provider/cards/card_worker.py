"""One place and its worker: kept alive, asked the most urgent thing first, and taken off the card for a renter."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from assay.protocol.profile import Profile
from assay.protocol.types import Seed
from assay.provider.cards.faults import CardFailed, CardFault, CardFaultKind, fault_of
from assay.provider.cards.process_link import Launch, Link
from assay.provider.cards.tasks import (
    Flush,
    OpenLanes,
    OpenRows,
    Prepare,
    Prove,
    Proven,
    Request,
    Task,
    Urgency,
    Walk,
    Walked,
)
from assay.provider.cards.worker_process import WorkerOrder
from assay.provider.errors import Unavailable

FIRST_BACK_OFF_S, MAX_BACK_OFF_S = 1.0, 60.0
MIN_LIMIT_S, DEADLINES = 600.0, 20  # a worker that takes so long is hung
FLUSH_S = 20.0
WorkerState = Literal["idle", "starting", "ready", "working", "down", "leased"]

Look = Callable[[Profile | None, frozenset[int]], Awaitable[CardFault | None]]
"""What is wrong with the card now, for work of this profile; the processes are the worker's own. Never raises."""
log = structlog.get_logger()


async def no_look(profile: Profile | None, ours: frozenset[int]) -> CardFault | None:
    """Of a processor."""
    return None


@dataclass(frozen=True)
class _Job:
    request: Request
    done: asyncio.Future[Any]
    asked: float


@dataclass
class WorkerReport:
    """How a place stands; times in seconds since 1970, `proof_s` how long the latest proof took."""

    place: str
    state: WorkerState = "idle"
    engine: str | None = None
    why: str = ""
    fault: CardFault | None = None
    restarts: int = 0
    proofs: int = 0
    proof_s: float | None = None
    since: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "card": self.place,
            "state": self.state,
            "engine": self.engine,
            "why": self.why,
            "restarts": self.restarts,
            "proofs": self.proofs,
            "proofSeconds": self.proof_s,
            **(self.fault.to_json() if self.fault else {"fault": None}),
        }


class CardWorker:
    """A worker that dies is started again, later each time it does; what it was at is lost, what waits is not."""

    def __init__(
        self,
        order: WorkerOrder,
        launch: Launch,
        look: Look = no_look,
        *,
        place: str | None = None,
        off: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`off`: from the start, until `put_back`."""
        self._order = order
        self._launch = launch
        self._look = look
        self._clock = clock
        self._sleep = sleep
        self.report = WorkerReport(place or order.card or "cpu", since=clock())
        self._waiting: list[tuple[Urgency, int, _Job]] = []
        self._count = itertools.count()
        self._wake = asyncio.Event()
        self._link: Link | None = None
        self._pids: frozenset[int] = frozenset()
        self._serving: asyncio.Task[None] | None = None
        self._off = off
        self._closed = False
        self._back_off = FIRST_BACK_OFF_S
        self._epoch: tuple[tuple[Profile, ...], Seed] = ((), Seed(b""))

    @property
    def place(self) -> str:
        return self.report.place

    @property
    def card(self) -> str:
        """The uuid of its card; empty for a processor."""
        return self._order.card

    @property
    def is_off(self) -> bool:
        """Whether it was taken off its card."""
        return self._off

    @property
    def pids(self) -> frozenset[int]:
        """Its process, where there is one: from its start on, for it is on the card before it is ready."""
        return self._pids

    def start(self) -> None:
        """Has the worker come up now, before anything is asked of it."""
        if self._serving is None and not self._closed:
            self._serving = asyncio.create_task(self._serve(), name=f"worker of {self.place}")

    def remember_epoch(self, profiles: Sequence[Profile], epoch_seed: Seed) -> None:
        """What a worker that is started again makes ready first."""
        self._epoch = tuple(profiles), epoch_seed

    async def prepare(self, profile: Profile, epoch_seed: Seed) -> None:
        """Generates B ahead of the challenges. Raises CardFailed."""
        await self.ask(Prepare(profile, epoch_seed))

    async def prove(self, task: Task, urgency: Urgency = Urgency.ORDINARY) -> Proven:
        """The proof of a task, made now unless it is still held. Raises CardFailed, Unavailable."""
        proven: Proven = await self.ask(Prove(task, keep=urgency is Urgency.CHALLENGE), urgency)
        return proven

    async def open(self, task: Task, rows: Sequence[tuple[int, int]], urgency: Urgency = Urgency.ORDINARY) -> bytes:
        """The opening of rows (t, i), in the order asked. Raises CardFailed, Unavailable."""
        opening: bytes = await self.ask(OpenRows(task, tuple(rows)), urgency)
        return opening

    async def probe(self, task: Task, challenge: bytes, urgency: Urgency = Urgency.ORDINARY) -> Walked:
        """The memory probe of a task from π. Raises CardFailed, Unavailable."""
        walked: Walked = await self.ask(Walk(task, challenge), urgency)
        return walked

    async def open_lanes(self, task: Task, challenge: bytes, lanes: Sequence[int]) -> bytes:
        """The opening of lanes of a probe, in the order asked. Raises CardFailed, Unavailable."""
        opening: bytes = await self.ask(OpenLanes(task, challenge, tuple(lanes)))
        return opening

    async def ask(self, request: Request, urgency: Urgency = Urgency.ORDINARY) -> Any:
        """The worker's answer, after what is more urgent."""
        if self._closed or self._off:
            raise CardFailed(self.place, _LEASED if self._off else _STOPPED)
        if self.report.state == "down" and self.report.fault is not None:
            raise CardFailed(self.place, self.report.fault)
        job = _Job(request, asyncio.get_running_loop().create_future(), self._clock())
        heapq.heappush(self._waiting, (urgency, next(self._count), job))
        self._wake.set()
        self.start()
        return await job.done

    async def look(self) -> CardFault | None:
        """Looks at the card between proofs, for the work of this epoch; one that is gone takes its worker's context
        along.
        """
        if self._off:
            return None
        profiles, _ = self._epoch
        found = [await self._look(profile, self._pids) for profile in profiles or (None,)]
        fault = min((one for one in found if one), key=lambda one: not one.blocks, default=None)
        if fault is not None and fault.blocks and fault.kind in _ENDS_CONTEXT and self._link is not None:
            self._link.kill()  # the loop starts another, which chooses its engine anew
            self._wake.set()
        if fault is not None:
            self._note(fault)
        elif self.report.fault is not None and self.report.fault.kind in _PASSING and self.report.state != "down":
            self.report.fault = None
        return fault

    async def take_off(self) -> None:
        """Ends the worker, so that nothing of ours is on the card, once what is to be kept lies on the disk. What it
        was at is lost. Raises CardFailed where its process does not end.
        """
        self._off = True
        self.report.fault = None
        self._set_state("leased")
        await self._stop_serving()  # kills a worker that is at something
        self._fail_waiting(_LEASED)
        link, self._link = self._link, None
        if link is None:
            self._pids = frozenset()
            return
        try:
            if link.alive:
                await link.ask(Flush(), FLUSH_S)
        except Exception as error:
            log.warning("proofs could not be stored", card=self.place, error=str(error))
        finally:
            link.kill()
            await link.gone()
        self._pids = frozenset()

    def put_back(self) -> None:
        """The card is ours again."""
        if self._off and not self._closed:
            self._off = False
            self._back_off = FIRST_BACK_OFF_S
            self.report.fault = None
            self._set_state("idle")
            self.start()

    async def close(self) -> None:
        """Ends the worker and takes no more."""
        self._closed = True
        await self._stop_serving()
        self._fail_waiting(_STOPPED)
        if self._link is not None:
            self._link.kill()
            with suppress(CardFailed):
                await self._link.gone()
            self._link = None

    async def _stop_serving(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def _serve(self) -> None:
        while True:
            if self._link is None or not self._link.alive:
                await self._bring_up()
                continue
            self._wake.clear()
            if not self._waiting:
                await self._idle(self._link)
                continue
            _, _, job = heapq.heappop(self._waiting)
            if not job.done.done():  # who asked may have given up
                await self._do(self._link, job)

    async def _idle(self, link: Link) -> None:
        """Until there is something to do, or a worker to start again, before the next challenge finds it dead."""
        waits = [asyncio.create_task(self._wake.wait()), asyncio.create_task(link.ended())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _bring_up(self) -> None:
        """One start, and the wait after one that failed."""
        self._set_state("starting")
        if self._link is not None:
            link, self._link = self._link, None
            link.kill()
            self.report.restarts += 1
            log.warning("restarting a worker", card=self.place, restarts=self.report.restarts)
            with suppress(CardFailed):
                await link.gone()
        self._pids = frozenset()
        try:
            fault = await self._look(None, self._pids)
            if fault is not None and fault.blocks:
                raise CardFailed(self.place, fault)
            self.report.fault = fault
            self._link = await self._launch(self._order, self._note_process)
            self.report.engine, self.report.why = self._link.hello.engine, self._link.hello.why
            await self._prepare_again(self._link)
        except Exception as error:  # whatever it is, it must not end the loop
            await self._wait_after(error.fault if isinstance(error, CardFailed) else fault_of(error))
            return
        self._set_state("ready")
        log.info("this card is ready", card=self.place, engine=self.report.engine, why=self.report.why)

    def _note_process(self, pid: int) -> None:
        self._pids = frozenset({pid})

    async def _wait_after(self, fault: CardFault) -> None:
        """A start that failed: longer each time, while what is asked is refused at once."""
        self._note(fault)
        self._set_state("down")
        self._fail_waiting(fault)
        wait, self._back_off = self._back_off, min(self._back_off * 2, MAX_BACK_OFF_S)
        log.error("this card cannot be used", card=self.place, again_in_s=wait, **fault.to_json())
        await self._sleep(wait)

    async def _prepare_again(self, link: Link) -> None:
        profiles, epoch_seed = self._epoch
        for profile in profiles:
            try:
                await self._require(profile)
                await link.ask(Prepare(profile, epoch_seed), _limit(profile))
            except CardFailed as failed:
                if not link.alive:
                    raise
                self._note(failed.fault)  # what it has committed to it can still open
            except Unavailable as refused:
                log.warning("not prepared", card=self.place, profile=profile.id, error=str(refused))

    async def _do(self, link: Link, job: _Job) -> None:
        self._set_state("working")
        try:
            profile = _profile(job.request)
            if isinstance(job.request, Prepare | Prove | Walk):
                await self._require(profile)
            answer = await link.ask(job.request, _limit(profile))
        except asyncio.CancelledError:
            _fail(job.done, CardFailed(self.place, _LEASED if self._off else _STOPPED))
            raise
        except CardFailed as failed:
            fault = await self._better_known(failed.fault)
            if self._note(fault):  # validators ask again and again
                log.error("this card failed while proving", card=self.place, **fault.to_json())
            _fail(job.done, CardFailed(self.place, fault))
        except Exception as error:  # refused, and what no worker should do: neither may end the loop
            _fail(job.done, error)
        else:
            self._note_success(job.request, answer, self._clock() - job.asked)
            if not job.done.done():
                job.done.set_result(answer)
        if not self._off:
            self._set_state("ready" if link.alive else "starting")

    async def _require(self, profile: Profile | None) -> None:
        """Raises CardFailed for a card that is not as it should be: asked before every proof."""
        fault = await self._look(profile, self._pids)
        if fault is not None:
            if fault.blocks:
                raise CardFailed(self.place, fault)
            self._note(fault)

    async def _better_known(self, fault: CardFault) -> CardFault:
        """What the card itself says of a failure of its engine."""
        if fault.kind not in (CardFaultKind.LOST, CardFaultKind.WORKER_DIED, CardFaultKind.WORKER_HUNG):
            return fault
        seen = await self._look(None, self._pids)
        return seen if seen is not None and seen.blocks else fault

    def _note_success(self, request: Request, answer: Any, took_s: float) -> None:
        self._back_off = FIRST_BACK_OFF_S
        if not isinstance(request, Prove) or not isinstance(answer, Proven):
            return
        self.report.proofs += 1
        self.report.proof_s = answer.elapsed_us / 1e6
        allowed = request.task.profile.deadline_ms / 1000
        fault = self.report.fault
        if request.keep and allowed and took_s > allowed:
            what = f"a challenge took {took_s:.1f} s, profile {request.task.profile.id} allows {allowed:.1f} s"
            self._note(CardFault(CardFaultKind.TOO_SLOW, what, blocks=False))
        elif fault is not None and (fault.blocks or fault.kind is CardFaultKind.TOO_SLOW):
            self.report.fault = None

    def _note(self, fault: CardFault) -> bool:
        """Whether it is another than was known."""
        new = self.report.fault is None or self.report.fault.kind is not fault.kind
        if new:
            log.warning("something is wrong with a card", card=self.place, **fault.to_json())
        self.report.fault = fault
        return new

    def _set_state(self, state: WorkerState) -> None:
        if self.report.state != state:
            self.report.state, self.report.since = state, self._clock()

    def _fail_waiting(self, fault: CardFault) -> None:
        waiting, self._waiting = self._waiting, []
        for _, _, job in waiting:
            _fail(job.done, CardFailed(self.place, fault))


_LEASED = CardFault(CardFaultKind.LEASED, "its renter has it")
_STOPPED = CardFault(CardFaultKind.WORKER_DIED, "the daemon stops")
_ENDS_CONTEXT = frozenset({CardFaultKind.LOST, CardFaultKind.DRIVER_RESET, CardFaultKind.NOT_THERE})
_PASSING = frozenset(
    {
        CardFaultKind.TOO_HOT,
        CardFaultKind.OTHER_PROCESS,
        CardFaultKind.OUT_OF_MEMORY,
        CardFaultKind.ECC_ERRORS,
        CardFaultKind.SLOW_DRIVER,
    }
)


def _fail(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


def _profile(request: Request) -> Profile | None:
    if isinstance(request, Prepare):
        return request.profile
    return None if isinstance(request, Flush) else request.task.profile


def _limit(profile: Profile | None) -> float:
    deadline_s = profile.deadline_ms / 1000 if profile is not None else 0.0
    return max(MIN_LIMIT_S, DEADLINES * deadline_s)
