"""The validator's process: follows the chain, starts a run for each epoch, and stops in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import OperationalError

from assay.chain.errors import ChainError
from assay.daemon.ending import end_tasks
from assay.validator.chain.check_ins import CheckIns
from assay.validator.context import EpochContext
from assay.validator.epoch_run import EpochRun
from assay.validator.peers.peer_client import PeerClient
from assay.validator.phases.liveness import LivenessWatch
from assay.validator.pruning import Pruning
from assay.validator.rules.deadlines import deadlines
from assay.validator.services import ValidatorServices

ENDPOINTS_S = 5.0  # between looks at the endpoints that seats announce
OVERDUE_EPOCHS = 8  # how long after its end an epoch that was begun here is still closed
SCHEDULE_S = 0.2
STORAGE_ERRORS = (OperationalError, OSError)
STORAGE_RETRY_S = 2.0

log = structlog.get_logger()


@dataclass
class Daemon:
    """Runs epochs for the seat of `account` until told to stop."""

    services: ValidatorServices
    peers: PeerClient
    account: str
    runs: dict[int, EpochRun] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)  # outcomes of epochs since the start
    endpoints: dict[str, str] = field(default_factory=dict)
    endpoints_read: bool = False  # whether `endpoints` was read from the chain at all
    storage_error: str = ""  # why nothing can be stored now
    pruning: Pruning = field(init=False)
    _resume_at: dict[int, float] = field(default_factory=dict)
    _tasks: dict[int, asyncio.Task[str]] = field(default_factory=dict)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        s = self.services
        self.pruning = Pruning(self.account, s.reader, s.follower, s.store, s.gossip, s.clock, s.keep_openings)

    def run_of(self, epoch: int) -> EpochRun | None:
        """The run of an epoch at work."""
        return self.runs.get(epoch)

    def stop(self) -> None:
        """Asks `run` to return."""
        self._stopping.set()
        self.services.wake.notify()

    async def run(self) -> None:
        """Returns after `stop`, with every run cancelled where it stood: the store
        and the chain hold the rest.
        """
        background = [
            asyncio.create_task(self.services.follower.run(self._stopping.is_set)),
            asyncio.create_task(self._follow_endpoints()),
            asyncio.create_task(self.pruning.run()),
            asyncio.create_task(self._liveness().run()),
            asyncio.create_task(self._check_ins().run()),
        ]
        try:
            while not self._stopping.is_set():
                self._restart_reorganised()
                self._start_due()
                self._collect_done()
                _raise_failed(background)
                await self.services.clock.sleep(SCHEDULE_S)
        finally:
            await end_tasks((*background, *self._tasks.values()))

    def _check_ins(self) -> CheckIns:
        s = self.services
        return CheckIns(self.account, s.reader, s.writer, s.follower, s.store, s.clock, s.pace)

    def _liveness(self) -> LivenessWatch:
        s = self.services
        return LivenessWatch(s.reader, s.follower, s.devices, s.store, s.clock, s.pace, s.random, self._latest_context)

    def _latest_context(self) -> EpochContext | None:
        """Of the latest epoch that is open here."""
        records = (run.record for _, run in sorted(self.runs.items(), reverse=True))
        return next((record.context for record in records if record is not None), None)

    def _start_due(self) -> None:
        timing = self.services.reader.timing
        current = timing.epoch_at(self.services.clock.now() + 1.0)
        if current is None or self.services.follower.head is None:
            return
        # The epoch before may still be open for its report, and one that was begun here wait to be closed.
        for epoch in range(max(0, current - OVERDUE_EPOCHS), current + 1):
            if epoch in self.runs or self.services.clock.now() < self._resume_at.get(epoch, 0.0):
                continue
            known = self.services.store.epoch(epoch)
            closed = deadlines(timing, epoch).report_by <= self.services.clock.now()
            if (known is None and not closed) or (known is not None and known.outcome == "running"):
                self.runs[epoch] = EpochRun(self.services, epoch, self.account)
                self._tasks[epoch] = asyncio.create_task(self.runs[epoch].run())

    def _restart_reorganised(self) -> None:
        """What stood on a block that was final and is no more is undone: the epoch is begun anew from the chain.

        Nothing of it can be held against the seat: what it signed names the old epoch seed or rho.
        """
        for epoch, run in list(self.runs.items()):
            state = self.services.follower.at_final(epoch)
            task = self._tasks.get(epoch)
            if run.record is None or state is None or task is None:
                continue
            other_draw = run.rho is not None and state.rho != run.rho
            if state.epoch_seed != run.record.context.epoch_seed or other_draw:
                log.warning("a reorganisation removed this epoch: starting it again", epoch=epoch)
                task.cancel()
                del self._tasks[epoch], self.runs[epoch]

    def _collect_done(self) -> None:
        for epoch, task in list(self._tasks.items()):
            if not task.done():
                continue
            del self._tasks[epoch]
            error = task.exception()
            if error is None:
                outcome, self.storage_error = task.result(), ""
            elif isinstance(error, STORAGE_ERRORS):
                self._wait_for_room(epoch, error)
                continue
            else:
                log.error("epoch failed", epoch=epoch, error=repr(error), exc_info=error)
                outcome = "failed"
                self.services.store.update_epoch(epoch, outcome=outcome, reason=repr(error)[:256])
            self.counts[outcome] = self.counts.get(outcome, 0) + 1
            self._forget(epoch)

    def _wait_for_room(self, epoch: int, error: BaseException) -> None:
        """A full disk ends no epoch: it goes on from what is stored as soon as there is room."""
        if not self.storage_error:
            log.error("nothing can be stored: make room", epoch=epoch, error=str(error)[:300])
        self.storage_error = str(error)[:300]
        self._resume_at[epoch] = self.services.clock.now() + STORAGE_RETRY_S
        self.runs.pop(epoch, None)

    def _forget(self, epoch: int) -> None:
        # A late peer may still ask about the last few; the chain needs no look at them.
        for old in [e for e in self.runs if e <= epoch and e not in self._tasks]:
            self.services.follower.forget(old)
            if old <= epoch - 3:
                del self.runs[old]
                self._resume_at.pop(old, None)

    async def _follow_endpoints(self) -> None:
        while True:
            final = self.services.follower.final
            if final is not None:
                try:
                    announced = await self.services.reader.seat_endpoints(final)
                    self.endpoints = {account: endpoint.url for account, endpoint in announced.items()}
                    self.endpoints_read = True
                    self.peers.update(announced)
                except ChainError as error:
                    log.warning("endpoints not read", error=str(error))
            await self.services.clock.sleep(ENDPOINTS_S if self.endpoints else SCHEDULE_S)


def _raise_failed(background: Iterable[asyncio.Task[None]]) -> None:
    """What runs beside the epochs for as long as the daemon does has no business to end."""
    for task in background:
        if task.done() and not task.cancelled():
            task.result()
