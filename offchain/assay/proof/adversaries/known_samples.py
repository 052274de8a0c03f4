"""A prover that knows the sampled rows in advance and computes nothing else.

It shows why ρ is drawn after the seal: this one passes, at a cost of k rows. Benchmarks use it to make
openings of
large profiles that verify.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.proof.commitment import round_root
from assay.proof.engines.cpu_products import product_of
from assay.proof.kernels.row_trees import subtree_roots
from assay.proof.probe.result import ProbeResult, run_probe, walk_on_threads
from assay.proof.proof import Proof
from assay.proof.seed_chain import seed_after
from assay.proof.threads import Threads
from assay.protocol.profile import Profile
from assay.protocol.types import Seed


@dataclass(frozen=True, slots=True)
class _FewRows:
    found: dict[tuple[int, int], NDArray[np.int32]]

    def read(self, indices: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
        return np.stack([self.found[index] for index in indices])

    def without_window(self) -> _FewRows:
        return self


class KnownSamples:
    """An engine that computes only the rows it was told of.

    Args:
        indices: the rows (t, i) that it will be asked for.
        threads: processor threads.
    """

    name = "known-samples"

    def __init__(self, indices: Sequence[tuple[int, int]], threads: int | None = None) -> None:
        self._indices = indices
        self._threads = Threads(threads)

    def prepare(self, profile: Profile, epoch_seed: Seed) -> None:
        self._job = (profile, epoch_seed, product_of(profile, epoch_seed, self._threads))

    def prove(self, device_seed: Seed) -> Proof:
        profile, epoch_seed, product = self._job
        wanted: dict[int, list[int]] = {}
        for t, i in sorted(set(self._indices)):
            wanted.setdefault(t, []).append(i)
        made_up = np.random.default_rng(0).integers(0, 256, (profile.M, 32), dtype=np.uint8)
        made_up_root = round_root(made_up)
        seeds, roots = [device_seed], list[bytes]()
        trees: dict[int, NDArray[np.uint8]] = {}
        found: dict[tuple[int, int], NDArray[np.int32]] = {}
        for t in range(profile.T):
            rows = wanted.get(t, [])
            if rows:
                out = np.empty((len(rows), profile.N), np.int32)
                product.multiply(seeds[t], rows, out)
                trees[t] = made_up.copy()
                trees[t][rows] = subtree_roots(out, profile.chunk)
                found.update({(t, i): row for i, row in zip(rows, out, strict=True)})
            roots.append(round_root(trees[t]) if rows else made_up_root)
            if t + 1 < profile.T:
                seeds.append(seed_after(seeds, roots))
        # Rounds without a sampled row share one made-up tree: T·M·32 bytes would be half a gigabyte.
        row_roots = [trees.get(t, made_up) for t in range(profile.T)]
        return Proof(
            profile,
            epoch_seed,
            device_seed,
            tuple(seeds),
            tuple(roots),
            row_roots,
            _FewRows(found),
            1,
            self.name,
        )

    def open(self, proof: Proof, indices: Sequence[tuple[int, int]]) -> bytes:
        return proof.open(indices)

    def probe(self, proof: Proof, challenge: bytes) -> ProbeResult:
        return run_probe(proof, challenge, walk_on_threads(self._threads))
