"""The work of one place, inside its worker process: engines, the latest proofs and probes."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.proof.engines import Engine
from assay.proof.errors import ProofError, ProofFileError
from assay.proof.probe.result import ProbeResult
from assay.proof.proof import Proof
from assay.protocol.profile import Profile
from assay.protocol.types import Seed
from assay.provider.cards.kept_proofs import KeptProofs
from assay.provider.cards.tasks import Flush, OpenLanes, OpenRows, Prepare, Prove, Proven, Request, Task, Walk, Walked

ENGINE_CACHE_SIZE = 2
PROBE_CACHE_SIZE = 4  # the states of all lanes are large: a gibibyte for `datacenter`
log = logging.getLogger(__name__)


class Proving:
    """Keeps the latest proofs, so that rows can be opened. A proof that is held nowhere any more is made again: it is a
    function of the task alone.
    """

    def __init__(self, make_engine: Callable[[], Engine] | None, max_proofs: int, kept: KeptProofs | None) -> None:
        """Without `make_engine` only what was kept is opened: for the time in which the card is leased."""
        self._make_engine = make_engine
        self._max_proofs = max_proofs
        self._kept = kept
        self._engines: OrderedDict[tuple[Profile, bytes], Engine] = OrderedDict()
        self._proofs: OrderedDict[Task, Proof] = OrderedDict()
        self._dropped: set[Task] = set()  # proofs whose window made way
        self._loaded: set[Task] = set()  # from the disk: without a window
        self._probes: OrderedDict[tuple[Task, bytes], ProbeResult] = OrderedDict()
        self._writer = ThreadPoolExecutor(1, "keeps-proofs")
        self._writing: Future[None] | None = None

    def do(self, request: Request) -> Any:
        """What the request asks for. Raises what the engine raises."""
        match request:
            case Prepare(profile, epoch_seed):
                self._engine(profile, epoch_seed)
                return None
            case Prove(task, keep):
                proof = self._proof(task)
                if keep and self._kept is not None and task not in self._loaded:
                    self._writing = self._writer.submit(self._kept.keep, task, proof)
                    self._writing.add_done_callback(_say_what_failed)
                return Proven(proof.round_seeds, proof.round_roots, proof.elapsed_us, proof.engine)
            case OpenRows(task, rows):
                return self._open(task, list(rows))
            case Walk(task, challenge):
                probed = self._probe(task, challenge)
                return Walked(probed.proof.result_root, probed.lane_root)
            case OpenLanes(task, challenge, lanes):
                return self._probe(task, challenge).open(lanes)
            case Flush():
                if self._writing is not None:
                    self._writing.result()
                return None

    def _open(self, task: Task, rows: list[tuple[int, int]]) -> bytes:
        proof = self._proof(task)
        if task not in self._loaded:
            return self._engine(task.profile, task.epoch_seed).open(proof, rows)
        try:
            return proof.open(rows)
        except ProofFileError:
            if self._make_engine is None or self._kept is None:
                raise
            self._kept.forget(task)  # damaged: made again
            self._forget(task)
            return self._engine(task.profile, task.epoch_seed).open(self._proof(task), rows)

    def _engine(self, profile: Profile, epoch_seed: Seed) -> Engine:
        if self._make_engine is None:
            raise ProofError("the card is leased: nothing is proven on it now")
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
        if task not in self._proofs and not self._load(task):
            engine = self._engine(task.profile, task.epoch_seed)
            self._drop_windows()
            self._proofs[task] = engine.prove(task.seed)
        while len(self._proofs) > self._max_proofs:
            self._forget(next(iter(self._proofs)))
        self._proofs.move_to_end(task)
        return self._proofs[task]

    def _load(self, task: Task) -> bool:
        found = None if self._kept is None else self._kept.load(task, rows_on_processor)
        if found is not None:
            self._proofs[task] = found
            self._loaded.add(task)
        return found is not None

    def _forget(self, task: Task) -> None:
        self._proofs.pop(task, None)
        self._dropped.discard(task)
        self._loaded.discard(task)

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
            if task in self._dropped or (task in self._loaded and self._make_engine is not None):
                self._forget(task)
            proof = self._proof_with_window(task)
            self._probes[key] = self._engine(task.profile, task.epoch_seed).probe(proof, challenge)
            while len(self._probes) > PROBE_CACHE_SIZE:
                self._probes.popitem(last=False)
        self._probes.move_to_end(key)
        return self._probes[key]

    def _proof_with_window(self, task: Task) -> Proof:
        """Proven again where it is not held: what lies on the disk has no window."""
        kept, self._kept = self._kept, None
        try:
            return self._proof(task)
        finally:
            self._kept = kept


def _say_what_failed(writing: Future[None]) -> None:
    if not writing.cancelled() and (error := writing.exception()) is not None:
        log.warning("a proof could not be stored: %s", error)


def rows_on_processor(profile: Profile, epoch_seed: Seed) -> Callable[[bytes, list[int]], NDArray[np.int32]]:
    """Multiplies single rows anew by this machine's processor: seconds for an opening of the largest class."""
    from assay.proof.engines.cpu import CpuEngine

    engine = CpuEngine()
    engine.prepare(profile, epoch_seed)
    return engine.rows
