"""From products to a commitment: hash a round, chain the seed, go on."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from assay.proof.kernels import keccak
from assay.proof.kernels.words import as_bytes
from assay.proof.proof import KeptRows, Proof
from assay.proof.seed_chain import seed_after
from assay.proof.threads import Threads
from assay.protocol.profile import Profile
from assay.protocol.types import Seed

Multiply = Callable[[int, bytes], NDArray[np.int32]]  # (t, s_t) -> int32 (M, N)


def hash_rows(product: NDArray[np.int32], chunk: int, threads: Threads) -> NDArray[np.uint8]:
    """Roots of the subtrees of all rows of one round: int32 (M, N) to uint8 (M, 32)."""
    words = product.view(np.uint64)
    out = np.empty((len(words), 4), np.uint64)
    threads.over(len(words), lambda first, end: keccak.row_roots(words[first:end], chunk, out[first:end]), align=8)
    return out.view(np.uint8)


def round_root(row_roots: NDArray[np.uint8]) -> bytes:
    """root_t over the roots of a round's rows."""
    root = np.empty(4, np.uint64)
    keccak.tree_root(row_roots.view(np.uint64), root)
    return as_bytes(root)


def commit_products(
    profile: Profile, epoch_seed: Seed, device_seed: Seed, multiply: Multiply, engine: str, threads: Threads
) -> Proof:
    """A proof over whatever `multiply` returns for each round, chained as the protocol demands.

    The products are kept whole, as the rows to open and for the memory probe.
    """
    started = time.perf_counter_ns()
    products = np.empty((profile.T, profile.M, profile.N), np.int32)
    row_roots = np.empty((profile.T, profile.M, 32), np.uint8)
    seeds: list[bytes] = [device_seed]
    roots: list[bytes] = []
    for t in range(profile.T):
        products[t] = multiply(t, seeds[t])
        row_roots[t] = hash_rows(products[t], profile.chunk, threads)
        roots.append(round_root(row_roots[t]))
        if t + 1 < profile.T:
            seeds.append(seed_after(seeds, roots))
    elapsed_us = (time.perf_counter_ns() - started) // 1000
    return Proof(
        profile,
        epoch_seed,
        device_seed,
        tuple(seeds),
        tuple(roots),
        row_roots,
        KeptRows(products),
        elapsed_us,
        engine,
    )
