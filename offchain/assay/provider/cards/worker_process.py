"""The process of one place: it has one card and no other, works off what the daemon asks, and ends with the daemon.

Started by `process_link`, with CUDA_VISIBLE_DEVICES in its environment before anything of CUDA is imported.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import queue
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.proof.engines.registry import AUTO, GPU_NAMES
from assay.provider.cards.faults import CardFault, fault_of
from assay.provider.errors import ProviderError
from assay.provider.runtime.supervisor import PR_SET_PDEATHSIG

if TYPE_CHECKING:
    from collections.abc import Callable

    from assay.proof.engines import Engine


@dataclass(frozen=True)
class WorkerOrder:
    """What a worker is started with: its card's uuid (empty for the processor), the engine's name, how many proofs it
    keeps and where. `opens_only`: the card is leased, only what was kept is opened.
    """

    card: str
    engine: str
    chain_id: int
    max_proofs: int
    folder: str
    opens_only: bool = False


@dataclass(frozen=True)
class Hello:
    """A worker that is ready: the engine that it chose, and why."""

    engine: str
    why: str
    pid: int


@dataclass(frozen=True)
class WorkerAnswer:
    """`value` where it went well; else `fault`, or `refused` for what is no fault of the card. `broken`: the process is
    of no use any more.
    """

    value: Any = None
    fault: CardFault | None = None
    refused: str | None = None
    broken: bool = False


class _Reasons(logging.Handler):
    """What the choice of an engine says on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def choose_engine(order: WorkerOrder) -> tuple[Callable[[], Engine], str, str]:
    """What makes engines, the name of what it makes, and why that one: chosen once, at the start of a worker.

    `auto` takes the fastest that works on the card, and never the processor in a card's stead. Raises ProofError,
    ProviderError.
    """
    from assay.proof.engines import engine
    from assay.proof.errors import EngineUnavailable
    from assay.provider.measurement.trap_engines import engine_maker

    if order.engine != AUTO:
        make = engine_maker(order.engine, order.chain_id)
        first = make()
        check = getattr(first, "check", None)
        if check is not None:
            check()
        return make, first.name, f"--engine {order.engine}"
    if not order.card:
        return lambda: engine("cpu"), "cpu", "the device was enrolled as a processor"
    reasons, registry = _Reasons(), logging.getLogger("assay.proof.engines")
    level = registry.level
    registry.addHandler(reasons)
    registry.setLevel(logging.INFO)  # what was chosen is no warning
    try:
        name = engine(AUTO).name
    finally:
        registry.setLevel(level)
        registry.removeHandler(reasons)
    said = "; ".join(reasons.said)
    if name not in GPU_NAMES:
        raise EngineUnavailable(said or "CUDA's driver (libcuda.so.1) does not load on this machine")
    return lambda: engine(name), name, said


def main() -> int:
    """Serves one connection until it is closed."""
    # The reader below sees a daemon's end, but not in a process that hangs.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    order = WorkerOrder(**json.loads(sys.argv[2]))
    connection = Connection(int(sys.argv[1]))
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, requests), daemon=True).start()
    try:
        proving, hello = _begin(order)
    except Exception as error:
        connection.send(WorkerAnswer(fault=fault_of(error), broken=True))
        return 1
    connection.send(WorkerAnswer(hello))
    while True:
        answered = _answer(proving, requests.get())
        connection.send(answered)
        if answered.broken:
            return 1


def _read(connection: Connection, requests: queue.SimpleQueue[Any]) -> None:
    """Beside the work: a daemon that is gone takes its workers along, whatever they are doing."""
    while True:
        try:
            requests.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)


def _begin(order: WorkerOrder) -> tuple[Any, Hello]:
    from assay.proof.warm_up import warm_up
    from assay.provider.cards.kept_proofs import KeptProofs
    from assay.provider.cards.proving import Proving

    kept = KeptProofs(Path(order.folder)) if order.folder else None
    if order.opens_only:
        return Proving(None, order.max_proofs, kept), Hello("cpu", "the card is leased", os.getpid())
    make, name, why = choose_engine(order)
    if name == "cpu":
        warm_up()
    elif name in GPU_NAMES and order.card:
        warm_up(make())
    return Proving(make, order.max_proofs, kept), Hello(name, why, os.getpid())


def _answer(proving: Any, request: Any) -> WorkerAnswer:
    from assay.proof.errors import DeviceLost, EngineUnavailable, NotEnoughMemory, ProofError

    try:
        return WorkerAnswer(proving.do(request))
    except (NotEnoughMemory, MemoryError) as error:
        return WorkerAnswer(fault=fault_of(error))
    except (DeviceLost, EngineUnavailable) as error:
        # A context of CUDA that has failed fails for ever: the next worker has one of its own.
        return WorkerAnswer(fault=fault_of(error), broken=True)
    except (ProofError, ProviderError, ValueError) as error:
        return WorkerAnswer(refused=str(error))
    except Exception as error:
        return WorkerAnswer(fault=fault_of(error), broken=True)
