"""Verification of openings on a processor, by random projection modulo p = 2^61 - 1.

Once an epoch for all devices of a profile: v = Bᵀ·r. Then each opened row costs one path and two dot
products,
Σ_j C[i][j]·r_j ≡ Σ_k A_t[i][k]·v_k (mod p). Nothing a device sends makes these functions raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from assay.proof import openings, sampling
from assay.proof.errors import OpeningError
from assay.proof.kernels import keccak, paths, seed_chain
from assay.proof.kernels.words import as_bytes, seed_words
from assay.proof.projection import project, projection_vector
from assay.proof.threads import Threads
from assay.protocol import seeds
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Rho, Root, Seed


class OpeningFault(StrEnum):
    """What was wrong with an opening."""

    FORMAT = "format"  # not the bytes that profile and samples demand
    RESULT_ROOT = "result-root"  # the roots and the derived seeds do not make the committed resultRoot
    PATH = "path"  # a row that was not committed to at that place
    PRODUCT = "product"  # a committed row that is not the product: provable on-chain


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one verification. `reason` is empty when valid; `row` is the first (t, i) at fault."""

    valid: bool
    reason: str = ""
    fault: OpeningFault | None = None
    row: tuple[int, int] | None = None


VALID = Verdict(True)


class Verifier:
    """Verifies any number of devices of one profile, one epoch seed and one ρ.

    Safe to use from several threads. Memory is a few times K and N, whatever the number of devices.

    Args:
        profile: the devices' profile.
        epoch_seed: β, 32 bytes.
        rho: 32 bytes drawn after the seal (or a handover's ρ).
        threads: processor threads; default ASSAY_PROOF_THREADS or all.
    """

    def __init__(self, profile: Profile, epoch_seed: Seed, rho: Rho, threads: int | None = None) -> None:
        self.profile = profile.validate()
        self.epoch_seed = epoch_seed
        self.rho = rho
        self._threads = Threads(threads)
        self.r = projection_vector(rho, profile.N)
        self._projection = project(epoch_seed, self.r, profile.K, self._threads)
        self.v = self._projection.v

    def verify_device(self, device_id: DeviceId, nonce_root: bytes, result_root: Root, opening: bytes) -> Verdict:
        """Verifies an epoch's opening of the profile's k sampled rows.

        Args:
            device_id, nonce_root, result_root: 32 bytes each, as sealed.
            opening: bytes as received.
        """
        seed = seeds.device_seed(self.epoch_seed, device_id, self.profile.id, nonce_root)
        indices = sampling.samples(self.rho, device_id, self.profile)
        return self.verify(seed, result_root, opening, indices)

    def verify(
        self, device_seed: Seed, result_root: Root, opening: bytes, indices: Sequence[tuple[int, int]]
    ) -> Verdict:
        """Verifies the opening of the rows (t, i) asked for, in that order.

        Args:
            device_seed: s_0, 32 bytes; from `seeds.device_seed` or `seeds.handover_seed`.
            result_root: what the device committed to, 32 bytes.
            opening: bytes as received.
            indices: rows asked for; their number and order must be met exactly.
        """
        for t, i in indices:
            if not (0 <= t < self.profile.T and 0 <= i < self.profile.M):
                return Verdict(False, f"row ({t}, {i}) is outside the profile", OpeningFault.FORMAT, (t, i))
        try:
            parsed = openings.decode(opening, self.profile, len(indices))
        except OpeningError as error:
            return Verdict(False, str(error), OpeningFault.FORMAT)
        roots = np.ascontiguousarray(parsed.roots).view("<u8")
        round_seeds, root = np.empty_like(roots), np.empty(4, np.uint64)
        seed_chain.derive(seed_words(device_seed), roots, round_seeds, root)
        if as_bytes(root) != result_root:
            reason = "the round roots and the seeds derived from them do not make the committed result root"
            return Verdict(False, reason, OpeningFault.RESULT_ROOT)
        return self._verify_rows(parsed, roots, round_seeds, indices)

    def _verify_rows(
        self,
        parsed: openings.Opening,
        roots: NDArray[np.uint64],
        round_seeds: NDArray[np.uint64],
        indices: Sequence[tuple[int, int]],
    ) -> Verdict:
        places = np.array(indices, dtype=np.int64).reshape(-1, 2)
        rounds, rows_of = np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1])
        foreign: list[int] = []
        wrong: list[int] = []

        def task(first: int, end: int) -> None:
            # Copied even where one row lies in order already: kernels are compiled anew for arrays that are read-only.
            rows = np.array(parsed.rows[first:end], order="C")
            siblings = np.array(parsed.paths[first:end], order="C").view("<u8")
            subtrees = np.empty((end - first, 4), np.uint64)
            keccak.row_roots(rows.view("<u8"), self.profile.chunk, subtrees)
            at = paths.first_foreign_row(subtrees, siblings, rounds[first:end], rows_of[first:end], roots)
            if at >= 0:
                foreign.append(first + at)
                return
            at = self._projection.first_wrong_row(round_seeds, rounds[first:end], rows_of[first:end], rows)
            if at >= 0:
                wrong.append(first + at)

        self._threads.over(len(indices), task, align=8)
        if foreign:
            t, i = indices[min(foreign)]
            return Verdict(False, f"row {i} of round {t} is not under the committed root", OpeningFault.PATH, (t, i))
        if wrong:
            t, i = indices[min(wrong)]
            return Verdict(False, f"row {i} of round {t} is not the product A·B", OpeningFault.PRODUCT, (t, i))
        return VALID
