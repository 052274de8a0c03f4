"""Workers that prove and open: one for each card, so that the devices of a node prove at once."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, TypeVar

from assay.proof.engines import Engine
from assay.proof.probe.result import ProbeResult
from assay.proof.proof import Proof
from assay.protocol.profile import Profile
from assay.protocol.types import Seed
from assay.provider.devices.cards import select_card

ENGINE_CACHE_SIZE = 2
PROBE_CACHE_SIZE = 4  # the states of all lanes are large: a gibibyte for `datacenter`
Result = TypeVar("Result")


class Urgency(IntEnum):
    """What is done first, where more is asked of a card than it does at once."""

    CHALLENGE = 0  # late by seconds is late
    ORDINARY = 1
    LATER = 2  # there is a day


@dataclass(frozen=True)
class Task:
    """What is proven: s_0 under an epoch's seed, both 32 bytes. `card` is the uuid of the GPU that does it, empty for
    what the engine takes by itself.
    """

    profile: Profile
    epoch_seed: Seed
    seed: Seed
    card: str = ""


class Prover:
    """Runs an engine in a thread of its own and keeps the latest proofs, so that rows can be opened.

    A proof that is no longer held (after a restart) is made again: it is a function of the task alone.
    """

    def __init__(
        self, make_engine: Callable[[], Engine], cached_proofs: int, first: Callable[[], None] = lambda: None
    ) -> None:
        """`first` is called in the worker's thread before any engine is made there, again where it has raised."""
        self._make_engine = make_engine
        self._cached_proofs = cached_proofs
        self._engines: OrderedDict[tuple[Profile, bytes], Engine] = OrderedDict()
        self._proofs: OrderedDict[Task, Proof] = OrderedDict()
        self._dropped: set[Task] = set()  # proofs whose window made way
        self._probes: OrderedDict[tuple[Task, bytes], ProbeResult] = OrderedDict()
        self._first: Callable[[], None] | None = first
        self._waiting: list[tuple[Urgency, int, Callable[[], Any], Future[Any]]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prover")

    async def prepare(self, profile: Profile, epoch_seed: Seed) -> None:
        """Generates B ahead of the challenges."""
        await self._run(lambda: self._engine(profile, epoch_seed))

    async def prove(self, task: Task, urgency: Urgency = Urgency.ORDINARY) -> Proof:
        """The proof of a task, made now unless it is still held. Raises what the engine raises."""
        return await self._run(lambda: self._proof(task), urgency)

    async def open(self, task: Task, rows: Sequence[tuple[int, int]], urgency: Urgency = Urgency.ORDINARY) -> bytes:
        """The opening of rows (t, i), in the order asked."""
        return await self._run(
            lambda: self._engine(task.profile, task.epoch_seed).open(self._proof(task), rows), urgency
        )

    async def probe(self, task: Task, challenge: bytes, urgency: Urgency = Urgency.ORDINARY) -> ProbeResult:
        """The memory probe of a task from π, made now unless it is still held. Raises what the engine raises."""
        return await self._run(lambda: self._probe(task, challenge), urgency)

    async def open_lanes(self, task: Task, challenge: bytes, lanes: Sequence[int]) -> bytes:
        """The opening of lanes of a probe, in the order asked."""
        return await self._run(lambda: self._probe(task, challenge).open(lanes))

    def close(self) -> None:
        """Waits for the work in hand and takes no more."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        for _, _, _, done in self._waiting:
            done.cancel()
        self._waiting.clear()

    async def _run(self, work: Callable[[], Result], urgency: Urgency = Urgency.ORDINARY) -> Result:
        done: Future[Result] = Future()
        with self._lock:
            heapq.heappush(self._waiting, (urgency, next(self._order), work, done))
        self._worker.submit(self._next)
        return await asyncio.wrap_future(done)

    def _next(self) -> None:
        """Does the most urgent of what waits, unless who asked for it has given up."""
        with self._lock:
            _, _, work, done = heapq.heappop(self._waiting)
        if not done.set_running_or_notify_cancel():
            return
        try:
            if self._first is not None:
                self._first()
                self._first = None
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    def _engine(self, profile: Profile, epoch_seed: Seed) -> Engine:
        key = (profile, epoch_seed)
        if key not in self._engines:
            engine = self._make_engine()
            engine.prepare(profile, epoch_seed)
            self._engines[key] = engine
            while len(self._engines) > ENGINE_CACHE_SIZE:
                self._engines.popitem(last=False)
        self._engines.move_to_end(key)
        return self._engines[key]

    def _proof(self, task: Task) -> Proof:
        if task not in self._proofs:
            engine = self._engine(task.profile, task.epoch_seed)
            self._drop_windows()
            self._proofs[task] = engine.prove(task.seed)
            while len(self._proofs) > self._cached_proofs:
                self._dropped.discard(self._proofs.popitem(last=False)[0])
        self._proofs.move_to_end(task)
        return self._proofs[task]

    def _drop_windows(self) -> None:
        """A card has room for the window of one proof: those of earlier ones make way."""
        self._probes.clear()
        for task, proof in self._proofs.items():
            without = proof.without_window()
            if without is not proof:
                self._proofs[task] = without
                self._dropped.add(task)

    def _probe(self, task: Task, challenge: bytes) -> ProbeResult:
        key = (task, challenge)
        if key not in self._probes:
            if task in self._dropped:
                self._dropped.discard(task)
                self._proofs.pop(task, None)
            proof = self._proof(task)
            self._probes[key] = self._engine(task.profile, task.epoch_seed).probe(proof, challenge)
            while len(self._probes) > PROBE_CACHE_SIZE:
                self._probes.popitem(last=False)
        self._probes.move_to_end(key)
        return self._probes[key]


class Provers:
    """A prover for each card. Devices on one card, or on the processor, are served in turn, as they would be anyway."""

    def __init__(
        self,
        make_engine: Callable[[], Engine],
        cards: Iterable[str],
        cached_proofs: int,
        select: Callable[[str], None] = select_card,
    ) -> None:
        """On each card `kept_proofs` are kept. A task for none of these cards goes to the first; without any card one
        worker does everything.
        """
        self._provers = {
            card: Prover(make_engine, cached_proofs, partial(select, card)) for card in dict.fromkeys(cards)
        } or {"": Prover(make_engine, cached_proofs)}

    async def prepare(self, profile: Profile, epoch_seed: Seed, card: str) -> None:
        """Generates B on a card ahead of the challenges."""
        await self._of(card).prepare(profile, epoch_seed)

    async def prove(self, task: Task, urgency: Urgency = Urgency.ORDINARY) -> Proof:
        """As `Prover.prove`."""
        return await self._of(task.card).prove(task, urgency)

    async def open(self, task: Task, rows: Sequence[tuple[int, int]], urgency: Urgency = Urgency.ORDINARY) -> bytes:
        """As `Prover.open`."""
        return await self._of(task.card).open(task, rows, urgency)

    async def probe(self, task: Task, challenge: bytes, urgency: Urgency = Urgency.ORDINARY) -> ProbeResult:
        """As `Prover.probe`."""
        return await self._of(task.card).probe(task, challenge, urgency)

    async def open_lanes(self, task: Task, challenge: bytes, lanes: Sequence[int]) -> bytes:
        """As `Prover.open_lanes`."""
        return await self._of(task.card).open_lanes(task, challenge, lanes)

    def close(self) -> None:
        """Waits for the work in hand and takes no more."""
        for prover in self._provers.values():
            prover.close()

    def _of(self, card: str) -> Prover:
        return self._provers.get(card) or next(iter(self._provers.values()))
