"""Proofs on the disk: what opens their rows by a processor when the card is leased, or its worker dead."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.proof import container
from assay.proof.errors import ProofFileError
from assay.proof.kernels.row_trees import tree_levels
from assay.proof.proof import Proof, RecomputedRows
from assay.protocol.hexadecimal import to_hex
from assay.protocol.profile import Profile
from assay.protocol.types import NO_SEED, Seed
from assay.provider.cards.tasks import Task

MAGIC = b"ASSAYKP1"
CACHE_SIZE = 2  # 590 MB each for `datacenter`: those of this epoch and the one before
_NAME = re.compile(r"[0-9a-f]{64}-[0-9a-f]{64}\.proof")

Rows = Callable[[Profile, Seed], Callable[[bytes, list[int]], NDArray[np.int32]]]
"""(profile, β) -> what multiplies rows i of a round anew: (s_t, rows) -> int32 (n, N)."""


class KeptProofs:
    """The latest proofs of one place, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, task: Task, proof: Proof) -> None:
        """Stores it and forgets the oldest. Raises ProofFileError, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        header = {"engine": proof.engine, "elapsedUs": proof.elapsed_us, "profile": _sizes(task.profile)}
        parts = [b"".join(proof.round_seeds), b"".join(proof.round_roots), np.ascontiguousarray(proof.row_roots).data]
        container.write(self._path(task), MAGIC, header, parts)
        for old in sorted(self._files(), key=lambda path: path.stat().st_mtime_ns)[:-CACHE_SIZE]:
            old.unlink(missing_ok=True)

    def load(self, task: Task, rows: Rows) -> Proof | None:
        """The proof of a task, whose rows are multiplied again as they are opened; None where it was not kept."""
        path, profile = self._path(task), task.profile
        if not path.exists():
            return None
        try:
            file = container.read(path, MAGIC, "a proof kept by a provider")
            engine, elapsed = str(file.header.get("engine")), int(file.header.get("elapsedUs", 0))
            size = profile.T * (64 + 32 * profile.M)
            if file.header.get("profile") != _sizes(profile) or file.size != size:
                raise ProofFileError(f"{path}: not of profile {profile.id}")
        except (ProofFileError, TypeError, ValueError):
            self.forget(task)
            return None
        raw = np.memmap(path, dtype=np.uint8, mode="r", offset=file.offset, shape=(file.size,))
        words = [raw[32 * n : 32 * n + 32].tobytes() for n in range(2 * profile.T)]
        seeds, roots = tuple(words[: profile.T]), tuple(words[profile.T :])
        row_roots = raw[64 * profile.T :].reshape(profile.T, profile.M, 32)
        again: list[Callable[[bytes, list[int]], NDArray[np.int32]]] = []

        def multiply(t: int, wanted: list[int]) -> NDArray[np.int32]:
            if tree_levels(row_roots[t])[-1].tobytes() != roots[t]:
                raise ProofFileError(f"{path}: the rows of round {t} do not make its root")
            if not again:
                again.append(rows(profile, task.epoch_seed))
            return again[0](seeds[t], wanted)

        source = RecomputedRows(multiply)
        return Proof(profile, task.epoch_seed, task.seed, seeds, roots, row_roots, source, elapsed, engine)

    def has(self, task: Task) -> bool:
        """Whether it was kept."""
        return self._path(task).exists()

    def forget(self, task: Task) -> None:
        """Removes what was kept of a task."""
        with suppress(OSError):
            self._path(task).unlink(missing_ok=True)

    def _files(self) -> Sequence[Path]:
        return [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]

    def _path(self, task: Task) -> Path:
        return self._folder / f"{task.epoch_seed.hex()}-{task.seed.hex()}.proof"


def _sizes(profile: Profile) -> str:
    return to_hex(profile.job_hash(NO_SEED))
