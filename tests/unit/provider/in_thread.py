"""Card workers without processes: the same work in a thread, and links that fail as a test wants them to."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from assay.proof.engines import Engine
from assay.proof.errors import NotEnoughMemory, ProofError
from assay.provider.cards.card_worker import CardWorker, Look, no_look
from assay.provider.cards.faults import CardFailed, CardFault, CardFaultKind, fault_of
from assay.provider.cards.kept_proofs import KeptProofs
from assay.provider.cards.process_link import Link
from assay.provider.cards.proving import Proving
from assay.provider.cards.worker_process import Hello, WorkerOrder
from assay.provider.errors import Unavailable

PIDS = itertools.count(1000)


class ThreadLink:
    """A worker in a thread of the test; `kill` is what becomes of it when its process is killed."""

    def __init__(self, proving: Any, engine: str = "reference") -> None:
        self.proving = proving
        self.hello = Hello(engine, "a test", next(PIDS))
        self.alive = True
        self.asked: list[Any] = []
        self._over = asyncio.Event()

    async def ask(self, request: Any, limit_s: float) -> Any:
        self.asked.append(request)
        if not self.alive:
            raise CardFailed("?", CardFault(CardFaultKind.WORKER_DIED, "its worker ended"))
        working = asyncio.ensure_future(asyncio.to_thread(self.proving.do, request))
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({working, over}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            over.cancel()
        if not working.done():
            working.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise CardFailed("?", CardFault(CardFaultKind.WORKER_DIED, "its worker ended with signal 9"))
        try:
            return working.result()
        except NotEnoughMemory as error:  # as a worker's process tells it
            raise CardFailed("?", fault_of(error)) from None
        except ProofError as error:
            raise Unavailable(str(error)) from None

    async def ended(self) -> None:
        await self._over.wait()

    def kill(self) -> None:
        self.alive = False
        self._over.set()

    async def gone(self) -> None:
        return None


class ThreadWorker(CardWorker):
    """A card worker whose work is done in threads."""

    def __init__(
        self,
        make_engine: Callable[[], Engine] | None,
        max_proofs: int = 2,
        *,
        card: str = "",
        place: str | None = None,
        look: Look = no_look,
        folder: Path | None = None,
        off: bool = False,
        failures: list[CardFault] | None = None,
        ready: Callable[[], Awaitable[Any]] = partial(asyncio.sleep, 0),
    ) -> None:
        """`failures` are how its first starts end, `ready` what one waits for; `slept` are the waits after failures."""
        self.links: list[ThreadLink] = []
        self.slept: list[float] = []
        self.ready = ready
        kept = KeptProofs(folder) if folder else None

        async def launch(order: WorkerOrder, started: Callable[[int], None]) -> Link:
            if failures:
                raise CardFailed(card or "cpu", failures.pop(0))
            self.links.append(ThreadLink(Proving(make_engine, max_proofs, kept)))
            started(self.links[-1].hello.pid)
            await self.ready()
            return self.links[-1]

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            await asyncio.sleep(0)

        order = WorkerOrder(card, "reference", 31337, max_proofs, str(folder or ""))
        super().__init__(order, launch, look, place=place, off=off, sleep=sleep)

    @property
    def proofs(self) -> OrderedDict[Any, Any]:
        """What the latest worker holds."""
        held: OrderedDict[Any, Any] = self.links[-1].proving._proofs
        return held
