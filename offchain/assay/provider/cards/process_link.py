"""The line to a worker's process: starts it with one card in sight, asks, and ends it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from assay.proof.threads import ENVIRONMENT as PROOF_THREADS
from assay.provider.cards.faults import CardFailed, CardFault, CardFaultKind
from assay.provider.cards.worker_process import Hello, WorkerAnswer, WorkerOrder
from assay.provider.errors import Unavailable

# Not with -m: what travels must be of the same module on both sides.
PROGRAM = "import sys; from assay.provider.cards.worker_process import main; sys.exit(main())"
START_S = 300.0  # the first one compiles its kernels
END_S = 10.0
_THREADS = (PROOF_THREADS, "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Link(Protocol):
    """A worker as the daemon holds it."""

    @property
    def hello(self) -> Hello:
        """What it said when it was ready."""

    async def ask(self, request: Any, limit_s: float) -> Any:
        """Its answer. Raises CardFailed, and Unavailable for what is no fault of the card; after a CardFailed with
        `alive` false it is of no use any more."""

    @property
    def alive(self) -> bool:
        """Whether it can be asked again."""

    async def ended(self) -> None:
        """Returns once it has ended by itself; only while nothing is asked."""

    def kill(self) -> None:
        """Ends it at once; may be called twice."""

    async def gone(self) -> None:
        """Returns once nothing of it runs. Raises CardFailed where it cannot be ended."""


Launch = Callable[[WorkerOrder, Callable[[int], None]], Awaitable[Link]]
"""Starts a worker, tells its process's id, and waits until it is ready. Raises CardFailed."""


def worker_environment(card: str, threads: int, base: Mapping[str, str]) -> dict[str, str]:
    """The daemon's environment without its settings, with one card in sight and a share of the processor's threads."""
    kept = {name: value for name, value in base.items() if not name.startswith("ASSAY_")}
    share = str(threads)
    return {
        **kept,
        **dict.fromkeys(_THREADS, share),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": card,  # empty: none at all
    }


class ProcessLink:
    """One worker process. What it is asked travels over a socket pair that only the two hold."""

    def __init__(self, card: str, process: subprocess.Popen[bytes], connection: Connection) -> None:
        self._card = card
        self._process = process
        self._connection = connection
        self._alive = True
        self._thread = ThreadPoolExecutor(1, f"worker-{process.pid}")
        self._hello: Hello | None = None

    @classmethod
    async def launch(
        cls, order: WorkerOrder, threads: int, started: Callable[[int], None] = lambda pid: None
    ) -> ProcessLink:
        """Starts it, tells `started` its process's id, and waits until its kernels are compiled. Raises CardFailed."""
        ours, theirs = Pipe()
        command = [sys.executable, "-c", PROGRAM, str(theirs.fileno()), json.dumps(asdict(order))]
        card = "" if order.opens_only else order.card
        try:
            process = subprocess.Popen(  # noqa: S603, ASYNC220 - a module of ours; it takes a millisecond
                command,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno() if _has_descriptor() else subprocess.DEVNULL,
                env=worker_environment(card, threads, os.environ),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # what ends the daemon lets it end its workers
            )
        except OSError as error:
            ours.close()
            fault = CardFault(CardFaultKind.WORKER_DIED, f"its worker process does not start: {error.strerror}")
            raise CardFailed(order.card or "cpu", fault) from None
        finally:
            theirs.close()
        started(process.pid)
        link = cls(order.card or "cpu", process, ours)
        try:
            link._hello = await link._answer(START_S)
        except BaseException:
            link.kill()
            await asyncio.shield(link.gone())
            raise
        return link

    @property
    def hello(self) -> Hello:
        assert self._hello is not None  # noqa: S101
        return self._hello

    @property
    def alive(self) -> bool:
        return self._alive

    async def ask(self, request: Any, limit_s: float) -> Any:
        try:
            self._connection.send(request)
        except OSError:
            raise self._dead() from None
        return await self._answer(limit_s)

    async def ended(self) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._connection.fileno(), over.set)  # unasked it says nothing: its end is all there is to read
        try:
            await over.wait()
            self._alive = False
        finally:
            loop.remove_reader(self._connection.fileno())

    def kill(self) -> None:
        self._alive = False
        with suppress(OSError):
            self._process.kill()

    async def gone(self) -> None:
        """Also lets go of its line."""
        try:
            await asyncio.to_thread(self._process.wait, END_S)
        except subprocess.TimeoutExpired:
            fault = CardFault(CardFaultKind.NOT_RELEASED, f"its worker {self._process.pid} does not end, killed or not")
            raise CardFailed(self._card, fault) from None
        self._thread.shutdown(wait=True)
        self._connection.close()

    async def _answer(self, limit_s: float) -> Any:
        receiving = asyncio.get_running_loop().run_in_executor(self._thread, self._connection.recv)
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the answer.
            async with asyncio.timeout(limit_s):
                answered: WorkerAnswer = await asyncio.shield(receiving)
        except TimeoutError:
            self.kill()
            await asyncio.gather(receiving, return_exceptions=True)
            fault = CardFault(CardFaultKind.WORKER_HUNG, f"no answer from its worker in {limit_s:.0f} s")
            raise CardFailed(self._card, fault) from None
        except (EOFError, OSError):
            raise self._dead() from None
        except asyncio.CancelledError:
            self.kill()  # its answer would be taken for that to the next question
            receiving.add_done_callback(lambda one: one.cancelled() or one.exception())
            raise
        if answered.broken:
            self.kill()
        if answered.fault is not None:
            raise CardFailed(self._card, answered.fault)
        if answered.refused is not None:
            raise Unavailable(answered.refused)
        return answered.value

    def _dead(self) -> CardFailed:
        self._alive = False
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        status = self._process.returncode
        how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        return CardFailed(self._card, CardFault(CardFaultKind.WORKER_DIED, f"its worker ended with {how}"))


def is_worker(pid: int) -> bool:
    """Whether a process of this machine is a daemon's worker."""
    try:
        return PROGRAM.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _has_descriptor() -> bool:
    """Whether the daemon's log is a file: not in tests that catch it."""
    try:
        return sys.stderr.fileno() >= 0
    except (OSError, ValueError):
        return False
